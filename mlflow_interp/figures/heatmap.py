"""Heatmaps over their pictures: a grid to look at, a page to play with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.arrays import overlay, relative, resize_map
from mlflow_interp.exceptions import OptionError
from mlflow_interp.figures import style
from mlflow_interp.figures.grid import Strip, draw_grid, enlarged, page_facts, prediction_lines
from mlflow_interp.figures.inputs import draw_input
from mlflow_interp.figures.panels import Panels, rows
from mlflow_interp.results import MOST_PICTURES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.methods.gradcam import HeatmapResult


def draw(result: HeatmapResult, *, colormap: str = "inferno", opacity: float = 0.7) -> Figure:
    """Draw each picture beside itself under its heatmap, with the three best predictions.

    Args:
        result: Heatmaps of any number of inputs; the first 64 are drawn.
        colormap: The matplotlib colormap of the heat; the default is perceptually uniform.
        opacity: How much of the picture the strongest heat covers, from 0 to 1. No heat covers nothing.

    Raises:
        OptionError: no such colormap, or an opacity out of range.
    """
    if not 0 <= opacity <= 1:
        raise OptionError(f"opacity is {opacity}; give a number from 0 to 1")
    colours = style.find_colormap(colormap)
    strips = [
        Strip(name, _tiles(result, index, colours, opacity), prediction_lines(result.explained, index))
        for index, name in enumerate(result.examples.names[:MOST_PICTURES])
    ]
    title = style.with_count(f"Grad-CAM at {result.layer}", result.examples)
    return draw_grid(title, strips, bar=(colours, "share of strongest heat"))


def _tiles(result: HeatmapResult, index: int, colours: Any, opacity: float) -> list[np.ndarray]:
    """Picture and overlay; of what is no picture, the input under its heat."""
    heat = relative(result.heatmaps[index : index + 1])[0]
    if not _on_pictures(result):
        return [draw_input(_values(result, index), heat, colours, opacity=opacity)]
    picture = enlarged(np.asarray(result.examples.pictures)[index])
    heat = np.clip(resize_map(heat, *picture.shape[:2]), 0, 1)
    return [picture, overlay(picture, heat, colours(heat)[..., :3], opacity)]


def _on_pictures(result: HeatmapResult) -> bool:
    return result.examples.pictures is not None and result.heatmaps.ndim == 3


def _values(result: HeatmapResult, index: int) -> np.ndarray | None:
    values = result.examples.values
    return None if values is None else np.asarray(values[index])


def page(result: HeatmapResult, *, colormap: str = "inferno", opacity: float = 0.7) -> str:
    """A page that opens offline: one picture large, all as thumbnails, the heat's opacity on a slider."""
    colours, examples = style.find_colormap(colormap), result.examples
    shown = min(len(examples), MOST_PICTURES)
    return style.render(
        "heatmap.html",
        "heatmap.js",
        title=f"Grad-CAM at {result.layer}",
        more=len(examples) - shown,
        opacity=round(100 * opacity),
        data=[
            page_facts(result.explained, index) | _images(result, index, colours, opacity)
            for index in range(shown)
        ],
    )


def _images(result: HeatmapResult, index: int, colours: Any, opacity: float) -> dict[str, str | None]:
    if not _on_pictures(result):
        tile = _tiles(result, index, colours, opacity)[0]
        return {"picture": None, "heat": style.data_uri(tile, lossless=True, most=480)}
    heat = relative(result.heatmaps[index : index + 1])[0]
    picture = np.asarray(result.examples.pictures)[index]
    high, wide = picture.shape[:2]
    # Smooth as in the figure, at a size that stays small: browsers scale the rest of the way.
    scale = 112 / max(high, wide)
    heat = np.clip(resize_map(heat, max(1, round(high * scale)), max(1, round(wide * scale))), 0, 1)
    tinted = colours(heat, bytes=True)
    tinted[..., 3] = np.rint(heat * 255)
    return {"picture": style.data_uri(picture), "heat": style.data_uri(tinted, lossless=True)}


def panels(result: HeatmapResult, *, colormap: str = "inferno", opacity: float = 0.7) -> Panels:
    """Each picture under its heatmap."""
    colours, shown = style.find_colormap(colormap), range(min(len(result.examples), MOST_PICTURES))
    focus = result.metrics().get("focus")
    return Panels(
        title=f"Grad-CAM at {result.layer}",
        headline="no heat anywhere"
        if focus is None
        else f"half of the heat lies on {focus:.0%} of a picture",
        inputs=rows(
            result.examples,
            tiles=[[("Grad-CAM", _tiles(result, at, colours, opacity)[-1])] for at in shown],
            targets=result.explained.targets,
        ),
    )
