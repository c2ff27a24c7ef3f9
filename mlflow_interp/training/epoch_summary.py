"""One folder for a method over all epochs: the last figure, and a page with a slider over the epochs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow_interp.drawing import epoch_slider
from mlflow_interp.method_registry import kind_of
from mlflow_interp.report import view_file
from mlflow_interp.report.files import PAGE
from mlflow_interp.report.folder import MANIFEST, VIEW_FILE
from mlflow_interp.report.formats import to_json
from mlflow_interp.report.manifest import complete_manifest, inputs_identity

MOST_STEPS = 50  # on one page, evenly spaced; every step has its own folder


def write_whole(
    folder: Path,
    method: str,
    results: Mapping[int, Any],
    manifests: Mapping[int, Mapping[str, Any]],
    options: Mapping[str, Any],
) -> None:
    """Write the page over all steps, the figure of the last step, and the manifest last.

    Args:
        folder: the folder of the method, with a folder for each step.
        method: the name of the method.
        results: the results by step; only the last one is needed unless `needs_results`.
        manifests: the manifests by step.
        options: the options for the figure.
    """
    shown = view_file.evenly_spaced(list(manifests), MOST_STEPS)
    last = max(manifests)
    figures = {step: (folder / f"epoch-{step:04d}" / "figure.png").read_bytes() for step in shown}
    page_over = kind_of(method).page_over
    if page_over is not None:
        page = page_over({step: results[step] for step in shown}, **options)
    else:
        page = epoch_slider.page(method, figures, {step: manifests[step]["metrics"] for step in shown})
    files = {"figure.png": figures[last], PAGE: page.encode()} | _view_file(folder, manifests, figures[last])
    vectors = folder / f"epoch-{last:04d}" / "figure.svg"
    if vectors.is_file():  # not where an earlier version of this package wrote the epoch
        files["figure.svg"] = vectors.read_bytes()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    last_manifest = {
        name: value for name, value in manifests[last].items() if name not in ("files", "versions")
    }
    (folder / MANIFEST).write_bytes(
        to_json(complete_manifest(last_manifest | {"steps": list(manifests)}, files))
    )


def _view_file(folder: Path, manifests: Mapping[int, Mapping[str, Any]], figure: bytes) -> dict[str, bytes]:
    """The view file for the page of the run, with the epochs that used the same inputs as the last."""
    identities = {step: inputs_identity(manifest) for step, manifest in manifests.items()}
    steps = view_file.evenly_spaced(list(manifests), MOST_STEPS)
    same_inputs = [step for step in steps if identities[step] == identities[max(manifests)]]
    files = {step: folder / f"epoch-{step:04d}" / VIEW_FILE for step in same_inputs}
    contents = {step: file.read_bytes() for step, file in files.items() if file.is_file()}
    series: dict[str, list[tuple[int, float]]] = {}
    for step, manifest in manifests.items():
        for name, value in manifest["metrics"].items():
            series.setdefault(name, []).append((step, value))
    content = view_file.over_steps(contents, series, figure)
    return {} if content is None else {VIEW_FILE: content}


def needs_results(method: str) -> bool:
    """Whether a method has its own page over all steps, instead of a slider over the figures."""
    return kind_of(method).page_over is not None
