"""The figure of caricatures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.captions import caption, names_of
from mlflow_interp.drawing.grid import draw_grid, draw_strip
from mlflow_interp.drawing.grid_sizes import Strip
from mlflow_interp.drawing.panels import find_shown
from mlflow_interp.drawing.whole import frame_note, within_wholes
from mlflow_interp.kinds.caricature.difference import CaricatureDifference
from mlflow_interp.kinds.caricature.tiles import make_tiles, measures_of

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
    framed = within_wholes(tiles, result.examples.wholes, ("image",))
    return draw_grid(
        title,
        _strips(result, framed),
        headings=tiles.headings,
        caption=caption(_meaning(result) + frame_note(result.examples.wholes), result),
        names=names_of(result.examples),
    )


def draw_panel(axes: Any, result: CaricatureResult | CaricatureDifference, panel: int | str) -> None:
    """Draw one input, given by its row or name, into axes: its image and its caricatures."""
    position = find_shown(panel, result.examples)
    tiles = make_tiles(result, [position])
    tiles = within_wholes(tiles, result.examples.wholes, ("image",), positions=[position])
    draw_strip(axes, _strips(result, tiles)[0], tiles.headings)


def _meaning(result: CaricatureResult | CaricatureDifference) -> str:
    """What is drawn, in a sentence or two."""
    if isinstance(result, CaricatureDifference):
        return (
            "Caricatures by two models at the same layers, with the cosine of the activations of caricature "
            "and input, and in brackets the first cosine minus the second. Drawn with softer contrasts."
        )
    others = np.isfinite(result.baseline_cosines).any()
    return (
        f"Caricatures at {', '.join(result.layers)}: images that are optimised to exaggerate what the layer "
        "holds of the input, with the cosine of the activations of caricature and input"
        f"{' (and the mean cosine of other inputs)' if others else ''}. Drawn with softer contrasts."
    )


def _strips(result: CaricatureResult | CaricatureDifference, tiles: Tiles) -> list[Strip]:
    names = result.examples.names
    strips = []
    for row, pixels in zip(tiles.rows, tiles.pixels, strict=True):
        measures = measures_of(result, row)
        # Those of a layer stand below its own tile; an image has none.
        captions: list[list[tuple[str, str]]] = [[]] * (len(pixels) - len(measures))
        captions += measures
        strips.append(Strip(names[row], pixels, [], captions))
    return strips
