"""The figure of a table: mean heatmaps of its classes, probabilities, and what is confused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.captions import caption
from mlflow_interp.drawing.colour_bar import WIDTH as BAR_WIDTH
from mlflow_interp.drawing.colour_bar import ColourBar, draw_colour_bar
from mlflow_interp.drawing.embedded_image import draw_image
from mlflow_interp.drawing.fonts import use_fonts
from mlflow_interp.drawing.layout import MARGIN, SMALL_SIZE, WIDTH, FigureLayout, fitted, width_of, wrapped
from mlflow_interp.drawing.panels import find_panel
from mlflow_interp.kinds.confusion_matrix.text import amount
from mlflow_interp.kinds.table.charts import PAIR_WIDTH, class_bars, draw_classes, draw_probabilities
from mlflow_interp.kinds.table.tiles import ALL, make_tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.kinds.table.heatmaps import ClassHeatmaps
    from mlflow_interp.kinds.table.result import TableResult
    from mlflow_interp.kinds.table.tiles import MeanTile

PANELS = ("probabilities", "classes")

_TOP = 0.72  # inches above the first row
_HEADING = 0.24  # of a method
_LINE = 0.13
_WIDEST = 1.1  # side of a tile
_GAP = 0.07
_CHARTS = 1.5  # height of the histogram and of the bars
_CHARTS_TOP = 0.34  # above them: their titles and the legend
_AXIS = 0.42  # below the histogram


def draw(
    result: TableResult, tiles: list[list[MeanTile]] | None = None, *, colormap: style.Colormap = "inferno"
) -> Figure:
    """Draw the mean heatmaps of the most frequent classes, the probabilities, and the most confused pairs.

    Args:
        result: The summary of a table.
        tiles: The tiles of the result with this colormap, if already computed.
        colormap: Matplotlib colormap of the figure. The default is perceptually uniform. Heat with both
            signs needs a diverging colormap; any other, including the default, is replaced by RdBu_r.

    Raises:
        OptionError: no such colormap.
    """
    tiles = tiles or make_tiles(result, colormap=colormap)
    blocks = [_Block.of(each, row) for each, row in zip(result.heatmaps, tiles, strict=True)]
    panels = panels_of(result)
    charts = _CHARTS_TOP + _CHARTS + _AXIS if panels else 0.0
    height = _TOP + sum(each.height for each in blocks) + charts
    layout = FigureLayout.of(WIDTH, height, caption(_meaning(result), result))
    layout.title(result.title, headline(result))
    top = _TOP
    for block in blocks:
        block.draw(layout, top, colormap)
        top += block.height
    if "probabilities" in panels:
        draw_probabilities(layout.axes((0.55, top + _CHARTS_TOP, 2.6, _CHARTS)), result)
    if "classes" in panels:
        left = 5.0 if "probabilities" in panels else 1.75
        title = fitted(class_bars(result)[1], WIDTH - left - MARGIN + PAIR_WIDTH, SMALL_SIZE)
        layout.write(left - PAIR_WIDTH, top + _CHARTS_TOP - 0.17, title, size=SMALL_SIZE)
        draw_classes(layout.axes((left, top + _CHARTS_TOP, WIDTH - left - 1.0, _CHARTS)), result)
    return layout.finished(names_of(result))


def draw_panel(
    axes: Any, result: TableResult, panel: int | str, *, colormap: style.Colormap = "inferno"
) -> None:
    """Draw a panel into axes: "probabilities", "classes", or the mean heatmap of a method by its name."""
    methods = [each.method for each in result.heatmaps]
    names = [*panels_of(result), *methods]
    name = names[find_panel(panel, names, "panel")]
    if name == "probabilities":
        draw_probabilities(axes, result)
    elif name == "classes":
        axes.set_title(class_bars(result)[1], size=SMALL_SIZE, color=style.INK, loc="left", pad=4)
        draw_classes(axes, result)
    else:
        row = methods.index(name)
        first = make_tiles(result, colormap=colormap)[row][0]
        axes.imshow(first.pixels)
        axes.set_title(
            f"{result.heatmaps[row].title}, {first.name}, {first.count:,}",
            size=SMALL_SIZE, color=style.INK, parse_math=False,
        )  # fmt: skip
        axes.axis("off")
    use_fonts(axes, names_of(result))


def headline(result: TableResult) -> str:
    """The main numbers, in a line."""
    parts = [style.counted(result.rows)]
    if result.accuracy is not None:
        parts.append(f"accuracy {result.accuracy:.1%}")
    if result.calibration_error is not None:
        parts.append(f"calibration error {result.calibration_error:.1%}")
    elif result.has_probabilities:
        parts.append(f"mean probability {result.metrics()['mean_probability']:.1%}")
    if result.errors:
        parts.append(f"{result.errors:,} could not be interpreted")
    return " · ".join(parts)


def names_of(result: TableResult) -> list[str]:
    """The names of classes that the figure may show."""
    return list(result.examples.class_names or ())


def panels_of(result: TableResult) -> list[str]:
    """The names of the charts that the result has numbers for."""
    known = {"probabilities": result.has_probabilities, "classes": bool(result.predicted)}
    return [name for name in PANELS if known[name]]


def _meaning(result: TableResult) -> str:
    text = "All inputs of a table, not a sample."
    if result.heatmaps:
        text += " Heatmaps: mean of the inputs of a class, relative to the strongest of the mean."
    meanings = [meaning_of(result, each) for each in result.heatmaps]
    if len(set(meanings)) < 2:
        return " ".join([text, *meanings[:1]])
    titles = [f"{each.title}: {meaning}" for each, meaning in zip(result.heatmaps, meanings, strict=True)]
    return " ".join([text, *titles])


def meaning_of(result: TableResult, heatmaps: ClassHeatmaps) -> str:
    """What the colours of heatmaps mean, in a sentence."""
    if not heatmaps.has_target:
        return "Bright is the strongest pattern in the activations, by predicted class."
    explained = "class" if result.predicted else "value"
    if heatmaps.relu:
        return f"Bright is evidence for the {explained}."
    return f"Positive is evidence for the {explained}, negative evidence against it."


class _Block:
    """The mean heatmaps of a method: a heading, and a tile for each class below its name and count."""

    def __init__(self, heatmaps: ClassHeatmaps, tiles: list[MeanTile], side: float) -> None:
        self.heatmaps = heatmaps
        self.tiles = tiles
        self.side = side
        self.names = [_name_lines(each.name, side) for each in tiles]
        self.lines = 1 + max(map(len, self.names))
        self.tallest = max(_size(each.pixels, side)[1] for each in tiles)
        self.height = _HEADING + _LINE * self.lines + self.tallest + 0.16

    @classmethod
    def of(cls, heatmaps: ClassHeatmaps, tiles: list[MeanTile]) -> _Block:
        """The block, with tiles as large as the width of the figure allows."""
        room = WIDTH - 2 * MARGIN - BAR_WIDTH - 0.15
        return cls(heatmaps, tiles, min(_WIDEST, room / len(tiles) - _GAP))

    def draw(self, layout: FigureLayout, top: float, colormap: str) -> None:
        title = fitted(self.heatmaps.title, WIDTH - 2 * MARGIN, 9, bold=True)
        layout.write(MARGIN, top, title, size=9, weight="bold")
        canvas = layout.axes((0, 0, layout.width, layout.bottom))
        canvas.set_xlim(0, layout.width)
        canvas.set_ylim(layout.bottom, 0)
        canvas.axis("off")
        below = top + _HEADING + _LINE * self.lines
        for column, (tile, lines) in enumerate(zip(self.tiles, self.names, strict=True)):
            left = MARGIN + column * (self.side + _GAP)
            # Names stand at the bottom of their space, next to the tile.
            y = below - _LINE * (1 + len(lines))
            for line in lines:
                layout.write(
                    left, y, line, size=style.SMALLEST_TEXT, weight="bold" if tile.label == ALL else "normal"
                )
                y += _LINE
            count = f"{tile.count:,}"
            fits = width_of(count, style.SMALLEST_TEXT) <= self.side
            count = count if fits else amount(tile.count)
            layout.write(left, y, count, size=style.SMALLEST_TEXT, colour=style.FAINT)
            draw_image(canvas, tile.pixels, (left, below, *_size(tile.pixels, self.side)))
        left = MARGIN + len(self.tiles) * (self.side + _GAP) + 0.03
        draw_colour_bar(layout, (left, below, 0.09, self.tallest), bar_of(self.heatmaps, colormap))


def _size(pixels: np.ndarray, side: float) -> tuple[float, float]:
    """Width and height in inches of a tile whose longer side has this length."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    return width * scale, height * scale


def _name_lines(name: str, width: float) -> list[str]:
    """A name in at most two lines."""
    lines = wrapped(name, width, style.SMALLEST_TEXT) or [""]
    if len(lines) <= 2:
        return lines
    return [lines[0], fitted(" ".join(lines[1:]), width, style.SMALLEST_TEXT)]


def bar_of(heatmaps: ClassHeatmaps, colormap: str) -> ColourBar:
    """The colours of the heatmaps of a method."""
    signed = not heatmaps.relu
    colours = style.diverging_colormap(colormap) if signed else style.find_colormap(colormap)
    return ColourBar(colours, "", signed=signed)
