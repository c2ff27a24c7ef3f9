"""The page of caricatures: the tiles of one input large, all inputs as thumbnails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_interp.core.examples import MOST_IMAGES
from mlflow_interp.drawing import style
from mlflow_interp.drawing.page import render
from mlflow_interp.kinds.caricature.tiles import notes_of, tiles_of

if TYPE_CHECKING:
    from mlflow_interp.kinds.caricature.result import CaricatureResult


def page(result: CaricatureResult) -> str:
    """A page that opens offline: the tiles of one input large, all inputs as thumbnails."""
    count = min(len(result.examples), MOST_IMAGES)
    rows = [
        {
            "name": result.examples.names[index],
            "tiles": [
                [name, style.data_uri(tile, most=320)] for name, tile in tiles_of(result, index).items()
            ],
            "notes": [text for text, _ in notes_of(result, index)],
        }
        for index in range(count)
    ]
    more = len(result.examples) - count
    return render("drawing/gallery.html", "drawing/gallery.js", title="Caricature", more=more, data=rows)
