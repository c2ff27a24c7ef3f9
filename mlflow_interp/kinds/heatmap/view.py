"""Heatmaps on the page of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_interp.core.examples import MOST_IMAGES
from mlflow_interp.drawing import style
from mlflow_interp.drawing.view import View, rows
from mlflow_interp.kinds.heatmap.tiles import tiles_of

if TYPE_CHECKING:
    from mlflow_interp.kinds.heatmap.result import HeatmapResult


def view(result: HeatmapResult, *, colormap: str = "inferno", opacity: float = 0.7) -> View:
    """Each image under its heatmap."""
    colours = style.find_colormap(colormap)
    indices = range(min(len(result.examples), MOST_IMAGES))
    focus = result.metrics().get("focus")
    return View(
        title=f"Grad-CAM at {result.layer}",
        headline="no heat anywhere"
        if focus is None
        else f"half of the heat lies on {focus:.0%} of a picture",
        inputs=rows(
            result.examples,
            tiles=[[("Grad-CAM", tiles_of(result, index, colours, opacity)[-1])] for index in indices],
            targets=result.explained.targets,
        ),
    )
