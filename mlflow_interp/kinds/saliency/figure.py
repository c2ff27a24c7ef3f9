"""The figure of saliency maps."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from mlflow_interp.core.accepted import Range
from mlflow_interp.drawing import style
from mlflow_interp.drawing.captions import caption, contrast_of, names_of
from mlflow_interp.drawing.colour_bar import ColourBar
from mlflow_interp.drawing.grid import draw_grid, draw_strip, make_strips, prediction_lines
from mlflow_interp.drawing.grid_sizes import Strip
from mlflow_interp.drawing.panels import find_shown
from mlflow_interp.drawing.whole import frame_note, within_wholes
from mlflow_interp.kinds.saliency.difference import SaliencyDifference
from mlflow_interp.kinds.saliency.tiles import PRODUCT, PRODUCT_PERCENTILE, make_tiles

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
    """Draw the image, the image filtered by SmoothGrad, and the maps side by side.

    Args:
        result: Maps of any number of inputs; at most 64 are drawn.
        tiles: The tiles of the result with these options, if already computed.
        colormap: Matplotlib colormap of the figure.
        percentile: Percentile of a map's values that is drawn as its strongest; higher values are clipped.

    Raises:
        OptionError: no such colormap.
    """
    tiles = tiles or make_tiles(result, colormap=colormap, percentile=percentile)
    title = style.with_count(title_of(result), result.examples)
    bar = ColourBar(style.find_colormap(colormap), f"% of the map's {_ordinal(percentile)} percentile")
    framed = within_wholes(tiles, result.examples.wholes, ("image",))
    return draw_grid(
        title,
        _strips(result, framed),
        headings=tiles.headings,
        bar=bar,
        caption=caption(_meaning(result, tiles, percentile) + frame_note(result.examples.wholes), result),
        names=names_of(result.examples),
    )


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
    tiles = within_wholes(tiles, result.examples.wholes, ("image",), positions=[position])
    draw_strip(axes, _strips(result, tiles)[0], tiles.headings, names_of(result.examples))


def _ordinal(number: float) -> str:
    """A number such as 99th, 92.5th, 1st."""
    tail = {1: "st", 2: "nd", 3: "rd"}.get(int(number) % 10 if number % 1 == 0 else 0, "th")
    return f"{number:g}{'th' if 10 < number % 100 < 14 else tail}"


def _meaning(result: SaliencyResult, tiles: Tiles, percentile: float) -> str:
    """What is drawn, in a sentence or two."""
    explained = "score of the explained class" if result.examples.has_classes else "explained value"
    phrase = contrast_of(result.explained)
    explained += f" minus that of {phrase}" if phrase else ""
    if isinstance(result, SaliencyDifference):
        maps = f"Saliency of the {explained}: the first result's maps minus the second's."
    else:
        maps = f"Saliency: how much each position of the input changes the {explained}."
    scale = f"Each map is drawn up to its {_ordinal(percentile)} percentile."
    # With a space at which no line ends.
    product = PRODUCT.replace(" ", "\N{NO-BREAK SPACE}")
    product = f"{product}: the image times the map, clipped at its {_ordinal(PRODUCT_PERCENTILE)} percentile."
    product = product if PRODUCT in tiles.headings else ""
    return " ".join(filter(None, (maps, scale, product)))


def title_of(result: SaliencyResult) -> str:
    """The title of figure, page and view."""
    phrase = contrast_of(result.explained)
    return f"{result.title}, contrasted with {phrase}" if phrase else result.title


def _strips(result: SaliencyResult, tiles: Tiles) -> list[Strip]:
    return make_strips(result.examples.names, tiles, partial(prediction_lines, result.explained))
