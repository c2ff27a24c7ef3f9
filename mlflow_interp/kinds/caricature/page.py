"""The page of caricatures: the tiles of one input at full size, all inputs as thumbnails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_interp.drawing import style
from mlflow_interp.drawing.page import render
from mlflow_interp.kinds.caricature.tiles import make_tiles, notes_of

if TYPE_CHECKING:
    from mlflow_interp.drawing.tiles import Tiles
    from mlflow_interp.kinds.caricature.result import CaricatureResult


def page(result: CaricatureResult, tiles: Tiles | None = None) -> str:
    """A page that works offline: the tiles of one input at full size, all inputs as thumbnails."""
    tiles = tiles or make_tiles(result)
    return render(
        "drawing/gallery.html",
        "drawing/gallery.js",
        title=result.title,
        shown=style.shown_of(result.examples),
        data=[
            {
                "name": result.examples.names[row],
                "tiles": [[heading, style.data_uri(tile)] for heading, tile in captioned],
                "notes": [text for text, _ in notes_of(result, row)],
            }
            for row, captioned in zip(tiles.rows, tiles.captioned(), strict=True)
        ],
    )
