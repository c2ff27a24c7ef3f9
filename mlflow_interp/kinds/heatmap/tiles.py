"""An image under its heatmap, as tiles for figure, page and view."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.grid import enlarged
from mlflow_interp.drawing.input_tiles import draw_bars, draw_input
from mlflow_interp.drawing.overlay import overlay, relative
from mlflow_interp.drawing.sheet import Heats, count_layers, labelled, lay_heat, scaled_parts
from mlflow_interp.drawing.tiles import Tiles

if TYPE_CHECKING:
    from mlflow_interp.core.image_arrays import ImagePart
    from mlflow_interp.kinds.heatmap.result import HeatmapResult


def make_tiles(
    result: HeatmapResult,
    positions: Iterable[int] | None = None,
    *,
    colormap: str = "inferno",
    opacity: float = 0.7,
) -> Tiles:
    """Image and overlay of each shown input; the input with its heat if it is not an image.

    Args:
        result: the heatmaps.
        positions: positions in `shown_rows`; by default all.
        colormap: see `figure.draw`.
        opacity: see `figure.draw`.

    Raises:
        OptionError: no such colormap.
    """
    colours = heat_colours(result, colormap)
    make = partial(_tiles, result, colours=colours, opacity=opacity)
    return Tiles.of(result.examples.shown_rows, positions, _headings(result), make)


def _headings(result: HeatmapResult) -> list[str]:
    overlays = _layers_on_image(result)
    if not overlays:
        return [result.title]
    return ["image", *([result.title] if overlays == 1 else [f"call {call.number}" for call in result.calls])]


def _tiles(
    result: HeatmapResult, position: int, row: int, *, colours: Any, opacity: float
) -> list[np.ndarray]:
    if not _layers_on_image(result):
        values = result.examples.values
        value = None if values is None else np.asarray(values[position])
        if result.is_table:
            return [draw_bars(value, heat_of(result, row), colours, signed=not result.relu)]
        # Calls of signals and texts are drawn below each other.
        calls = [
            draw_input(value, each, colours, opacity=opacity)
            for each in _by_call(result, heat_of(result, row))
        ]
        return [np.concatenate(calls)]
    pixels = np.asarray(result.examples.images)[position]
    image = enlarged(pixels)
    parts = scaled_parts(result.examples.parts, len(image) // len(pixels))
    tiles = [
        overlay(image, layer, colours(layer)[..., :3], opacity)
        for layer in heat_layers(result, row, parts, image.shape[:2])
    ]
    return [labelled(tile, parts) for tile in (image, *tiles)]


def heat_layers(
    result: HeatmapResult, row: int, parts: Sequence[ImagePart], size: tuple[int, int]
) -> list[np.ndarray]:
    """The heat of an input on its images, see `lay_heat`."""
    return lay_heat(_heats(result, heat_of(result, row)), parts, size)


def _heats(result: HeatmapResult, heat: np.ndarray) -> Heats:
    return list(zip(result.calls, _by_call(result, heat), strict=True))


def _by_call(result: HeatmapResult, heat: np.ndarray) -> list[np.ndarray]:
    return [heat] if len(result.calls) == 1 else list(heat)


def _layers_on_image(result: HeatmapResult) -> int:
    """The number of layers of heat over the images of an input; 0 if it is drawn without images."""
    if result.examples.images is None or not len(result.heatmaps):
        return 0
    return count_layers(_heats(result, result.heatmaps[0]), result.examples.parts)


def is_one_layer(result: HeatmapResult) -> bool:
    """Whether there is a single layer of heat over the images of an input."""
    return _layers_on_image(result) == 1


def heat_of(result: HeatmapResult, row: int) -> np.ndarray:
    """The heat of an input relative to its strongest heat: in 0..1, or -1..1 if signs are drawn."""
    return np.asarray(relative(result.drawn[row : row + 1])[0])


def heat_colours(result: HeatmapResult, colormap: str) -> Any:
    """The colours of heat: a function of values in 0..1, or in -1..1 if signs are drawn."""
    if result.relu:
        return style.find_colormap(colormap)
    diverging = style.diverging_colormap(colormap)
    return lambda heat, **settings: diverging((np.asarray(heat) + 1) / 2, **settings)
