"""Heatmaps on the page of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_interp.drawing.view import View, rows
from mlflow_interp.kinds.heatmap.figure import title_of
from mlflow_interp.kinds.heatmap.tiles import make_tiles

if TYPE_CHECKING:
    from mlflow_interp.drawing.tiles import Tiles
    from mlflow_interp.kinds.heatmap.result import HeatmapResult


def view(
    result: HeatmapResult, tiles: Tiles | None = None, *, colormap: str = "inferno", opacity: float = 0.7
) -> View:
    """Each image under its heatmap."""
    tiles = tiles or make_tiles(result, colormap=colormap, opacity=opacity)
    focus = result.metrics().get("focus")
    return View(
        title=title_of(result),
        headline="no heat anywhere"
        if focus is None
        else f"half of the heat lies on {focus:.0%} of a picture",
        inputs=rows(result.examples, tiles=tiles.captioned(last=1), targets=result.explained.targets),
    )
