"""The page of heatmaps: one image large, the heat under a slider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.core.examples import MOST_IMAGES
from mlflow_interp.drawing import style
from mlflow_interp.drawing.grid import page_facts
from mlflow_interp.drawing.overlay import relative, resize_map
from mlflow_interp.drawing.page import render
from mlflow_interp.kinds.heatmap.tiles import is_on_image, tiles_of

if TYPE_CHECKING:
    from mlflow_interp.kinds.heatmap.result import HeatmapResult


def page(result: HeatmapResult, *, colormap: str = "inferno", opacity: float = 0.7) -> str:
    """A page that opens offline: one image large, all as thumbnails, the heat's opacity on a slider."""
    colours = style.find_colormap(colormap)
    count = min(len(result.examples), MOST_IMAGES)
    return render(
        "kinds/heatmap/page.html",
        "kinds/heatmap/page.js",
        title=f"Grad-CAM at {result.layer}",
        more=len(result.examples) - count,
        opacity=round(100 * opacity),
        data=[
            page_facts(result.explained, index) | _images(result, index, colours, opacity)
            for index in range(count)
        ],
    )


def _images(result: HeatmapResult, index: int, colours: Any, opacity: float) -> dict[str, str | None]:
    if not is_on_image(result):
        tile = tiles_of(result, index, colours, opacity)[0]
        return {"picture": None, "heat": style.data_uri(tile, lossless=True, most=480)}
    heat = relative(result.heatmaps[index : index + 1])[0]
    image = np.asarray(result.examples.images)[index]
    height, width = image.shape[:2]
    # Smooth as in the figure, but small: the browser enlarges it further.
    scale = 112 / max(height, width)
    heat = np.clip(resize_map(heat, max(1, round(height * scale)), max(1, round(width * scale))), 0, 1)
    tinted = colours(heat, bytes=True)
    tinted[..., 3] = np.rint(heat * 255)
    return {"picture": style.data_uri(image), "heat": style.data_uri(tinted, lossless=True)}
