"""The page of heatmaps: one large image, with a slider for the heat's opacity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.grid import page_facts
from mlflow_interp.drawing.page import render
from mlflow_interp.drawing.sheet import labelled, scaled_parts
from mlflow_interp.drawing.whole import frame_note, framed, surrounded
from mlflow_interp.kinds.heatmap.figure import title_of
from mlflow_interp.kinds.heatmap.tiles import heat_colours, heat_layers, is_one_layer, make_tiles

if TYPE_CHECKING:
    from mlflow_interp.drawing.tiles import Tiles
    from mlflow_interp.kinds.heatmap.result import HeatmapResult

_HEAT_SIDE = 112  # pixels: smooth, but small, as the browser enlarges it further
_WHOLE_SIDE = 448  # pixels at most of a whole image, so that the crop in it is about as sharp as without


def page(
    result: HeatmapResult, tiles: Tiles | None = None, *, colormap: str = "inferno", opacity: float = 0.7
) -> str:
    """A page that works offline: one large image, all as thumbnails, a slider for the heat's opacity."""
    if is_one_layer(result):
        images = [
            _image_and_heat(result, *pair, heat_colours(result, colormap))
            for pair in enumerate(result.examples.shown_rows.tolist())
        ]
    else:
        tiles = tiles or make_tiles(result, colormap=colormap, opacity=opacity)
        images = [
            {"picture": None, "heat": style.data_uri(np.concatenate(each, axis=1), lossless=True, most=480)}
            for each in tiles.pixels
        ]
    rows = result.examples.shown_rows.tolist()
    return render(
        "kinds/heatmap/page.html",
        "kinds/heatmap/page.js",
        title=title_of(result),
        shown=style.shown_of(result.examples),
        opacity=round(100 * opacity),
        frame=frame_note(result.examples.wholes),
        data=[page_facts(result.explained, row) | pair for row, pair in zip(rows, images, strict=True)],
    )


def _image_and_heat(result: HeatmapResult, position: int, row: int, colours: Any) -> dict[str, str | None]:
    """The image, whole if it is cropped, and its heat as colours that are transparent where there is none."""
    image = np.asarray(result.examples.images)[position]
    parts = result.examples.parts
    whole = result.examples.wholes[position] if result.examples.wholes else None
    height, width = image.shape[:2]
    # Each of several images needs as many pixels as a single image.
    largest = max(parts[0].box[2:]) if parts else max(height, width)
    scale = _HEAT_SIDE / largest
    size = max(1, round(height * scale)), max(1, round(width * scale))
    (heat,) = heat_layers(result, row, scaled_parts(parts, scale), size)
    tinted = colours(heat, bytes=True)
    tinted[..., 3] = np.rint(np.abs(heat) * 255)
    picture = labelled(image, parts)
    return {
        "picture": style.data_uri(picture)
        if whole is None
        else style.data_uri(framed(picture, whole), most=_WHOLE_SIDE),
        "heat": style.data_uri(tinted if whole is None else surrounded(tinted, whole), lossless=True),
    }
