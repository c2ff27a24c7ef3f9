"""The numbers in the cells of a confusion matrix, as large as the cells allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.layout import width_of
from mlflow_interp.kinds.confusion_matrix.text import amount, percent

_SMALLEST = style.SMALLEST_TEXT
_LARGEST = 8.5  # points
_PAD = 0.05  # inches beside a number, both sides together
_TWO_LINES = 0.32  # inches of a cell with a share and a count
MOST_WITH_COUNTS = 10  # classes with the count below the share

Cell = tuple[int, int]


@dataclass(frozen=True, eq=False)
class CellNumbers:
    """The numbers in cells that are not zero.

    Attributes:
        texts: the number in each cell, by row and column.
        below: a smaller number below it, such as a count.
    """

    texts: Mapping[Cell, str]
    below: Mapping[Cell, str] = field(default_factory=dict)

    @classmethod
    def of(cls, values: np.ndarray, matrix: np.ndarray, *, are_counts: bool) -> CellNumbers:
        """The numbers of a matrix: its values, and for few classes the counts below shares.

        Args:
            values: (classes, classes) the values, shares or counts.
            matrix: (classes, classes) the counts, or weights.
            are_counts: whether the values are counts.
        """
        cells = list(zip(*(each.tolist() for each in np.nonzero(values)), strict=True))
        written = amount if are_counts else percent
        texts = {cell: written(float(values[cell])) for cell in cells}
        if are_counts or len(values) > MOST_WITH_COUNTS:
            return cls(texts)
        return cls(texts, {cell: amount(matrix[cell]) for cell in cells})

    @property
    def narrowest(self) -> float:
        """The smallest side of a cell in inches in which every number can be read."""
        return max(self._width(bare=True), 1.25 * _SMALLEST / 72) + _PAD

    def are_bare(self, cell: float) -> bool:
        """Whether percent signs are left out in cells of this side in inches."""
        return bool(self._width(bare=False) + _PAD > cell)

    @cached_property
    def _widths(self) -> tuple[float, float]:
        texts = set(self.texts.values())
        return (
            max((width_of(text, _SMALLEST) for text in texts), default=0.0),
            max((width_of(text.removesuffix("%"), _SMALLEST) for text in texts), default=0.0),
        )

    def _width(self, *, bare: bool) -> float:
        return self._widths[bare]

    def write(self, axes: Any, pixels: np.ndarray, cell: float) -> None:
        """Write the numbers into axes; none if cells are too small.

        Args:
            axes: the axes, with a unit for each cell.
            pixels: (classes, classes, 3 or 4) uint8, the colours of the cells.
            cell: the side of a cell in inches.
        """
        bare = self.are_bare(cell)
        width = self._width(bare=bare)
        if width > cell:
            return
        size = float(np.clip(_SMALLEST * (cell - _PAD) / max(width, 0.01), _SMALLEST, _LARGEST))
        widest_below = max((width_of(text, _SMALLEST) for text in set(self.below.values())), default=0.0)
        with_below = bool(self.below) and cell >= _TWO_LINES and widest_below + _PAD <= cell
        shift = 0.1 if with_below else 0
        for (row, column), text in self.texts.items():
            settings = {"ha": "center", "va": "center", "color": readable(pixels[row, column])}
            shown = text.removesuffix("%") if bare else text
            axes.text(column, row - shift, shown, size=size, **settings)
            if with_below:
                axes.text(column, row + 0.24, self.below[row, column], size=_SMALLEST, alpha=0.75, **settings)


def readable(pixel: np.ndarray) -> str:
    """A text colour that is readable on this pixel's colour."""
    red, green, blue = (float(part) / 255 for part in pixel[:3])
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.55 else style.INK
