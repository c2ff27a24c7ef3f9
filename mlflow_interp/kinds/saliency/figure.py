"""The figure of saliency maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_interp.core.examples import MOST_IMAGES
from mlflow_interp.drawing import style
from mlflow_interp.drawing.grid import Strip, draw_grid, prediction_lines
from mlflow_interp.exceptions import OptionError
from mlflow_interp.kinds.saliency.tiles import HEADINGS, tiles_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.kinds.saliency.result import SaliencyResult


def draw(result: SaliencyResult, *, colormap: str = "gray", percentile: float = 99.0) -> Figure:
    """Draw the image, the image filtered by SmoothGrad, and the three maps side by side.

    Args:
        result: Maps of any number of inputs; the first 64 are drawn.
        colormap: The matplotlib colormap of the maps.
        percentile: Of a map's values, what is drawn as its strongest; the few above are cut off.

    Raises:
        OptionError: no such colormap, or a percentile out of range.
    """
    if not 0 < percentile <= 100:
        raise OptionError(f"percentile is {percentile}; give a number above 0, up to 100")
    colours = style.find_colormap(colormap)
    strips = [
        Strip(
            name,
            list(tiles_of(result, index, colours, percentile).values()),
            prediction_lines(result.explained, index),
        )
        for index, name in enumerate(result.examples.names[:MOST_IMAGES])
    ]
    title = style.with_count("Saliency", result.examples)
    headings = HEADINGS[-len(strips[0].tiles) :]
    return draw_grid(title, strips, headings=headings, bar=(colours, f"share of {percentile:g}th percentile"))
