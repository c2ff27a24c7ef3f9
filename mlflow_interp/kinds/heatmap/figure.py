"""The figure of heatmaps: each image without and with its heatmap."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from mlflow_interp.core.accepted import Range
from mlflow_interp.drawing import style
from mlflow_interp.drawing.captions import caption, contrast_of, names_of
from mlflow_interp.drawing.colour_bar import GREY, WHITE, ColourBar
from mlflow_interp.drawing.grid import draw_grid, draw_strip, make_strips, prediction_lines
from mlflow_interp.drawing.grid_sizes import Strip
from mlflow_interp.drawing.panels import find_shown
from mlflow_interp.drawing.whole import frame_note, within_wholes
from mlflow_interp.kinds.heatmap.difference import HeatmapDifference
from mlflow_interp.kinds.heatmap.tiles import make_tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.drawing.tiles import Tiles
    from mlflow_interp.kinds.heatmap.result import HeatmapResult

Opacity = Annotated[float, Range(least=0, most=1)]


def draw(
    result: HeatmapResult,
    tiles: Tiles | None = None,
    *,
    colormap: style.Colormap = "inferno",
    opacity: Opacity = 0.7,
) -> Figure:
    """Draw each image without and with its heatmap, and the three best predictions.

    Args:
        result: Heatmaps of any number of inputs; at most 64 are drawn.
        tiles: The tiles of the result with these options, if already computed.
        colormap: Matplotlib colormap of the figure. The default is perceptually uniform. Heat with both
            signs, such as that of occlusion, RISE and differences, needs a diverging colormap; any other,
            including the default, is replaced by RdBu_r.
        opacity: Opacity of the strongest heat, from 0 to 1. Positions without heat are transparent.

    Raises:
        OptionError: no such colormap.
    """
    tiles = tiles or make_tiles(result, colormap=colormap, opacity=opacity)
    title = style.with_count(title_of(result), result.examples)
    colours = style.find_colormap(colormap) if result.relu else style.diverging_colormap(colormap)
    # Heat over an image is more opaque the stronger it is; the background of signals and texts is white.
    bar = ColourBar(
        colours,
        "heat, % of the input's strongest",
        signed=not result.relu,
        opacity=opacity,
        background=GREY if len(tiles.headings) > 1 else WHITE,
    )
    framed = within_wholes(tiles, result.examples.wholes, tiles.headings)
    return draw_grid(
        title,
        _strips(result, framed),
        bar=bar,
        caption=caption(_meaning(result) + frame_note(result.examples.wholes), result),
        names=names_of(result.examples),
    )


def draw_panel(
    axes: Any,
    result: HeatmapResult,
    panel: int | str,
    *,
    colormap: style.Colormap = "inferno",
    opacity: Opacity = 0.7,
) -> None:
    """Draw one input, given by its row or name, into axes: without and with its heatmap."""
    position = find_shown(panel, result.examples)
    tiles = make_tiles(result, [position], colormap=colormap, opacity=opacity)
    tiles = within_wholes(tiles, result.examples.wholes, tiles.headings, positions=[position])
    draw_strip(axes, _strips(result, tiles)[0], tiles.headings, names_of(result.examples))


def _meaning(result: HeatmapResult) -> str:
    """What is drawn, in a sentence."""
    if isinstance(result, HeatmapDifference):
        of_class = (
            f"evidence for the explained class{_over(result)}" if result.explained.has_target else "heat"
        )
        return f"{title_of(result)}: {of_class}, the first result's minus the second's."
    if not result.explained.has_target:
        meaning = result.meaning or "the strongest pattern in the activations, whatever the class"
        return f"{title_of(result)}: {meaning}, relative to the strongest of the input."
    explained = "class" if result.examples.has_classes else "value"
    evidence = "evidence for" if result.relu else "evidence for (positive) and against (negative)"
    return (
        f"{title_of(result)}: {evidence} the explained {explained}{_over(result)}, relative to the strongest "
        "of the input."
    )


def _over(result: HeatmapResult) -> str:
    """Such as " over the runner-up"; empty without a contrast."""
    phrase = contrast_of(result.explained)
    return f" over {phrase}" if phrase else ""


def _strips(result: HeatmapResult, tiles: Tiles) -> list[Strip]:
    return make_strips(result.examples.names, tiles, partial(prediction_lines, result.explained))


def title_of(result: HeatmapResult) -> str:
    """The title of figure, page and view."""
    number = result.calls[0].number
    call = f", call {number}" if len(result.calls) == 1 and number else ""
    phrase = contrast_of(result.explained)
    at = f" at {result.layer}{call}" if result.layer else ""
    return f"{result.title}{at}{f', contrasted with {phrase}' if phrase else ''}"
