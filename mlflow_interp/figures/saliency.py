"""Saliency maps beside their picture: a grid to look at, a page to walk through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.exceptions import OptionError
from mlflow_interp.figures import style
from mlflow_interp.figures.grid import Strip, draw_grid, enlarged, page_facts, prediction_lines, reduced
from mlflow_interp.figures.inputs import draw_bars, draw_input
from mlflow_interp.figures.panels import Panels, rows
from mlflow_interp.results import MOST_PICTURES

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
    """By heading, (h, w, 3) uint8; of what is no picture the maps alone."""
    maps = [result.gradients[index], result.smooth_gradients[index], result.integrated_gradients[index]]
    if result.examples.pictures is None:
        drawn = [_on_input(result, index, each, colours, percentile) for each in maps]
        return dict(zip(HEADINGS[2:], drawn, strict=True))
    picture = result.examples.pictures[index]
    planes = [reduced(strength(_channels_last(each, picture), percentile)) for each in maps]
    picture = reduced(picture)
    filtered = np.rint(picture * planes[1][..., np.newaxis]).astype(np.uint8)
    drawn = [enlarged(np.asarray(colours(plane, bytes=True)[..., :3])) for plane in planes]
    return dict(zip(HEADINGS, [enlarged(picture), enlarged(filtered), *drawn], strict=True))


def _on_input(
    result: SaliencyResult, index: int, values: np.ndarray, colours: Any, percentile: float
) -> np.ndarray:
    """A map over what is no picture, (h, w, 3) uint8; the signs of a table's are kept."""
    given = None if result.examples.values is None else result.examples.values[index]
    if values.ndim > 1:
        return draw_input(given, strength(values, percentile), colours, opacity=None)
    peak = np.percentile(np.abs(values), percentile) or np.abs(values).max() or 1.0
    return draw_bars(given, np.clip(values / peak, -1, 1), colours)


def _channels_last(values: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """A map of a picture as (height, width, channels)."""
    first = values.ndim == 3 and values.shape[:2] != picture.shape[:2] == values.shape[1:]
    values = np.moveaxis(values, 0, -1) if first else values
    return values if values.ndim == 3 else values[..., np.newaxis]


def page(result: SaliencyResult, *, colormap: str = "gray", percentile: float = 99.0) -> str:
    """A page that opens offline: the tiles of one input large, all inputs as thumbnails."""
    colours, examples = style.find_colormap(colormap), result.examples
    shown = min(len(examples), MOST_PICTURES)
    rows = []
    for index in range(shown):
        tiles = _tiles(result, index, colours, percentile)
        most = 224 if examples.pictures is not None else 480
        images = [[name, style.data_uri(tile, most=most)] for name, tile in tiles.items()]
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
