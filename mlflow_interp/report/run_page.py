"""The page of a whole run: the model, its inputs as every method shows them, a section for each method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from PIL import Image

from mlflow_interp.drawing.charts import charts
from mlflow_interp.drawing.page import render
from mlflow_interp.method_registry import panel_scripts
from mlflow_interp.report import reproduce, view_file
from mlflow_interp.report.earlier_steps import evenly_spaced
from mlflow_interp.report.files import PAGE
from mlflow_interp.report.folder import FIGURE, Entry
from mlflow_interp.report.metric_meanings import meaning_of
from mlflow_interp.report.run_inputs import Images, is_image, usable, walk

BUDGET = 5_000_000  # bytes of a page
_MOST_STEPS = (50, 12, 5, 1)  # of a training; the next where they would leave no room for images
_ROOM = 1_500_000  # bytes for images, with which steps are not left out for more
_SHARE = 0.9  # of the room that images fill, as their captions and places take some of it
_MOST_SECTIONS = 40
_MOST_SKIPPED = 100


def page(entries: list[Entry], run_id: str | None) -> str:
    """One self-contained page for all entries of a run (or of a folder, where `run_id` is None).

    It is smaller than `BUDGET`: images that don't fit are left out with a note, and if there are very many
    interpretations, only the latest have a section.
    """
    shown = entries[-_MOST_SECTIONS:]
    checked = [_checked(entry) for entry in shown]
    damaged = [
        entry.place
        for entry, checked_entry in zip(shown, checked, strict=True)
        if entry.view and not checked_entry.view
    ]
    about = {"run_id": run_id, "damaged": damaged, "unseen": len(entries) - len(shown)}
    for steps in _MOST_STEPS:
        kept = [_with_steps(entry, steps) for entry in checked]
        room = BUDGET - len(_page(kept, 0, about).encode())
        if room < (_ROOM if steps > 1 else 0):
            continue
        content = _page(kept, int(_SHARE * room), about)
        if len(content.encode()) < BUDGET:
            return content
    return _page([replace(entry, view=None) for entry in checked[-5:]], 0, about)


def _page(entries: Sequence[Entry], budget: int, about: Mapping[str, Any]) -> str:
    images = Images(budget)
    figures = [_figure(entry, images) for entry in entries]
    data = walk([entry for entry in entries if entry.view is not None], images)
    steps = [step for method in data["methods"] for step in method["steps"]]
    kinds = {step["panel"]["kind"] for step in steps if step["panel"]}
    return render(
        "report/run_page.html",
        "report/workbench.js",
        panels={kind: panel_scripts()[kind] for kind in kinds},
        title="Interpretations",
        models=_models(entries),
        sections=[_section(*pair, images) for pair in zip(entries, figures, strict=True)],
        epochs=any(len(method["steps"]) > 1 for method in data["methods"]),
        data=data,
        **about,
    )


def _checked(entry: Entry) -> Entry:
    """The entry, without its view if the page can't use it: a damaged view must not prevent the page."""
    try:
        is_usable = usable(entry)
        if is_usable and entry.view is not None:
            walk([entry], Images(0))
            charts(entry.view["series"])
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        is_usable = False
    return entry if is_usable else replace(entry, view=None)


def _with_steps(entry: Entry, most: int) -> Entry:
    """The entry with at most this many steps of a training."""
    if entry.view is None:
        return entry
    return replace(entry, view={**entry.view, "steps": evenly_spaced(entry.view["steps"], most)})


def _models(entries: Sequence[Entry]) -> list[Mapping[str, Any]]:
    """Every model that was interpreted, the latest first; a run may hold several."""
    by_weights = {str(entry.manifest["model"].get("weights_sha256")): entry for entry in entries}
    # The weights differ between epochs, but it is the same model.
    by_name = {
        (
            entry.manifest["model"]["uri"],
            entry.manifest["model"]["name"],
            entry.manifest["model"]["version"],
        ): entry
        for entry in by_weights.values()
    }
    return [entry.manifest["model"] for entry in reversed(by_name.values())]


def _figure(entry: Entry, images: Images) -> str | None:
    """The figure of a method of which the workbench shows nothing, as a data: URI.

    None if the workbench shows the same, if the figure can't be read, or if it doesn't fit.
    """
    if entry.view and view_file.is_interactive(entry.view["steps"][-1]):
        return None
    stored = (entry.view or {}).get("figure")
    try:
        source = str(stored) if is_image(stored) else view_file.small_figure(entry.figure)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return source if images.fits(source, entry.place) else None


def _section(entry: Entry, figure: str | None, images: Images) -> dict[str, Any]:
    """What the template shows of one method."""
    manifest = entry.manifest
    view = entry.view or {}
    given = {*manifest["given"], *manifest.get("resolved", ())}
    lines = charts(view.get("series", {}))
    charted = {line.name for line in lines}
    return {
        "place": entry.place,
        "manifest": manifest,
        "title": view.get("title", manifest["method"]),
        "headline": view["steps"][-1]["headline"] if view else "",
        "picture": figure,
        "files": [name for name in (PAGE, FIGURE) if name in manifest["files"]],
        "left_out": images.left_out[entry.place],
        "over": view.get("over"),
        "charts": lines,
        "metrics": [
            {"name": name, "value": value, "meaning": meaning_of(manifest["method"], name)}
            for name, value in manifest["metrics"].items()
            if name not in charted
        ],
        "options": {name: value for name, value in manifest["parameters"].items() if name in given},
        "defaults": {name: value for name, value in manifest["parameters"].items() if name not in given},
        "skipped": dict(list(manifest["inputs"]["skipped"].items())[:_MOST_SKIPPED]),
        "calls": manifest.get("calls")
        or {
            "mlflow run": reproduce.mlflow_run(manifest),
            "Command line": reproduce.command(manifest),
            "Python": reproduce.python(manifest),
        },
        "missing": reproduce.missing(manifest),
        "while_training": "step" in manifest,
    }
