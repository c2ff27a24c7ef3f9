"""One folder for a method over all epochs: the last figure, and what the pages show of each epoch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow_interp.method_registry import kind_of
from mlflow_interp.report import view_file
from mlflow_interp.report.earlier_steps import evenly_spaced
from mlflow_interp.report.files import PAGE
from mlflow_interp.report.folder import MANIFEST, VIEW_FILE
from mlflow_interp.report.formats import to_json
from mlflow_interp.report.manifest import complete_manifest, inputs_identity

MOST_STEPS = 50  # on a page, evenly spaced; every step has its own folder


def write_whole(
    folder: Path,
    method: str,
    results: Mapping[int, Any],
    manifests: Mapping[int, Mapping[str, Any]],
    options: Mapping[str, Any],
) -> None:
    """Write the figure of the last step, the page over all steps if the kind has one, and the manifest last.

    The page of the run shows each step of every method. Only a kind with more to show has such a page: made
    of the results of all steps, or of the last if it holds the earlier ones.

    Args:
        folder: the folder of the method, with a folder for each step.
        method: the name of the method.
        results: the results by step; only the last one is needed unless `needs_results`.
        manifests: the manifests by step.
        options: the options for the figure.
    """
    last = max(manifests)
    figure = (folder / f"epoch-{last:04d}" / "figure.png").read_bytes()
    files = {"figure.png": figure} | _view_file(folder, manifests, figure)
    kind = kind_of(method)
    page_over = kind.page_over
    if kind.holds_earlier:
        files[PAGE] = kind.page(results[last], **options).encode()
    elif page_over is not None:
        shown = evenly_spaced(list(manifests), MOST_STEPS)
        files[PAGE] = page_over({step: results[step] for step in shown}, **options).encode()
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
    steps = evenly_spaced(list(manifests), MOST_STEPS)
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
    """Whether a method has its own page over all steps, for which the results of all are kept."""
    return kind_of(method).page_over is not None
