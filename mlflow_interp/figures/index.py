"""The page of a whole run: the model, its inputs seen by every method at once, and each method's own section."""

from __future__ import annotations

import base64
import copy
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from PIL import Image

from mlflow_interp.figures import reproduce, style
from mlflow_interp.figures.charts import charts
from mlflow_interp.figures.run_inputs import Images, usable, walk
from mlflow_interp.manifest import Entry

BUDGET = 5_000_000  # bytes of a page
_ROOMS = (4_200_000, 2_500_000, 1_000_000, 0)  # for pictures; the next where text takes more than is left
_MOST_SECTIONS = 40
_SHARP = 150_000  # bytes up to which a figure stays the PNG that it is
_LARGEST, _WIDEST = 260_000, 1_400  # bytes and pixels of any other
_MOST_SKIPPED = 100


def page(entries: list[Entry], run_id: str | None) -> str:
    """One self-contained page for all entries of a run (or of a folder, where `run_id` is None).

    It is smaller than `BUDGET`: pictures that don't fit are left out with a note, and of very many
    interpretations only the latest have a section.
    """
    shown = entries[-_MOST_SECTIONS:]
    for room in _ROOMS:
        filled = _page(shown, run_id, room, len(entries) - len(shown))
        if len(filled.encode()) < BUDGET:
            return filled
    return _page([replace(entry, panels=None) for entry in shown[-5:]], run_id, 0, len(entries) - 5)


def _page(entries: Sequence[Entry], run_id: str | None, room: int, unseen: int) -> str:
    images, checked = Images(room), [_checked(entry) for entry in entries]
    figures = [_figure(entry, images) for entry in checked]
    data = walk(copy.deepcopy([entry for entry in checked if entry.panels is not None]), images)
    return style.render(
        "index.html",
        "index.js",
        title="Interpretations",
        run_id=run_id,
        models=_models(checked),
        sections=[_section(*pair, images) for pair in zip(checked, figures, strict=True)],
        damaged=[
            entry.place for entry, kept in zip(entries, checked, strict=True) if entry.panels and not kept.panels
        ],
        unseen=unseen,
        epochs=any(len(method["steps"]) > 1 for method in data["methods"]),
        data=data,
    )


def _checked(entry: Entry) -> Entry:
    """The entry, without its panels where the page can't use them: one must not cost the others the page."""
    try:
        good = usable(entry)
        if good and entry.panels is not None:
            walk(copy.deepcopy([entry]), Images(0))
            charts(entry.panels["series"])
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        good = False
    return entry if good else replace(entry, panels=None)


def _models(entries: Sequence[Entry]) -> list[Mapping[str, Any]]:
    """Every model that was interpreted, the latest first: a run may hold several."""
    by_weights = {str(entry.manifest["model"].get("weights_sha256")): entry for entry in entries}
    # Every epoch has weights of its own; it is one model all the same.
    by_name = {
        (entry.manifest["model"]["uri"], entry.manifest["model"]["name"], entry.manifest["model"]["version"]): entry
        for entry in by_weights.values()
    }
    return [entry.manifest["model"] for entry in reversed(by_name.values())]


def _figure(entry: Entry, images: Images) -> str | None:
    """The figure as a data: URI, None where it can't be read or doesn't fit."""
    try:
        source = _small(entry.figure)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return source if images.fits(source, entry.place) else None


def _small(png: bytes) -> str:
    if len(png) <= _SHARP:
        return f"data:image/png;base64,{base64.b64encode(png).decode()}"
    with Image.open(io.BytesIO(png), formats=["PNG"]) as opened:
        image = opened.convert("RGB")
    widest = _WIDEST
    while True:
        image.thumbnail((widest, 10 * widest), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=80, optimize=True)
        if buffer.tell() <= _LARGEST or widest < 300:
            return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        widest = int(0.8 * image.width)


def _section(entry: Entry, figure: str | None, images: Images) -> dict[str, Any]:
    """What the template says of one method."""
    manifest, panels = entry.manifest, entry.panels or {}
    told = {*manifest["given"], *manifest.get("resolved", ())}
    lines = charts(panels.get("series", {}))
    charted = {line.name for line in lines}
    return {
        "place": entry.place,
        "manifest": manifest,
        "title": panels.get("title", manifest["method"]),
        "headline": panels["steps"][-1]["headline"] if panels else "",
        "picture": figure,
        "left_out": images.left_out[entry.place],
        "over": panels.get("over"),
        "charts": lines,
        "metrics": {name: value for name, value in manifest["metrics"].items() if name not in charted},
        "options": {name: value for name, value in manifest["parameters"].items() if name in told},
        "defaults": {name: value for name, value in manifest["parameters"].items() if name not in told},
        "skipped": dict(list(manifest["inputs"]["skipped"].items())[:_MOST_SKIPPED]),
        "calls": {
            "mlflow run": reproduce.mlflow_run(manifest),
            "Command line": reproduce.command(manifest),
            "Python": reproduce.python(manifest),
        },
        "missing": reproduce.missing(manifest),
        "while_training": "step" in manifest,
    }
