"""A grid of inputs with a colour bar; each input is a strip of tiles between its name and lines of text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.examples import Explained
from mlflow_interp.core.regression import value_lines, value_name
from mlflow_interp.drawing import style
from mlflow_interp.drawing.layout import MARGIN, SMALL_SIZE, FigureLayout, fitted, fitted_line

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

    from mlflow_interp.drawing.tiles import Tiles

Lines = list[tuple[str, str]]  # lines of text with their colours

TITLE_HEIGHT = 0.42  # inches
HEADING_HEIGHT = 0.2
GUTTER = 0.2  # inches between inputs
COLOUR_BAR_WIDTH = 0.7  # inches, with its numbers and label
MOST_COLUMNS = 8
SMALLEST = 224  # pixels: smaller images are enlarged, pixel by pixel, before an overlay
LARGEST = 256  # pixels that a tile or a page shows; images at least twice as large are reduced
_TILE_SIDES = {2: 3.4, 4: 2.7, 6: 2.2, 8: 1.9}  # inches, by the maximum number of tiles side by side
_SMALLEST_TILE_SIDE = 1.3


@dataclass(frozen=True)
class Strip:
    """One input: its name, tiles (h, w, 3) uint8 of one size, and lines of text with their colours."""

    name: str
    tiles: Sequence[np.ndarray]
    lines: Sequence[tuple[str, str]]


def make_strips(names: Sequence[str], tiles: Tiles, lines: Callable[[int], Lines]) -> list[Strip]:
    """A strip for each input that has tiles.

    Args:
        names: of all inputs.
        tiles: of the inputs that are shown.
        lines: the lines of text of an input, given by its row.
    """
    return [
        Strip(names[row], pixels, lines(row)) for row, pixels in zip(tiles.rows, tiles.pixels, strict=True)
    ]


@dataclass(frozen=True)
class ColourBar:
    """A colour bar: its colormap, its label, and whether values are signed (-100 % to 100 %)."""

    colours: Colormap
    label: str
    signed: bool = False

    @property
    def width(self) -> float:
        """In inches, with its numbers and label: "-100%" is wider than "100%"."""
        return COLOUR_BAR_WIDTH + 0.1 * self.signed


@dataclass(frozen=True)
class _Grid:
    """The sizes of a grid, in inches, and its positions from the top left."""

    columns: int
    rows: int
    tiles: int
    tile: tuple[float, float]  # width, height
    top: float
    lines: int  # of text below a strip

    @classmethod
    def of(cls, strips: Sequence[Strip], headings: Sequence[str]) -> _Grid:
        """A grid for the strips that is about square."""
        count = len(strips)
        tiles = len(strips[0].tiles)
        height, width = strips[0].tiles[0].shape[:2]
        # A strip is `tiles` tiles wide and about one and a half high, including its text.
        columns = max(1, min(MOST_COLUMNS, count, round(math.sqrt(count * 2 / tiles) + 0.25)))
        sides = (side for most, side in _TILE_SIDES.items() if columns * tiles <= most)
        side = next(sides, _SMALLEST_TILE_SIDE)
        return cls(
            columns=columns,
            rows=math.ceil(count / columns),
            tiles=tiles,
            tile=(side * min(1, width / height), side * min(1, height / width)),
            top=TITLE_HEIGHT + (HEADING_HEIGHT if headings else 0),
            lines=max(len(strip.lines) for strip in strips),
        )

    @property
    def strip_width(self) -> float:
        """Width of an input's tiles."""
        return self.tiles * self.tile[0]

    @property
    def cell(self) -> tuple[float, float]:
        """Width and height of an input: its tiles, a name above, lines below, a gap."""
        return self.strip_width + GUTTER, self.tile[1] + (self.lines + 3.5) * self.font_size / 72

    @property
    def font_size(self) -> float:
        """Font size of a name, in points."""
        return max(6.0, min(9.0, 4 * max(self.tile)))

    @property
    def width(self) -> float:
        """Width of the cells, and a margin on either side."""
        return self.columns * self.cell[0] - GUTTER + 2 * MARGIN

    @property
    def height(self) -> float:
        """Height of the figure: title, headings, and the cells."""
        return self.rows * self.cell[1] + self.top

    def corner(self, index: int) -> tuple[float, float]:
        """The upper left corner of an input's tiles."""
        row, column = divmod(index, self.columns)
        return MARGIN + column * self.cell[0], self.top + row * self.cell[1] + self.font_size * 1.5 / 72


def draw_grid(
    title: str,
    strips: Sequence[Strip],
    *,
    headings: Sequence[str] = (),
    bar: ColourBar | None = None,
) -> Figure:
    """Draw strips in a grid.

    Args:
        title: The title.
        strips: At least one, all with the same number and size of tiles.
        headings: A heading for each tile of a strip, written above the topmost strips.
        bar: The colour bar.
    """
    grid = _Grid.of(strips, headings)
    layout = FigureLayout.of(grid.width + (bar.width if bar else 0), grid.height)
    layout.title(title)
    # One for all images: separate axes take longer to create than the images to draw.
    canvas = _canvas(layout)
    for index, strip in enumerate(strips):
        _draw_strip(layout, canvas, grid, index, strip)
    for column in range(grid.columns):
        for tile, heading in enumerate(headings):
            left = grid.corner(column)[0] + tile * grid.tile[0]
            text = fitted(heading, grid.tile[0] - 0.06, grid.font_size)
            layout.write(left, TITLE_HEIGHT - 0.02, text, size=grid.font_size, colour=style.FAINT)
    if bar is not None:
        _colour_bar(layout, grid, bar)
    return layout.figure


def _canvas(layout: FigureLayout) -> Any:
    """Axes over the whole figure, in inches from the top left."""
    axes = layout.axes((0, 0, layout.width, layout.height))
    axes.set(xlim=(0, layout.width), ylim=(layout.height, 0))
    axes.set_axis_off()
    axes.set_autoscale_on(False)
    return axes


def _draw_strip(layout: FigureLayout, canvas: Any, grid: _Grid, index: int, strip: Strip) -> None:
    left, top = grid.corner(index)
    size = grid.font_size
    extent = (left, left + grid.strip_width, top + grid.tile[1], top)
    canvas.imshow(_side_by_side(strip.tiles), interpolation="antialiased", aspect="auto", extent=extent)
    layout.write(left, top - 0.04, fitted(strip.name, grid.strip_width, size), size=size, va="bottom")
    for row, (text, colour) in enumerate(strip.lines):
        line_top = top + grid.tile[1] + 0.04 + row * size * 1.25 / 72
        layout.write(left, line_top, fitted_line(text, grid.strip_width, size), size=size, colour=colour)


def _side_by_side(tiles: Sequence[np.ndarray]) -> np.ndarray:
    gap = np.full((tiles[0].shape[0], tiles[0].shape[1] // 50 + 1, 3), 255, np.uint8)
    columns = [column for tile in tiles for column in (gap, tile)]
    return np.concatenate(columns[1:], axis=1)


def _colour_bar(layout: FigureLayout, grid: _Grid, bar: ColourBar) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.ticker import PercentFormatter

    box = (grid.width, grid.corner(0)[1], 0.14, min(max(grid.tile[1], 1.4), 2.4))
    mappable = ScalarMappable(Normalize(-1 if bar.signed else 0, 1), bar.colours)
    ticks = [-1, 0, 1] if bar.signed else [0, 0.5, 1]
    layout.colour_bar(box, mappable, bar.label, ticks=ticks, format=PercentFormatter(1))


def draw_strip(axes: Any, strip: Strip, headings: Sequence[str] = ()) -> None:
    """Draw one input into the user's axes: its tiles side by side, its name above, its first line below."""
    pixels = _side_by_side(strip.tiles)
    axes.imshow(pixels, interpolation="antialiased")
    axes.set_title(style.shorten(strip.name, 60), size=9, color=style.INK, parse_math=False)
    axes.set_yticks([])
    centres = (np.arange(len(headings)) + 0.5) * pixels.shape[1] / max(1, len(headings))
    axes.set_xticks(centres, headings, size=SMALL_SIZE, color=style.FAINT, parse_math=False)
    axes.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for text, colour in strip.lines[:1]:
        axes.set_xlabel(style.shorten(text, 60), size=SMALL_SIZE, color=colour, parse_math=False)


def enlarged(image: np.ndarray) -> np.ndarray:
    """A small image with each pixel repeated, so that an overlay can be smooth."""
    times = max(1, SMALLEST // max(image.shape[:2]))
    return image.repeat(times, axis=0).repeat(times, axis=1)


def reduced(pixels: np.ndarray) -> np.ndarray:
    """A large image or map reduced to a half, a third, … of its size, to about the displayed resolution."""
    times = max(pixels.shape[:2]) // LARGEST
    if times < 2:
        return pixels
    dtype = np.uint8 if pixels.dtype == np.uint8 else np.float32
    return np.asarray(Image.fromarray(np.asarray(pixels, dtype)).reduce(times))


def prediction_lines(explained: Explained, index: int) -> Lines:
    """The explained class (with the label if known), and the three best predictions."""
    examples = explained.examples
    if not examples.has_classes:
        return _value_lines(explained, index)
    name = examples.class_name
    label = int(examples.labels[index])
    right = label == int(examples.classes[index, 0])
    colour = style.INK if label == UNKNOWN else style.RIGHT if right else style.WRONG
    truth = "" if label == UNKNOWN else f" · label {name(label)}"
    lines = [(f"explains {name(int(explained.targets[index]))}{truth}", colour)]
    classes = examples.classes[index, :3].tolist()
    probabilities = examples.probabilities[index, :3].tolist()
    for predicted, probability in zip(classes, probabilities, strict=True):
        lines.append((f"{_probability_text(probability, explained.head):>6}  {name(predicted)}", style.FAINT))
    return lines


def _value_lines(explained: Explained, index: int) -> Lines:
    """The values of an input with their labels; for several values, the explained one and the first three."""
    examples = explained.examples
    texts = value_lines(examples, index)
    outputs = examples.classes.shape[1]
    if outputs == 1:
        return [(" · ".join(f"{name} {text}" for name, text in texts), style.INK)]
    lines = [(f"explains {value_name(examples, int(explained.targets[index]))}", style.INK)]
    for name in (value_name(examples, output) for output in range(min(3, outputs))):
        label = dict(texts).get(f"label of {name}")
        lines.append(
            (f"{dict(texts)[name]:>6}  {name}{'' if label is None else f' · label {label}'}", style.FAINT)
        )
    return lines


def _probability_text(value: float, head: str) -> str:
    """A probability in percent; any other value unchanged."""
    is_value = head == "values" or (head == "linear" and not 0 <= value <= 1)
    return f"{value:.3g}" if is_value else f"{value:.1%}"


def page_facts(explained: Explained, index: int) -> dict[str, Any]:
    """The facts of an input on a page: name, explained class, label, predictions."""
    examples = explained.examples
    if not examples.has_classes:
        several = examples.classes.shape[1] > 1
        return {
            "name": examples.names[index],
            "target": value_name(examples, int(explained.targets[index])) if several else "",
            "label": None,
            "right": None,
            "predictions": [list(line) for line in value_lines(examples, index)],
        }
    name = examples.class_name
    label = int(examples.labels[index])
    ranked = zip(examples.classes[index].tolist(), examples.probabilities[index].tolist(), strict=True)
    return {
        "name": examples.names[index],
        "target": name(int(explained.targets[index])),
        "label": None if label == UNKNOWN else name(label),
        "right": None if label == UNKNOWN else label == int(examples.classes[index, 0]),
        "predictions": [[name(predicted), round(probability, 4)] for predicted, probability in ranked],
    }
