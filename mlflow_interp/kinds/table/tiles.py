"""The mean heatmaps of a table as tiles, for figure and page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.drawing import style
from mlflow_interp.drawing.input_tiles import draw_input
from mlflow_interp.drawing.overlay import relative, resize_map

if TYPE_CHECKING:
    from mlflow_interp.kinds.table.heatmaps import ClassHeatmaps
    from mlflow_interp.kinds.table.result import TableResult

MOST_CLASSES = 8
SIDE = 320  # pixels of a tile
ALL = UNKNOWN  # stands for all classes


@dataclass(frozen=True, eq=False)
class MeanTile:
    """A mean heatmap.

    Attributes:
        label: the explained class, `ALL` for all of them.
        name: its name.
        count: the number of heatmaps.
        pixels: (h, w, 3) uint8.
    """

    label: int
    name: str
    count: int
    pixels: np.ndarray


def make_tiles(result: TableResult, *, colormap: str = "inferno") -> list[list[MeanTile]]:
    """For each method, the mean of all heatmaps, and those of the most frequent classes.

    Without the first if a single class is explained, whose mean is the same.

    Raises:
        OptionError: no such colormap.
    """
    return [_tiles(result, each, colormap) for each in result.heatmaps]


def _tiles(result: TableResult, heatmaps: ClassHeatmaps, colormap: str) -> list[MeanTile]:
    colours = heat_colours(heatmaps, colormap)
    rows = np.lexsort((heatmaps.classes, -heatmaps.counts))[:MOST_CLASSES].tolist()
    tiles = [
        MeanTile(
            int(heatmaps.classes[row]),
            result.class_name(int(heatmaps.classes[row])),
            int(heatmaps.counts[row]),
            draw_mean(heatmaps, heatmaps.means[row], colours),
        )
        for row in rows
    ]
    if len(heatmaps.classes) == 1:
        return tiles
    pixels = draw_mean(heatmaps, heatmaps.mean, colours)
    return [MeanTile(ALL, "all inputs", int(heatmaps.counts.sum()), pixels), *tiles]


def draw_mean(heatmaps: ClassHeatmaps, mean: np.ndarray, colours: Any, *, side: int = SIDE) -> np.ndarray:
    """A mean heatmap relative to its own strongest heat, as pixels (h, w, 3) uint8.

    Args:
        heatmaps: those of its method.
        mean: (*grid) the mean heatmap.
        colours: see `heat_colours`.
        side: pixels of the longer side of a plane; other grids are as large as `draw_input` draws them.
    """
    heat = relative(np.maximum(mean, 0)[np.newaxis] if heatmaps.relu else mean[np.newaxis])[0]
    if heat.ndim != 2:
        return draw_input(None, heat, colours, opacity=None)
    scale = side / max(heat.shape)
    height, width = (max(1, round(length * scale)) for length in heat.shape)
    resized = np.clip(resize_map(heat, height, width), -1, 1)
    return np.asarray(colours(resized, bytes=True)[..., :3])


def heat_colours(heatmaps: ClassHeatmaps, colormap: str) -> Any:
    """The colours of heat: a function of values in 0..1, or in -1..1 if signs are drawn."""
    if heatmaps.relu:
        return style.find_colormap(colormap)
    diverging = style.diverging_colormap(colormap)
    return lambda heat, **settings: diverging((np.asarray(heat) + 1) / 2, **settings)
