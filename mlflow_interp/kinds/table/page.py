"""The page of a table: mean heatmaps, probabilities, every class, errors, and how to read the table."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.layout import FigureLayout
from mlflow_interp.drawing.page import render
from mlflow_interp.kinds.table.figure import bar_of, draw_panel, headline, meaning_of, panels_of
from mlflow_interp.kinds.table.tiles import draw_mean, heat_colours, make_tiles

if TYPE_CHECKING:
    from mlflow_interp.kinds.table.heatmaps import ClassHeatmaps
    from mlflow_interp.kinds.table.result import ClassRow, TableResult
    from mlflow_interp.kinds.table.tiles import MeanTile

MOST_CLASSES = 1_000  # in the table of classes
MOST_BYTES = 2_500_000  # of its heatmaps, of the most frequent classes
_SIDE = 72  # pixels of one of them
_BYTES_OF_ONE = 2_200
_SIDE_OF_TILE = 224
_DESCRIPTIONS = {
    "probabilities": "Histogram of the probability of the predicted class",
    "classes": "Most confused pairs of classes, or most frequent predictions",
}


def page(result: TableResult, tiles: list[list[MeanTile]] | None = None, *, colormap: str = "inferno") -> str:
    """A page that works offline; only the order of its classes needs a script."""
    tiles = tiles or make_tiles(result, colormap=colormap)
    classes = result.classes[:MOST_CLASSES]
    pictured = MOST_BYTES // (_BYTES_OF_ONE * max(1, len(result.heatmaps)))
    colours = [heat_colours(each, colormap) for each in result.heatmaps]
    return render(
        "kinds/table/page.html",
        "kinds/table/page.js",
        title=result.title,
        headline=headline(result),
        warnings=result.warnings(),
        methods=[
            {
                "title": each.title,
                "meaning": meaning_of(result, each),
                "lowest": "0%" if each.relu else "−100%",
                "scale": _scale(each, colormap),
                "tiles": [
                    {
                        "name": tile.name,
                        "count": f"{tile.count:,}",
                        "source": style.data_uri(tile.pixels, most=_SIDE_OF_TILE),
                    }
                    for tile in row
                ],
            }
            for each, row in zip(result.heatmaps, tiles, strict=True)
        ],
        charts=_charts(result),
        labelled=bool(result.labelled),
        predicted=bool(result.predicted),
        has_probabilities=result.has_probabilities,
        classes=[
            _class(each, result.heatmaps, colours if row < pictured else ())
            for row, each in enumerate(classes)
        ],
        pictured=min(pictured, len(classes)),
        more_classes=len(result.classes) - len(classes),
        reasons=[{"reason": reason, "count": f"{count:,}"} for reason, count in result.reasons],
        unnamed=result.errors - sum(count for _, count in result.reasons),
        errors=result.errors,
        location=result.location,
        code=result.location.code(result.heatmaps[0].method if result.heatmaps else None),
        rows=f"{result.rows:,}",
        sample=f"{result.sample:,}",
        interpreted=f"{result.rows - result.errors:,}",
        data=[],
    )


def _scale(heatmaps: ClassHeatmaps, colormap: str) -> str:
    """The colours from the lowest to the highest value, from left to right, as a data: URI."""
    return style.data_uri(np.swapaxes(bar_of(heatmaps, colormap).pixels(), 0, 1).copy(), lossless=True)


def _class(row: ClassRow, heatmaps: tuple[ClassHeatmaps, ...], colours: Any) -> dict[str, Any]:
    """One row of the table of classes; without heatmaps if there are no colours."""
    return {
        "name": row.name,
        "labelled": row.labelled,
        "predicted": row.predicted,
        "accuracy": row.accuracy,
        "probability": row.probability,
        "heatmaps": [
            _heatmap(each, row.label, colours[at] if colours else None) for at, each in enumerate(heatmaps)
        ],
    }


def _heatmap(heatmaps: ClassHeatmaps, label: int, colours: Any) -> dict[str, Any]:
    """The number of heatmaps that explain a class, and their mean as a data: URI."""
    row = heatmaps.row_of.get(label)
    if row is None:
        return {"count": 0, "source": None}
    source = None
    if colours is not None:
        pixels = draw_mean(heatmaps, heatmaps.means[row], colours, side=_SIDE)
        source = style.data_uri(pixels, most=2 * _SIDE)
    return {"count": int(heatmaps.counts[row]), "source": source}


def _charts(result: TableResult) -> list[dict[str, str]]:
    boxes = {"probabilities": (3.6, (0.55, 0.3, 2.9, 1.7)), "classes": (5.0, (1.6, 0.3, 2.3, 1.7))}
    found = []
    for panel in panels_of(result):
        width, box = boxes[panel]
        layout = FigureLayout.of(width, 2.5)
        draw_panel(layout.axes(box), result, panel)
        source = base64.b64encode(style.svg(layout.finished())).decode()
        found.append(
            {
                "source": f"data:image/svg+xml;base64,{source}",
                "alt": _DESCRIPTIONS[panel],
                "width": f"{110 * width:.0f}",
            }
        )
    return found
