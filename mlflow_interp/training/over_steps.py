"""One folder for a method over all epochs: the last figure, and a page with a slider over them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow_interp.figures import panels, steps
from mlflow_interp.manifest import MANIFEST, PANELS, complete_manifest, to_json
from mlflow_interp.options import figure_module
from mlflow_interp.report import PAGE

MOST_STEPS = 50  # on one page; of more, evenly spaced ones are shown, and the folders hold all


def write_whole(
    folder: Path,
    method: str,
    results: Mapping[int, Any],
    manifests: Mapping[int, Mapping[str, Any]],
    options: Mapping[str, Any],
) -> None:
    """Write the page over all steps, the last figure, and a manifest, last.

    Args:
        folder: the method's, which holds a folder for each step.
        method: its name.
        results: by step; only the last one's need be there unless `needs_results`.
        manifests: by step.
        options: of the figure.
    """
    shown, last = _spaced(list(manifests)), max(manifests)
    figures = {step: (folder / f"epoch-{step:04d}" / "figure.png").read_bytes() for step in shown}
    if needs_results(method):
        page = figure_module(method).page_over({step: results[step] for step in shown}, **options)
    else:
        page = steps.page(method, figures, {step: manifests[step]["metrics"] for step in shown})
    files = {"figure.png": figures[last], PAGE: page.encode()} | _panels(folder, manifests)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    own = {name: value for name, value in manifests[last].items() if name not in ("files", "versions")}
    (folder / MANIFEST).write_bytes(to_json(complete_manifest(own | {"steps": list(manifests)}, files)))


def _panels(folder: Path, manifests: Mapping[int, Mapping[str, Any]]) -> dict[str, bytes]:
    """What the page of the run shows of the epochs that looked at the same inputs as the last."""
    digests = {step: manifest["inputs"]["sha256"] for step, manifest in manifests.items()}
    alike = [step for step in _spaced(list(manifests)) if digests[step] == digests[max(manifests)]]
    files = {step: folder / f"epoch-{step:04d}" / PANELS for step in alike}
    contents = {step: file.read_bytes() for step, file in files.items() if file.is_file()}
    series: dict[str, list[tuple[int, float]]] = {}
    for step, manifest in manifests.items():
        for name, value in manifest["metrics"].items():
            series.setdefault(name, []).append((step, value))
    found = panels.over_steps(contents, series)
    return {} if found is None else {PANELS: found}


def needs_results(method: str) -> bool:
    """Whether a method has a page of its own over all steps, and not one of figures that were drawn."""
    return hasattr(figure_module(method), "page_over")


def _spaced(numbers: list[int]) -> list[int]:
    """At most fifty of them, the last one in any case."""
    count = min(len(numbers), MOST_STEPS)
    return [numbers[(at + 1) * len(numbers) // count - 1] for at in range(count)]
