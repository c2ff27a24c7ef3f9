"""A grid of inputs: each a strip of tiles with a name above and lines of text below, and a colour bar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.examples import Explained
from mlflow_interp.drawing import style
from mlflow_interp.drawing.layout import MARGIN, FigureLayout, fitted, fitted_line

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

HEAD, GUTTER, BAR = 0.42, 0.2, 0.7  # inches: for the title, between inputs, for the colour bar
MOST_COLUMNS = 8
SMALLEST = 224  # pixels: smaller pictures are enlarged, pixel by pixel, before anything is laid over them
LARGEST = 256  # pixels: as many as a tile or a page shows; pictures of twice as many are reduced


@dataclass(frozen=True)
class Strip:
    """One input: its name, tiles (h, w, 3) uint8 of one size, and lines of text with their colours."""

    name: str
    tiles: Sequence[np.ndarray]
    lines: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class _Layout:
    """Where things stand, in inches from the top left."""

    columns: int
    rows: int
    tiles: int
    tile: tuple[float, float]  # width, height
    head: float
    lines: int  # of text below a strip

    @classmethod
    def of(cls, strips: Sequence[Strip], headings: Sequence[str]) -> _Layout:
        """As square a grid as holds the strips."""
        count, tiles = len(strips), len(strips[0].tiles)
        high, wide = strips[0].tiles[0].shape[:2]
        # A strip is `tiles` wide and about one and a half high, its text counted.
        columns = max(1, min(MOST_COLUMNS, count, round(math.sqrt(count * 2 / tiles) + 0.25)))
        across = columns * tiles
        side = (
            3.4
            if across <= 2
            else 2.7
            if across <= 4
            else 2.2
            if across <= 6
            else 1.9
            if across <= 8
            else 1.3
        )
        tile = (side * min(1, wide / high), side * min(1, high / wide))
        lines = max(len(strip.lines) for strip in strips)
        return cls(columns, math.ceil(count / columns), tiles, tile, HEAD + (0.2 if headings else 0), lines)

    @property
    def strip(self) -> float:
        """Width of an input's tiles."""
        return self.tiles * self.tile[0]

    @property
    def cell(self) -> tuple[float, float]:
        """Width and height of an input: its tiles, a name above, lines below, a gap."""
        return self.strip + GUTTER, self.tile[1] + (self.lines + 3.5) * self.letter / 72

    @property
    def letter(self) -> float:
        """Font size of a name, in points."""
        return max(6.0, min(9.0, 4 * max(self.tile)))

    @property
    def width(self) -> float:
        """Of the cells, and a margin on either side."""
        return self.columns * self.cell[0] - GUTTER + 2 * MARGIN

    @property
    def height(self) -> float:
        """Of the figure: title, headings, and the cells."""
        return self.rows * self.cell[1] + self.head

    def corner(self, index: int) -> tuple[float, float]:
        """Where an input's tiles begin."""
        row, column = divmod(index, self.columns)
        return MARGIN + column * self.cell[0], self.head + row * self.cell[1] + self.letter * 1.5 / 72


def draw_grid(
    title: str,
    strips: Sequence[Strip],
    *,
    headings: Sequence[str] = (),
    bar: tuple[Colormap, str] | None = None,
) -> Figure:
    """Draw strips in a grid.

    Args:
        title: Above everything.
        strips: At least one, all with as many tiles of the same size.
        headings: What each tile of a strip shows, written above the topmost strips.
        bar: The colormap of the colour bar and what its colours mean.
    """
    layout = _Layout.of(strips, headings)
    paper = FigureLayout.of(layout.width + (BAR if bar else 0), layout.height)
    paper.title(title)
    for index, strip in enumerate(strips):
        _draw_strip(paper, layout, index, strip)
    for column in range(layout.columns):
        for number, heading in enumerate(headings):
            left = layout.corner(column)[0] + number * layout.tile[0]
            shown = fitted(heading, layout.tile[0] - 0.06, layout.letter)
            paper.write(left, HEAD - 0.02, shown, size=layout.letter, colour=style.FAINT)
    if bar is not None:
        _colour_bar(paper, layout, *bar)
    return paper.figure


def _draw_strip(paper: FigureLayout, layout: _Layout, index: int, strip: Strip) -> None:
    (left, top), size = layout.corner(index), layout.letter
    axes = paper.axes((left, top, layout.strip, layout.tile[1]))
    axes.imshow(_side_by_side(strip.tiles), interpolation="antialiased", aspect="auto")
    axes.set_axis_off()
    paper.write(left, top - 0.04, fitted(strip.name, layout.strip, size), size=size, va="bottom")
    for number, (text, colour) in enumerate(strip.lines):
        below = top + layout.tile[1] + 0.04 + number * size * 1.25 / 72
        paper.write(left, below, fitted_line(text, layout.strip, size), size=size, colour=colour)


def _side_by_side(tiles: Sequence[np.ndarray]) -> np.ndarray:
    gap = np.full((tiles[0].shape[0], tiles[0].shape[1] // 50 + 1, 3), 255, np.uint8)
    pieces = [piece for tile in tiles for piece in (gap, tile)]
    return np.concatenate(pieces[1:], axis=1)


def _colour_bar(paper: FigureLayout, layout: _Layout, colours: Colormap, label: str) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.ticker import PercentFormatter

    box = (layout.width, layout.corner(0)[1], 0.14, min(max(layout.tile[1], 1.4), 2.4))
    paper.colour_bar(box, ScalarMappable(cmap=colours), label, ticks=[0, 0.5, 1], format=PercentFormatter(1))


def enlarged(image: np.ndarray) -> np.ndarray:
    """A small picture with each pixel repeated, so that what is laid over it can be smooth."""
    times = max(1, SMALLEST // max(image.shape[:2]))
    return image.repeat(times, axis=0).repeat(times, axis=1)


def reduced(pixels: np.ndarray) -> np.ndarray:
    """A large picture or map at a half, a third, … of its size: nothing is painted that no one is shown."""
    times = max(pixels.shape[:2]) // LARGEST
    if times < 2:
        return pixels
    kind = np.uint8 if pixels.dtype == np.uint8 else np.float32
    return np.asarray(Image.fromarray(np.asarray(pixels, kind)).reduce(times))


def prediction_lines(explained: Explained, index: int) -> list[tuple[str, str]]:
    """What is explained (with the label where known), and the three best predictions."""
    examples = explained.examples
    name, label = examples.class_name, int(examples.labels[index])
    right = label == int(examples.classes[index, 0])
    colour = style.INK if label == UNKNOWN else style.RIGHT if right else style.WRONG
    truth = "" if label == UNKNOWN else f" · label {name(label)}"
    lines = [(f"explains {name(int(explained.targets[index]))}{truth}", colour)]
    classes, chances = examples.classes[index, :3].tolist(), examples.probabilities[index, :3].tolist()
    for best, chance in zip(classes, chances, strict=True):
        lines.append((f"{chance_text(chance, explained.head):>6}  {name(best)}", style.FAINT))
    return lines


def chance_text(value: float, head: str) -> str:
    """A probability in percent; what a linear head gives, as it is."""
    return f"{value:.3g}" if head == "linear" and not 0 <= value <= 1 else f"{value:.1%}"


def page_facts(explained: Explained, index: int) -> dict[str, Any]:
    """What a page tells about an input: name, class explained, label, predictions."""
    examples = explained.examples
    label, name = int(examples.labels[index]), examples.class_name
    ranked = zip(examples.classes[index].tolist(), examples.probabilities[index].tolist(), strict=True)
    return {
        "name": examples.names[index],
        "target": name(int(explained.targets[index])),
        "label": None if label == UNKNOWN else name(label),
        "right": None if label == UNKNOWN else label == int(examples.classes[index, 0]),
        "predictions": [[name(best), round(chance, 4)] for best, chance in ranked],
    }
