"""Heatmaps over their pictures: a grid to look at, a page to play with."""

from __future__ import annotations

import math
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
    columns = _columns(shown)
    rows, side = math.ceil(shown / columns), {1: 3.4, 2: 2.7, 3: 2.2, 4: 1.9}.get(columns, 1.3)
    # A title line above each pair of tiles and three lines of predictions below.
    width, height = columns * (2 * side + 0.25) + 0.75, rows * (side + 1.0) + 0.75
    figure = style.new_figure(width, height)
    grid = figure.add_gridspec(
        rows, columns, left=0.1 / width, right=1 - 0.85 / width, top=1 - 0.75 / height, bottom=0.1 / height,
        wspace=0.04, hspace=0.0,
    )  # fmt: skip
    for index in range(shown):
        axes = figure.add_subplot(grid[index // columns, index % columns])
        _draw_one(axes, result, index, colours, opacity, side)
    _head(figure, result, shown)
    _colour_bar(figure, colours, width, height)
    return figure


def _columns(count: int) -> int:
    return next(columns for columns in (1, 2, 3, 4, 5, 6, 7, 8) if columns == 8 or columns**2 >= count)


def _head(figure: Figure, result: HeatmapResult, shown: int) -> None:
    more = f" · first {shown} of {len(result.examples)} inputs" if shown < len(result.examples) else ""
    width = figure.get_figwidth()
    text = style.shorten(f"Grad-CAM at {result.layer}{more}", int(width * 10))
    figure.text(
        0.1 / width,
        1 - 0.22 / figure.get_figheight(),
        text,
        size=12,
        weight="bold",
        color=style.INK,
        va="top",
        parse_math=False,
    )


def _draw_one(
    axes: Any, result: HeatmapResult, index: int, colours: Any, opacity: float, side: float
) -> None:
    examples, size = result.examples, max(6.0, min(9.0, 3.4 * side))
    letters = int(2 * side * 72 / (size * 0.56))
    axes.imshow(_tiles(result, index, colours, opacity), interpolation="antialiased", aspect="equal")
    axes.set_anchor("C")
    axes.set_axis_off()
    axes.set_title(
        style.shorten(examples.names[index], letters),
        size=size,
        color=style.INK,
        loc="left",
        pad=3,
        parse_math=False,
    )
    explained = examples.class_name(int(result.targets[index]))
    tail = _truth(examples, index)
    lines = [(style.shorten(f"explains {explained}{tail[0]}", letters), tail[1])]
    ranked = zip(
        examples.classes[index, :3].tolist(), examples.probabilities[index, :3].tolist(), strict=True
    )
    for best, chance in ranked:
        name = style.shorten(examples.class_name(best), letters - 8)
        lines.append((f"{_number(chance, result.head):>6}  {name}", style.FAINT))
    for row, (text, colour) in enumerate(lines):
        axes.annotate(
            text,
            (0, 0),
            (0, -3 - row * size * 1.25),
            "axes fraction",
            "offset points",
            size=size,
            color=colour,
            va="top",
            parse_math=False,
        )


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
    heat = np.clip(resize_map(heat, *picture.shape[:2]), 0, 1)
    laid = overlay(picture, heat, colours(heat)[..., :3], opacity)
    gap = np.full((picture.shape[0], GAP * picture.shape[1] // 224 + 1, 3), 255, np.uint8)
    return np.concatenate([picture, gap, laid], axis=1)


def _colour_bar(figure: Figure, colours: Any, width: float, height: float) -> None:
    from matplotlib.cm import ScalarMappable

    tall = min(height - 1.6, 2.4)
    axes = figure.add_axes((1 - 0.72 / width, 1 - (0.95 + tall) / height, 0.12 / width, tall / height))
    bar = figure.colorbar(ScalarMappable(cmap=colours), cax=axes, ticks=[0, 0.5, 1])
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7, colors=style.FAINT, length=2)
    bar.set_label("share of the picture's strongest heat", size=7, color=style.FAINT)


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
        "target": examples.class_name(int(result.targets[index])),
        "label": None if label == UNKNOWN else examples.class_name(label),
        "right": None if label == UNKNOWN else label == int(examples.classes[index, 0]),
        "predictions": [
            [examples.class_name(best), round(chance, 4)]
            for best, chance in zip(
                examples.classes[index].tolist(), examples.probabilities[index].tolist(), strict=True
            )
        ],
    }
