"""Saliency maps beside their image, as tiles for figure, page and view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.drawing.grid import enlarged, reduced
from mlflow_interp.drawing.input_tiles import draw_bars, draw_input

if TYPE_CHECKING:
    from mlflow_interp.kinds.saliency.result import SaliencyResult

HEADINGS = ("picture", "× SmoothGrad", "gradients", "SmoothGrad", "integrated gradients")


def strength(values: np.ndarray, percentile: float) -> np.ndarray:
    """A map (…, channels) as one (…) in 0..1: absolute values summed over channels, cut at a percentile."""
    summed = np.abs(values).sum(axis=-1)
    peak = np.percentile(summed, percentile) or summed.max() or 1.0
    return np.asarray(np.clip(summed / peak, 0, 1))


def tiles_of(result: SaliencyResult, index: int, colours: Any, percentile: float) -> dict[str, np.ndarray]:
    """By heading, (h, w, 3) uint8; only the maps where inputs are not images."""
    maps = [result.gradients[index], result.smooth_gradients[index], result.integrated_gradients[index]]
    if result.examples.images is None:
        tiles = [_on_input(result, index, values, colours, percentile) for values in maps]
        return dict(zip(HEADINGS[2:], tiles, strict=True))
    image = result.examples.images[index]
    planes = [reduced(strength(_channels_last(values, image), percentile)) for values in maps]
    image = reduced(image)
    filtered = np.rint(image * planes[1][..., np.newaxis]).astype(np.uint8)
    tiles = [enlarged(np.asarray(colours(plane, bytes=True)[..., :3])) for plane in planes]
    return dict(zip(HEADINGS, [enlarged(image), enlarged(filtered), *tiles], strict=True))


def _on_input(
    result: SaliencyResult, index: int, values: np.ndarray, colours: Any, percentile: float
) -> np.ndarray:
    """A map over an input that is not an image, (h, w, 3) uint8; maps of tables keep their signs."""
    input_ = None if result.examples.values is None else result.examples.values[index]
    if values.ndim > 1:
        return draw_input(input_, strength(values, percentile), colours, opacity=None)
    peak = np.percentile(np.abs(values), percentile) or np.abs(values).max() or 1.0
    return draw_bars(input_, np.clip(values / peak, -1, 1), colours)


def _channels_last(values: np.ndarray, image: np.ndarray) -> np.ndarray:
    """A map of an image as (height, width, channels)."""
    channels_first = values.ndim == 3 and values.shape[:2] != image.shape[:2] == values.shape[1:]
    values = np.moveaxis(values, 0, -1) if channels_first else values
    return values if values.ndim == 3 else values[..., np.newaxis]
