"""The figure of saliency maps."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from mlflow_interp.core.accepted import Range
from mlflow_interp.drawing import style
from mlflow_interp.drawing.grid import ColourBar, Strip, draw_grid, draw_strip, make_strips, prediction_lines
from mlflow_interp.drawing.panels import find_shown
from mlflow_interp.kinds.saliency.tiles import make_tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.drawing.tiles import Tiles
    from mlflow_interp.kinds.saliency.result import SaliencyResult

Percentile = Annotated[float, Range(above=0, most=100)]


def draw(
    result: SaliencyResult,
    tiles: Tiles | None = None,
    *,
    colormap: style.Colormap = "gray",
    percentile: Percentile = 99.0,
) -> Figure:
    """Draw the image, the image filtered by SmoothGrad, and the three maps side by side.

    Args:
        result: Maps of any number of inputs; at most 64 are drawn.
        tiles: The tiles of the result with these options, if already computed.
        colormap: Matplotlib colormap of the figure.
        percentile: Percentile of a map's values that is drawn as its strongest; higher values are clipped.

    Raises:
        OptionError: no such colormap.
    """
    tiles = tiles or make_tiles(result, colormap=colormap, percentile=percentile)
    title = style.with_count(result.title, result.examples)
    bar = ColourBar(style.find_colormap(colormap), f"share of {percentile:g}th percentile")
    return draw_grid(title, _strips(result, tiles), headings=tiles.headings, bar=bar)


def draw_panel(
    axes: Any,
    result: SaliencyResult,
    panel: int | str,
    *,
    colormap: style.Colormap = "gray",
    percentile: Percentile = 99.0,
) -> None:
    """Draw one input, given by its row or name, into axes: its image and its maps."""
    position = find_shown(panel, result.examples)
    tiles = make_tiles(result, [position], colormap=colormap, percentile=percentile)
    draw_strip(axes, _strips(result, tiles)[0], tiles.headings)


def _strips(result: SaliencyResult, tiles: Tiles) -> list[Strip]:
    return make_strips(result.examples.names, tiles, partial(prediction_lines, result.explained))
