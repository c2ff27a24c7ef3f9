"""Saliency maps beside their picture: a grid to look at, a page to walk through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.core import MOST_PICTURES
from mlflow_interp.exceptions import OptionError
from mlflow_interp.figures import style
from mlflow_interp.figures.grid import Strip, draw_grid, enlarged, page_facts, prediction_lines
from mlflow_interp.figures.panels import Panels, rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.methods.saliency import SaliencyResult

HEADINGS = ("picture", "× SmoothGrad", "gradients", "SmoothGrad", "integrated gradients")


def draw(result: SaliencyResult, *, colormap: str = "gray", percentile: float = 99.0) -> Figure:
    """Draw picture, picture filtered by SmoothGrad, and the three maps side by side.

    Args:
        result: Maps of any number of inputs; the first 64 are drawn.
        colormap: The matplotlib colormap of the maps.
        percentile: Of a map's values, what is drawn as its strongest; the few above are cut off.

    Raises:
        OptionError: no such colormap, or a percentile out of range.
    """
    if not 0 < percentile <= 100:
        raise OptionError(f"percentile is {percentile}; give a number above 0, up to 100")
    colours = style.find_colormap(colormap)
    strips = [
        Strip(
            name,
            list(_tiles(result, index, colours, percentile).values()),
            prediction_lines(result.explained, index),
        )
        for index, name in enumerate(result.examples.names[:MOST_PICTURES])
    ]
    title = style.with_count("Saliency", result.examples)
    headings = HEADINGS[-len(strips[0].tiles) :]
    return draw_grid(title, strips, headings=headings, bar=(colours, f"share of {percentile:g}th percentile"))


def strength(values: np.ndarray, percentile: float) -> np.ndarray:
    """A map (…, channels) as one (…) in 0..1: absolute values summed over channels, cut at a percentile."""
    summed = np.abs(values).sum(axis=-1)
    peak = np.percentile(summed, percentile) or summed.max() or 1.0
    return np.asarray(np.clip(summed / peak, 0, 1))


def _tiles(result: SaliencyResult, index: int, colours: Any, percentile: float) -> dict[str, np.ndarray]:
    """By heading, (h, w, 3) uint8; without a picture the maps alone."""
    maps = [result.gradients[index], result.smooth_gradients[index], result.integrated_gradients[index]]
    pictures = result.examples.pictures
    picture = None if pictures is None else pictures[index]
    planes = [strength(_as_plane(each, picture), percentile) for each in maps]
    drawn = [enlarged(np.asarray(colours(plane, bytes=True)[..., :3])) for plane in planes]
    if picture is None:
        return dict(zip(HEADINGS[2:], drawn, strict=True))
    filtered = np.rint(picture * planes[1][..., np.newaxis]).astype(np.uint8)
    return dict(zip(HEADINGS, [enlarged(picture), enlarged(filtered), *drawn], strict=True))


def _as_plane(values: np.ndarray, picture: np.ndarray | None) -> np.ndarray:
    """A map of any rank as (height, width, channels): channels last, vectors and signals as one row."""
    if (
        picture is not None
        and values.shape[:2] != picture.shape[:2]
        and values.shape[1:] == picture.shape[:2]
    ):
        return np.moveaxis(values, 0, -1)
    if picture is not None:
        return values
    if values.ndim == 1:
        return values[np.newaxis, :, np.newaxis]
    if values.ndim == 2:
        return values.T[..., np.newaxis]
    return values if values.ndim == 3 else values.reshape(values.shape[0], -1, values.shape[-1])


def page(result: SaliencyResult, *, colormap: str = "gray", percentile: float = 99.0) -> str:
    """A page that opens offline: the tiles of one input large, all inputs as thumbnails."""
    colours, examples = style.find_colormap(colormap), result.examples
    shown = min(len(examples), MOST_PICTURES)
    rows = []
    for index in range(shown):
        tiles = _tiles(result, index, colours, percentile)
        images = [[name, style.data_uri(tile, most=224)] for name, tile in tiles.items()]
        rows.append(page_facts(result.explained, index) | {"tiles": images})
    return style.render("gallery.html", "gallery.js", title="Saliency", more=len(examples) - shown, data=rows)


def panels(result: SaliencyResult, *, colormap: str = "gray", percentile: float = 99.0) -> Panels:
    """The three maps of each input."""
    colours, shown = style.find_colormap(colormap), range(min(len(result.examples), MOST_PICTURES))
    gap = float(np.median(result.completeness_gaps))
    tiles = [list(_tiles(result, at, colours, percentile).items())[-3:] for at in shown]
    return Panels(
        title="Saliency",
        headline=f"integrated gradients miss what they should sum to by {gap:.1%} (median)",
        inputs=rows(result.examples, tiles=tiles, targets=result.explained.targets),
    )
