"""The figure of caricatures."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from mlflow_interp.drawing import style
from mlflow_interp.drawing.grid import Strip, draw_grid, draw_strip, make_strips
from mlflow_interp.drawing.panels import find_shown
from mlflow_interp.kinds.caricature.difference import CaricatureDifference
from mlflow_interp.kinds.caricature.tiles import make_tiles, notes_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.drawing.tiles import Tiles
    from mlflow_interp.kinds.caricature.result import CaricatureResult


def draw(result: CaricatureResult | CaricatureDifference, tiles: Tiles | None = None) -> Figure:
    """Draw each image next to its caricature at each layer, with the cosine of their activations.

    Args:
        result: Caricatures of any number of inputs, or a difference of two; at most 64 are drawn.
        tiles: The tiles of the result, if already computed.
    """
    tiles = tiles or make_tiles(result)
    title = style.with_count(result.title, result.examples)
    return draw_grid(title, _strips(result, tiles), headings=tiles.headings)


def draw_panel(axes: Any, result: CaricatureResult | CaricatureDifference, panel: int | str) -> None:
    """Draw one input, given by its row or name, into axes: its image and its caricatures."""
    tiles = make_tiles(result, [find_shown(panel, result.examples)])
    draw_strip(axes, _strips(result, tiles)[0], tiles.headings)


def _strips(result: CaricatureResult | CaricatureDifference, tiles: Tiles) -> list[Strip]:
    return make_strips(result.examples.names, tiles, partial(notes_of, result))
