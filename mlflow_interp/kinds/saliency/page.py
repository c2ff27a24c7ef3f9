"""The page of saliency maps: the tiles of one input large, all inputs as thumbnails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_interp.core.examples import MOST_IMAGES
from mlflow_interp.drawing import style
from mlflow_interp.drawing.grid import page_facts
from mlflow_interp.drawing.page import render
from mlflow_interp.kinds.saliency.tiles import tiles_of

if TYPE_CHECKING:
    from mlflow_interp.kinds.saliency.result import SaliencyResult


def page(result: SaliencyResult, *, colormap: str = "gray", percentile: float = 99.0) -> str:
    """A page that opens offline: the tiles of one input large, all inputs as thumbnails."""
    colours = style.find_colormap(colormap)
    examples = result.examples
    count = min(len(examples), MOST_IMAGES)
    most = 224 if examples.images is not None else 480
    rows = []
    for index in range(count):
        tiles = tiles_of(result, index, colours, percentile)
        images = [[name, style.data_uri(tile, most=most)] for name, tile in tiles.items()]
        rows.append(page_facts(result.explained, index) | {"tiles": images})
    return render(
        "drawing/gallery.html", "drawing/gallery.js", title="Saliency", more=len(examples) - count, data=rows
    )
