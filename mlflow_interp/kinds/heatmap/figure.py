"""The figure of heatmaps: each image without and with its heatmap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_interp.core.examples import MOST_IMAGES
from mlflow_interp.drawing import style
from mlflow_interp.drawing.grid import Strip, draw_grid, prediction_lines
from mlflow_interp.exceptions import OptionError
from mlflow_interp.kinds.heatmap.tiles import tiles_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.kinds.heatmap.result import HeatmapResult


def draw(result: HeatmapResult, *, colormap: str = "inferno", opacity: float = 0.7) -> Figure:
    """Draw each image without and with its heatmap, and the three best predictions.

    Args:
        result: Heatmaps of any number of inputs; the first 64 are drawn.
        colormap: The matplotlib colormap of the heat; the default is perceptually uniform.
        opacity: How much of the picture the strongest heat covers, from 0 to 1. No heat covers nothing.

    Raises:
        OptionError: no such colormap, or an opacity out of range.
    """
    if not 0 <= opacity <= 1:
        raise OptionError(f"opacity is {opacity}; give a number from 0 to 1")
    colours = style.find_colormap(colormap)
    strips = [
        Strip(name, tiles_of(result, index, colours, opacity), prediction_lines(result.explained, index))
        for index, name in enumerate(result.examples.names[:MOST_IMAGES])
    ]
    title = style.with_count(f"Grad-CAM at {result.layer}", result.examples)
    return draw_grid(title, strips, bar=(colours, "share of strongest heat"))
