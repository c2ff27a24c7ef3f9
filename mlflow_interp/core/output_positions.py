"""Which positions of a model's output are explained: pixels of a segmentation, anchors of a detector, tokens.

A model that predicts a class at each of many positions has no score for the whole input. Explained is then
the mean score of the class over a stated set of positions, which may be a single one (SEG-GRAD-CAM,
Vinogradova et al. 2020, https://arxiv.org/abs/2002.11434).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.exceptions import OptionError

#: The column of chunks with the weight of each position, (n, *sides) float32.
POSITION_WEIGHTS = "position_weights"
#: The column of chunks with a mask for each input, (n, *any sides) bool.
POSITION_MASKS = "positions"  # as messages name it
ALL = "all"
_CLASS = "class "  # before the name or the index of a class


@dataclass(frozen=True)
class OutputPositions:
    """A stated set of positions: one of several fields is given.

    Attributes:
        numbers: the indices of positions along one axis; along two axes, a position (row, column), or a box
            (top, left, bottom, right) in positions of the model's input, without its last row and column.
        of_class: the name or index of a class: the positions that are predicted as it.
        with_masks: whether chunks have masks.
    """

    numbers: tuple[int, ...] = ()
    of_class: str = ""
    with_masks: bool = False

    @property
    def text(self) -> str:
        """The set for captions, after "positions"."""
        if self.of_class:
            return f"predicted as {self.of_class}"
        if self.with_masks:
            return "in masks"
        return ", ".join(map(str, self.numbers))


def parse_positions(positions: Any) -> OutputPositions | None:
    """A set of positions from an option; None for all positions.

    Args:
        positions: None or "all"; whole numbers, also as text with commas; "class " with a name or an index.
            Anything else names masks.

    Raises:
        OptionError: no number, negative ones, or a class without a name.
    """
    if positions is None or (isinstance(positions, str) and positions.strip() == ALL):
        return None
    if isinstance(positions, str) and positions.startswith(_CLASS):
        name = positions.removeprefix(_CLASS).strip()
        if not name:
            raise OptionError(
                "positions names no class; give class and its name or index, as in 'class road'"
            )
        return OutputPositions(of_class=name)
    numbers = _numbers(positions)
    if numbers is None:
        return OutputPositions(with_masks=True)
    if not numbers or min(numbers) < 0:
        raise OptionError(f"positions is {positions!r}; give whole numbers of 0 or more")
    return OutputPositions(numbers)


def _numbers(positions: Any) -> tuple[int, ...] | None:
    """Whole numbers; None for anything else."""
    if isinstance(positions, str):
        parts = [part.strip() for part in positions.split(",")]
        is_number = all(part.removeprefix("-").isdecimal() for part in parts)
        return tuple(map(int, parts)) if is_number else None
    values = np.asarray(positions) if isinstance(positions, (int, np.integer, Sequence, np.ndarray)) else None
    if values is None or values.ndim > 1 or values.dtype.kind not in "iu":
        return None
    return tuple(int(each) for each in values.reshape(-1))


def weights_of_numbers(
    numbers: Sequence[int], sides: tuple[int, ...], input_sides: tuple[int, ...]
) -> np.ndarray:
    """(*sides) float32, the weights of positions with these numbers; see `OutputPositions`.

    Args:
        numbers: the numbers.
        sides: the positions of the output along each axis.
        input_sides: those of the model's input, in which a box or a pixel is stated.

    Raises:
        OptionError: they do not fit the output.
    """
    if len(sides) == 1:
        if max(numbers) >= sides[0]:
            raise OptionError(f"position {max(numbers)} is out of range: the output has 0–{sides[0] - 1}")
        weights = np.zeros(sides, np.float32)
        weights[list(numbers)] = 1
        return weights
    if len(sides) != 2 or len(input_sides) != 2 or len(numbers) not in (2, 4):
        axes = "×".join(map(str, sides))
        raise OptionError(
            f"positions has {len(numbers)} numbers, and the output has {axes} positions; give a position as "
            "row,column or a box as top,left,bottom,right, or masks"
        )
    top, left, bottom, right = numbers if len(numbers) == 4 else (*numbers, *(each + 1 for each in numbers))
    height, width = input_sides
    if not (top < bottom <= height and left < right <= width):
        raise OptionError(
            f"positions {', '.join(map(str, numbers))} are not inside the model's input of {height}×{width}; "
            "give row,column or top,left,bottom,right with top < bottom and left < right"
        )
    mask = np.zeros((1, height, width), np.float32)
    mask[0, top:bottom, left:right] = 1
    return np.asarray(resized_masks(mask, sides)[0])


def resized_masks(masks: np.ndarray, sides: Sequence[int]) -> np.ndarray:
    """Masks (n, *any sides) as the share of each position of (n, *sides) that they cover, float32.

    Raises:
        OptionError: another number of axes.
    """
    if masks.ndim - 1 != len(sides):
        raise OptionError(
            f"masks have {masks.ndim - 1} axes, and positions of the output {len(sides)}; give masks with as "
            "many"
        )
    shares = np.asarray(masks, np.float32)
    for axis, side in enumerate(sides, start=1):
        overlap = _overlaps(shares.shape[axis], side)
        shares = np.moveaxis(np.tensordot(shares, overlap, axes=(axis, 0)), -1, axis)
    return shares.astype(np.float32)


def _overlaps(count: int, cells: int) -> np.ndarray:
    """(count, cells) float32, how much of each cell every one of `count` equal parts of a line covers."""
    if count == cells:
        return np.eye(count, dtype=np.float32)
    edges = np.arange(count + 1) / count
    of_cells = np.arange(cells + 1) / cells
    low = np.maximum(edges[:-1, np.newaxis], of_cells[np.newaxis, :-1])
    high = np.minimum(edges[1:, np.newaxis], of_cells[np.newaxis, 1:])
    return np.asarray(np.maximum(high - low, 0) * cells, np.float32)
