"""An image under its heatmap, as tiles for figure, page and view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.drawing.grid import enlarged
from mlflow_interp.drawing.input_tiles import draw_input
from mlflow_interp.drawing.overlay import overlay, relative, resize_map

if TYPE_CHECKING:
    from mlflow_interp.kinds.heatmap.result import HeatmapResult


def tiles_of(result: HeatmapResult, index: int, colours: Any, opacity: float) -> list[np.ndarray]:
    """Image and overlay; the input with its heat where it is not an image."""
    heat = relative(result.heatmaps[index : index + 1])[0]
    if not is_on_image(result):
        values = None if result.examples.values is None else np.asarray(result.examples.values[index])
        return [draw_input(values, heat, colours, opacity=opacity)]
    image = enlarged(np.asarray(result.examples.images)[index])
    heat = np.clip(resize_map(heat, *image.shape[:2]), 0, 1)
    return [image, overlay(image, heat, colours(heat)[..., :3], opacity)]


def is_on_image(result: HeatmapResult) -> bool:
    """Whether inputs are images, so that heatmaps are drawn over them."""
    return result.examples.images is not None and result.heatmaps.ndim == 3
