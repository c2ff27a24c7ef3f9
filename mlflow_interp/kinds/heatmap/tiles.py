"""An image under its heatmap, as tiles for figure, page and view."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.grid import enlarged
from mlflow_interp.drawing.input_tiles import draw_input
from mlflow_interp.drawing.overlay import overlay, relative, resize_map
from mlflow_interp.drawing.tiles import Tiles

if TYPE_CHECKING:
    from mlflow_interp.kinds.heatmap.result import HeatmapResult


def make_tiles(
    result: HeatmapResult,
    positions: Iterable[int] | None = None,
    *,
    colormap: str = "inferno",
    opacity: float = 0.7,
) -> Tiles:
    """Image and overlay of each input that is shown; the input with its heat where it is not an image.

    Args:
        result: the heatmaps.
        positions: positions in `shown_rows`; by default all.
        colormap: see `figure.draw`.
        opacity: see `figure.draw`.

    Raises:
        OptionError: no such colormap.
    """
    colours = heat_colours(result, colormap)
    headings = ("image", result.title) if is_on_image(result) else (result.title,)
    make = partial(_tiles, result, colours=colours, opacity=opacity)
    return Tiles.of(result.examples.shown_rows, positions, headings, make)


def _tiles(
    result: HeatmapResult, position: int, row: int, *, colours: Any, opacity: float
) -> list[np.ndarray]:
    heat = heat_of(result, row)
    if not is_on_image(result):
        values = result.examples.values
        return [
            draw_input(
                None if values is None else np.asarray(values[position]), heat, colours, opacity=opacity
            )
        ]
    image = enlarged(np.asarray(result.examples.images)[position])
    heat = np.clip(resize_map(heat, *image.shape[:2]), -1, 1)
    return [image, overlay(image, heat, colours(heat)[..., :3], opacity)]


def heat_of(result: HeatmapResult, row: int) -> np.ndarray:
    """What is drawn of an input, relative to its strongest heat: in 0..1, or -1..1 where signs are drawn."""
    return np.asarray(relative(result.drawn[row : row + 1])[0])


def heat_colours(result: HeatmapResult, colormap: str) -> Any:
    """The colours of heat: a function of values in 0..1, or in -1..1 where signs are drawn."""
    if result.relu:
        return style.find_colormap(colormap)
    diverging = style.diverging_colormap(colormap)
    return lambda heat, **settings: diverging((np.asarray(heat) + 1) / 2, **settings)


def is_on_image(result: HeatmapResult) -> bool:
    """Whether inputs are images, so that heatmaps are drawn over them."""
    return result.examples.images is not None and result.heatmaps.ndim == 3
