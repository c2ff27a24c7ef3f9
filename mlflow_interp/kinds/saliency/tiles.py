"""Saliency maps next to their image, as tiles for figure, page and view."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.core.calls import Call
from mlflow_interp.drawing import style
from mlflow_interp.drawing.grid import enlarged, reduced
from mlflow_interp.drawing.input_tiles import draw_bars, draw_input
from mlflow_interp.drawing.sheet import labelled, lay_heat, scaled_parts
from mlflow_interp.drawing.tiles import Tiles

if TYPE_CHECKING:
    from mlflow_interp.core.image_arrays import ImagePart
    from mlflow_interp.kinds.saliency.result import SaliencyResult

#: The heading of each map.
HEADINGS = {
    "gradients": "gradients",
    "smooth_gradients": "SmoothGrad",
    "integrated_gradients": "integrated gradients",
    "gradients_times_inputs": "gradient × input",
}
PRODUCT = "× SmoothGrad"  # the heading of the image times this map
PRODUCT_PERCENTILE = 90.0  # of the map, from which on the product shows the image as it is


def make_tiles(
    result: SaliencyResult,
    positions: Iterable[int] | None = None,
    *,
    colormap: str = "gray",
    percentile: float = 99.0,
) -> Tiles:
    """The image, the image filtered by SmoothGrad and the maps; only the maps if inputs are not images.

    Args:
        result: the maps.
        positions: positions in `shown_rows`; by default all.
        colormap: see `figure.draw`.
        percentile: see `figure.draw`.

    Raises:
        OptionError: no such colormap.
    """
    colours = style.find_colormap(colormap)
    names = [HEADINGS[name] for name in result.maps]
    headings = names if result.examples.images is None else ["image", PRODUCT, *names]
    make = partial(_tiles, result, colours=colours, percentile=percentile)
    return Tiles.of(result.examples.shown_rows, positions, headings, make)


def _tiles(
    result: SaliencyResult, position: int, row: int, *, colours: Any, percentile: float
) -> list[np.ndarray]:
    maps = [each[row] for each in result.maps.values()]
    images, parts = result.examples.images, result.examples.parts
    if images is not None and parts:
        return _on_sheet(images[position], parts, maps, colours, percentile)
    if images is not None:
        return _on_image(images[position], maps, colours, percentile)
    values = None if result.examples.values is None else result.examples.values[position]
    return [_on_input(values, each, colours, percentile) for each in maps]


def strength(values: np.ndarray, percentile: float) -> np.ndarray:
    """A map (…, channels) as one (…) in 0..1: absolute values summed over channels, cut at a percentile."""
    summed = np.abs(values).sum(axis=-1)
    peak = np.percentile(summed, percentile) or summed.max() or 1.0
    return np.asarray(np.clip(summed / peak, 0, 1))


def times(image: np.ndarray, plane: np.ndarray) -> np.ndarray:
    """An image (h, w, 3) uint8 that is darker the lower a map (h, w) in 0..1 is.

    The map is clipped at its `PRODUCT_PERCENTILE`: an image times the map itself would be nearly black.
    """
    peak = np.percentile(plane, PRODUCT_PERCENTILE) or plane.max() or 1.0
    return np.asarray(np.rint(image * np.clip(plane / peak, 0, 1)[..., np.newaxis]).astype(np.uint8))


def _on_image(image: np.ndarray, maps: list[np.ndarray], colours: Any, percentile: float) -> list[np.ndarray]:
    planes = [reduced(strength(_channels_last(values, image), percentile)) for values in maps]
    image = reduced(image)
    filtered = times(image, planes[1])
    tiles = [enlarged(np.asarray(colours(plane, bytes=True)[..., :3])) for plane in planes]
    return [enlarged(image), enlarged(filtered), *tiles]


def _on_sheet(
    sheet: np.ndarray, parts: Sequence[ImagePart], maps: list[np.ndarray], colours: Any, percentile: float
) -> list[np.ndarray]:
    """Maps (frames, height, width, channels) of a video or volume, next to its frames."""
    strengths = [strength(values, percentile) for values in maps]
    planes = [lay_heat([(Call(), each)], parts, sheet.shape[:2])[0] for each in strengths]
    filtered = times(sheet, planes[1])
    tiles = [sheet, filtered, *(np.asarray(colours(plane, bytes=True)[..., :3]) for plane in planes)]
    return [labelled(enlarged(tile), scaled_parts(parts, len(enlarged(tile)) // len(tile))) for tile in tiles]


def _on_input(input_: np.ndarray | None, values: np.ndarray, colours: Any, percentile: float) -> np.ndarray:
    """A map over an input that is not an image, (h, w, 3) uint8; maps of tables keep their signs."""
    if values.ndim > 1:
        return draw_input(input_, strength(values, percentile), colours, opacity=None)
    peak = np.percentile(np.abs(values), percentile) or np.abs(values).max() or 1.0
    return draw_bars(input_, np.clip(values / peak, -1, 1), colours)


def _channels_last(values: np.ndarray, image: np.ndarray) -> np.ndarray:
    """A map of an image as (height, width, channels)."""
    channels_first = values.ndim == 3 and values.shape[:2] != image.shape[:2] == values.shape[1:]
    values = np.moveaxis(values, 0, -1) if channels_first else values
    return values if values.ndim == 3 else values[..., np.newaxis]
