"""A grid of inputs: each a strip of tiles with a name above and lines of text below, and a colour bar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.core import UNKNOWN, Explained
from mlflow_interp.figures import style

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

MARGIN, HEAD, GUTTER = 0.12, 0.42, 0.2  # inches: around everything, for the title, between inputs
MOST_COLUMNS = 8
SMALLEST = 224  # pixels: smaller pictures are enlarged, pixel by pixel, before anything is laid over them
LINES = 4  # of text below a strip


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
        return cls(columns, math.ceil(count / columns), tiles, tile, HEAD + (0.2 if headings else 0))

    @property
    def cell(self) -> tuple[float, float]:
        """Width and height of an input: its tiles, a name above, lines below, a gap."""
        return self.tiles * self.tile[0] + GUTTER, self.tile[1] + (LINES + 3.5) * self.letter / 72

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
        """Of the figure: title, headings, and the cells."""
        return self.rows * self.cell[1] + self.head

    def letters(self, width: float) -> int:
        """How many letters have room in so many inches."""
        return int(width * 72 / (self.letter * 0.63))

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Inches from the top left as matplotlib's shares from the bottom left."""
        return x / self.width, 1 - y / self.height


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
    figure = style.new_figure(layout.width, layout.height)
    _write(
        figure,
        layout,
        MARGIN,
        0.12,
        style.shorten(title, int(layout.width * 9)),
        12,
        style.INK,
        weight="bold",
    )
    for index, strip in enumerate(strips):
        _draw_strip(figure, layout, index, strip)
    for column in range(min(layout.columns, len(strips))):
        for number, heading in enumerate(headings):
            x = MARGIN + column * layout.cell[0] + number * layout.tile[0]
            shown = style.shorten(heading, layout.letters(layout.tile[0]) - 1)
            _write(figure, layout, x, HEAD - 0.02, shown, layout.letter, style.FAINT)
    if bar is not None:
        _colour_bar(figure, layout, *bar)
    return figure


def _write(
    figure: Figure, layout: _Layout, x: float, y: float, text: str, size: float, colour: str, **more: Any
) -> None:
    more = {"va": "top"} | more
    figure.text(*layout.place(x, y), text, size=size, color=colour, parse_math=False, **more)


def _draw_strip(figure: Figure, layout: _Layout, index: int, strip: Strip) -> None:
    row, column = divmod(index, layout.columns)
    width, height = layout.cell[0] - GUTTER, layout.tile[1]
    left = MARGIN + column * layout.cell[0]
    top = layout.head + row * layout.cell[1] + layout.letter * 1.5 / 72
    x, y = layout.place(left, top + height)
    axes = figure.add_axes((x, y, width / layout.width, height / layout.height))
    axes.imshow(_side_by_side(strip.tiles), interpolation="antialiased", aspect="auto")
    axes.set_axis_off()
    letters = layout.letters(width)
    name = style.shorten(strip.name, letters)
    _write(figure, layout, left, top - 0.04, name, layout.letter, style.INK, va="bottom")
    for number, (text, colour) in enumerate(strip.lines):
        y = top + height + 0.04 + number * layout.letter * 1.25 / 72
        _write(figure, layout, left, y, fitted(text, letters), layout.letter, colour)


def fitted(text: str, letters: int) -> str:
    """A line cut to so many letters, each of its parts between "·" by as much as the others."""
    parts = text.split(" · ")
    room = (letters - 3 * (len(parts) - 1)) // len(parts)
    return " · ".join(style.shorten(part, room if len(text) > letters else letters) for part in parts)


def _side_by_side(tiles: Sequence[np.ndarray]) -> np.ndarray:
    gap = np.full((tiles[0].shape[0], tiles[0].shape[1] // 50 + 1, 3), 255, np.uint8)
    pieces = [piece for tile in tiles for piece in (gap, tile)]
    return np.concatenate(pieces[1:], axis=1)


def _colour_bar(figure: Figure, layout: _Layout, colours: Colormap, label: str) -> None:
    from matplotlib.cm import ScalarMappable

    tall = min(max(layout.tile[1], 1.2), 2.4)
    x, y = layout.place(layout.width - 0.68, layout.head + layout.letter * 1.5 / 72 + tall)
    axes = figure.add_axes((x, y, 0.12 / layout.width, tall / layout.height))
    bar = figure.colorbar(ScalarMappable(cmap=colours), cax=axes, ticks=[0, 0.5, 1])
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7, colors=style.FAINT, length=2)
    bar.set_label(label, size=7, color=style.FAINT)


def enlarged(picture: np.ndarray) -> np.ndarray:
    """A small picture with each pixel repeated, so that what is laid over it can be smooth."""
    times = max(1, SMALLEST // max(picture.shape[:2]))
    return picture.repeat(times, axis=0).repeat(times, axis=1)


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
