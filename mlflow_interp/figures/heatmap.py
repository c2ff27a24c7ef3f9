"""Heatmaps over their pictures: a grid to look at, a page to play with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.arrays import overlay, relative, resize_map
from mlflow_interp.core import MOST_PICTURES, UNKNOWN, Examples
from mlflow_interp.exceptions import OptionError
from mlflow_interp.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.methods.gradcam import HeatmapResult

GAP = 4  # pixels of white between a picture and its overlay
HEATMAP_PIXELS = 224  # the size at which inputs without a picture are drawn
MARGIN, HEAD, GUTTER = 0.12, 0.42, 0.2  # inches: around everything, for the title, between inputs
MOST_COLUMNS = 8


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
    shown = min(len(result.examples), MOST_PICTURES)
    layout = _Layout.of(shown, result.examples.pictures)
    figure = style.new_figure(layout.width, layout.height)
    for index in range(shown):
        _draw_one(figure, layout, result, index, colours, opacity)
    more = f" · first {shown} of {len(result.examples)} inputs" if shown < len(result.examples) else ""
    title = style.shorten(f"Grad-CAM at {result.layer}{more}", int(layout.width * 9))
    x, y = layout.place(MARGIN, 0.12)
    figure.text(x, y, title, size=12, weight="bold", color=style.INK, va="top", parse_math=False)
    _colour_bar(figure, colours, layout)
    return figure


@dataclass(frozen=True)
class _Layout:
    """Where things stand, in inches from the top left."""

    columns: int
    rows: int
    tiles: int
    tile: tuple[float, float]  # width, height

    @classmethod
    def of(cls, count: int, pictures: np.ndarray | None) -> _Layout:
        """As square a grid as holds `count` inputs, each a picture and its overlay, or a map alone."""
        columns = min(MOST_COLUMNS, math.ceil(math.sqrt(count)))
        side = {1: 3.4, 2: 2.7, 3: 2.2, 4: 1.9}.get(columns, 1.3)
        high, wide = (1, 1) if pictures is None else pictures.shape[1:3]
        tile = (side * min(1, wide / high), side * min(1, high / wide))
        return cls(columns, math.ceil(count / columns), 1 if pictures is None else 2, tile)

    @property
    def cell(self) -> tuple[float, float]:
        """Width and height of an input: its tiles, a name above, four lines below, a gap."""
        return self.tiles * self.tile[0] + GUTTER, self.tile[1] + 7.5 * self.letter / 72

    @property
    def letter(self) -> float:
        """Font size of a name, in points."""
        return max(6.0, min(9.0, 4 * max(self.tile)))

    @property
    def width(self) -> float:
        """Of the figure: the cells, and a colour bar to their right."""
        return self.columns * self.cell[0] + 2 * MARGIN + 0.65

    @property
    def height(self) -> float:
        """Of the figure: a title, and the cells."""
        return self.rows * self.cell[1] + HEAD

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Inches from the top left as matplotlib's shares from the bottom left."""
        return x / self.width, 1 - y / self.height


def _draw_one(
    figure: Figure, layout: _Layout, result: HeatmapResult, index: int, colours: Any, opacity: float
) -> None:
    row, column = divmod(index, layout.columns)
    tiles = _tiles(result, index, colours, opacity)
    width, height = layout.cell[0] - GUTTER, layout.tile[1]
    left, top = MARGIN + column * layout.cell[0], HEAD + row * layout.cell[1] + layout.letter * 1.5 / 72
    x, y = layout.place(left, top + height)
    axes = figure.add_axes((x, y, width / layout.width, height / layout.height))
    axes.imshow(tiles, interpolation="antialiased", aspect="auto")
    axes.set_axis_off()
    for line, (text, colour) in enumerate(_lines(result, index, int(width * 72 / (layout.letter * 0.63)))):
        above = line == 0
        y = top - 0.04 if above else top + height + 0.04 + (line - 1) * layout.letter * 1.25 / 72
        x, y = layout.place(left, y)
        va = "bottom" if above else "top"
        figure.text(x, y, text, size=layout.letter, color=colour, va=va, parse_math=False)


def _lines(result: HeatmapResult, index: int, letters: int) -> list[tuple[str, str]]:
    """The name, what is explained (with the label where known), and the three best predictions."""
    examples = result.examples
    explained = f"explains {examples.class_name(int(result.explained.targets[index]))}"
    truth, colour = _truth(examples, index)
    lines = [
        (style.shorten(examples.names[index], letters), style.INK),
        (style.shorten(explained + truth, letters), colour),
    ]
    ranked = zip(
        examples.classes[index, :3].tolist(), examples.probabilities[index, :3].tolist(), strict=True
    )
    for best, chance in ranked:
        name = style.shorten(examples.class_name(best), letters - 8)
        lines.append((f"{_number(chance, result.explained.head):>6}  {name}", style.FAINT))
    return lines


def _number(value: float, head: str) -> str:
    return f"{value:.3g}" if head == "linear" and not 0 <= value <= 1 else f"{value:.1%}"


def _truth(examples: Examples, index: int) -> tuple[str, str]:
    label = int(examples.labels[index])
    if label == UNKNOWN:
        return "", style.INK
    right = label == int(examples.classes[index, 0])
    return f" · label {examples.class_name(label)}", style.RIGHT if right else style.WRONG


def _tiles(result: HeatmapResult, index: int, colours: Any, opacity: float) -> np.ndarray:
    """Picture and overlay side by side, (h, w, 3) uint8; the coloured map alone without a picture."""
    heat = relative(result.heatmaps[index : index + 1])[0]
    if result.examples.pictures is None:
        heat = resize_map(heat, HEATMAP_PIXELS, HEATMAP_PIXELS)
        return np.asarray(colours(heat, bytes=True)[..., :3])
    picture = result.examples.pictures[index]
    # A small picture keeps its pixels, and its heat is smooth all the same.
    times = max(1, HEATMAP_PIXELS // max(picture.shape[:2]))
    picture = picture.repeat(times, axis=0).repeat(times, axis=1)
    heat = np.clip(resize_map(heat, *picture.shape[:2]), 0, 1)
    laid = overlay(picture, heat, colours(heat)[..., :3], opacity)
    gap = np.full((picture.shape[0], GAP * picture.shape[1] // 224 + 1, 3), 255, np.uint8)
    return np.concatenate([picture, gap, laid], axis=1)


def _colour_bar(figure: Figure, colours: Any, layout: _Layout) -> None:
    from matplotlib.cm import ScalarMappable

    tall = min(max(layout.tile[1], 1.2), 2.4)
    x, y = layout.place(layout.width - 0.68, HEAD + layout.letter * 1.5 / 72 + tall)
    axes = figure.add_axes((x, y, 0.12 / layout.width, tall / layout.height))
    bar = figure.colorbar(ScalarMappable(cmap=colours), cax=axes, ticks=[0, 0.5, 1])
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7, colors=style.FAINT, length=2)
    bar.set_label("share of strongest heat", size=7, color=style.FAINT)


def page(result: HeatmapResult, *, colormap: str = "inferno", opacity: float = 0.7) -> str:
    """A page that opens offline: one picture large, all as thumbnails, the heat's opacity on a slider."""
    colours, examples = style.find_colormap(colormap), result.examples
    shown = min(len(examples), MOST_PICTURES)
    rows = [_row(result, index, colours) for index in range(shown)]
    return style.render(
        "heatmap.html",
        "heatmap.js",
        title=f"Grad-CAM at {result.layer}",
        more=len(examples) - shown,
        opacity=round(100 * opacity),
        data=rows,
    )


def _row(result: HeatmapResult, index: int, colours: Any) -> dict[str, Any]:
    examples = result.examples
    heat = relative(result.heatmaps[index : index + 1])[0]
    picture = None if examples.pictures is None else examples.pictures[index]
    size = (HEATMAP_PIXELS, HEATMAP_PIXELS) if picture is None else picture.shape[:2]
    # Smooth as in the figure, at a size that stays small: browsers scale the rest of the way.
    scale = min(1.0, 112 / max(size))
    heat = np.clip(resize_map(heat, max(1, round(size[0] * scale)), max(1, round(size[1] * scale))), 0, 1)
    tinted = colours(heat, bytes=True)
    tinted[..., 3] = np.rint(heat * 255) if picture is not None else 255
    label = int(examples.labels[index])
    return {
        "name": examples.names[index],
        "picture": None if picture is None else style.data_uri(picture),
        "heat": style.data_uri(tinted, lossless=True),
        "target": examples.class_name(int(result.explained.targets[index])),
        "label": None if label == UNKNOWN else examples.class_name(label),
        "right": None if label == UNKNOWN else label == int(examples.classes[index, 0]),
        "predictions": [
            [examples.class_name(best), round(chance, 4)]
            for best, chance in zip(
                examples.classes[index].tolist(), examples.probabilities[index].tolist(), strict=True
            )
        ],
    }
