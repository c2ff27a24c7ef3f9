"""The page of saliency maps: the tiles of one input at full size, all inputs as thumbnails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_interp.drawing import style
from mlflow_interp.drawing.grid import page_facts
from mlflow_interp.drawing.page import render
from mlflow_interp.kinds.saliency.figure import title_of
from mlflow_interp.kinds.saliency.tiles import make_tiles

if TYPE_CHECKING:
    from mlflow_interp.drawing.tiles import Tiles
    from mlflow_interp.kinds.saliency.result import SaliencyResult


def page(
    result: SaliencyResult, tiles: Tiles | None = None, *, colormap: str = "gray", percentile: float = 99.0
) -> str:
    """A page that works offline: the tiles of one input at full size, all inputs as thumbnails."""
    tiles = tiles or make_tiles(result, colormap=colormap, percentile=percentile)
    most = 224 if result.examples.images is not None else 480
    return render(
        "drawing/gallery.html",
        "drawing/gallery.js",
        title=title_of(result),
        shown=style.shown_of(result.examples),
        data=[
            page_facts(result.explained, row)
            | {"tiles": [[heading, style.data_uri(tile, most=most)] for heading, tile in captioned]}
            for row, captioned in zip(tiles.rows, tiles.captioned(), strict=True)
        ],
    )
