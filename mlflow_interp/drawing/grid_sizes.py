"""The sizes of a grid of inputs, in inches: as wide as a figure, and as near to a square as texts allow."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.layout import MARGIN, WIDTH, width_of, wrapped

TITLE_HEIGHT = 0.42  # inches
HEADING_HEIGHT = 0.2
GUTTER = 0.16  # inches between inputs
_LARGEST_SIDE = 3.2  # inches of a tile
_SMALLEST_SIDE = 0.55
_SMALLEST_STRIP = 1.25  # inches, for names and classes below it
_LINE = 1.25  # height of a line, relative to the font size
_HEADING_LINES = 2


@dataclass(frozen=True)
class Strip:
    """One input in a grid.

    Attributes:
        name: its name, above the tiles.
        tiles: its tiles, (h, w, 3) uint8 of one size.
        lines: lines of text below all tiles, with their colours.
        captions: lines of text below each tile, with their colours; empty if no tile has any.
    """

    name: str
    tiles: Sequence[np.ndarray]
    lines: Sequence[tuple[str, str]]
    captions: Sequence[Sequence[tuple[str, str]]] = ()

    @property
    def caption_lines(self) -> int:
        """The number of lines below the tiles that belong to single tiles."""
        return max((len(each) for each in self.captions), default=0)


@dataclass(frozen=True)
class GridSizes:
    """The sizes of a grid, in inches, and its positions from the top left."""

    columns: int
    rows: int
    tiles: int
    tile: tuple[float, float]  # width, height
    headings: tuple[tuple[str, ...], ...]  # lines above each tile of the topmost strips
    captions: int  # lines of text below the tiles
    lines: int  # and below those

    @classmethod
    def of(cls, strips: Sequence[Strip], headings: Sequence[str], bar_width: float) -> GridSizes:
        """A grid for the strips: as wide as a figure, and as near to a square as its texts allow."""
        count = len(strips)
        tiles = len(strips[0].tiles)
        height, width = strips[0].tiles[0].shape[:2]
        available = WIDTH - 2 * MARGIN - bar_width + GUTTER
        most = int(available / (max(_SMALLEST_STRIP, _SMALLEST_SIDE * tiles) + GUTTER))
        # A strip is `tiles` tiles wide and about one and a half high, including its text.
        columns = max(1, min(most, count, round(math.sqrt(count * 2 / tiles) + 0.25)))
        side = (available / columns - GUTTER) / tiles
        side = min(side, _LARGEST_SIDE, _LARGEST_SIDE * width / height)
        return cls(
            columns=columns,
            rows=math.ceil(count / columns),
            tiles=tiles,
            tile=(side, side * height / width),
            headings=tuple(
                _heading_lines(heading, side - 0.03, _font_size(side, height / width)) for heading in headings
            ),
            captions=max(strip.caption_lines for strip in strips),
            lines=max(len(strip.lines) for strip in strips),
        )

    @property
    def strip_width(self) -> float:
        """Width of an input's tiles."""
        return self.tiles * self.tile[0]

    @property
    def line_height(self) -> float:
        """Height of a line of text."""
        return self.font_size * _LINE / 72

    @property
    def cell(self) -> tuple[float, float]:
        """Width and height of an input: its tiles, a name above, lines below, a gap."""
        lines = self.captions + self.lines + 2.9
        return self.strip_width + GUTTER, self.tile[1] + lines * self.line_height

    @property
    def font_size(self) -> float:
        """Font size of a name, in points."""
        return _font_size(self.tile[0], self.tile[1] / self.tile[0])

    @property
    def top(self) -> float:
        """The top of the names of the topmost strips."""
        lines = max((len(heading) for heading in self.headings), default=0)
        return TITLE_HEIGHT + (HEADING_HEIGHT + (lines - 1) * self.line_height if lines else 0)

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


def _heading_lines(heading: str, width: float, size: float) -> tuple[str, ...]:
    """A heading in at most two lines; a word such as SmoothGrad is divided where it is too long."""
    if any(width_of(word, size) > width for word in heading.split()):
        heading = re.sub("(?<=[a-z])(?=[A-Z])", " ", heading)
    return tuple(wrapped(heading, width, size)[:_HEADING_LINES])


def _font_size(side: float, proportion: float) -> float:
    """The font size of names in points, for tiles of this width in inches, and height relative to it."""
    return max(style.SMALLEST_TEXT, min(8.5, 4 * side * max(1.0, proportion)))
