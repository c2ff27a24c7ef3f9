"""Maps reduced so far that they do not show the inputs that they belong to.

A map of an early layer has nearly the resolution of the input, and shows its edges.
"""

from __future__ import annotations

import numpy as np

from mlflow_interp.core.chunk import Arrays, flatten

MOST_SIDE = 28  # positions along a side of a map
TIMES = 4  # as many values along a side of the input as positions along the same side of a map


def coarse(maps: np.ndarray, inputs: Arrays, axes: int) -> np.ndarray:
    """Maps with at most a quarter of the input's positions along each side, and at most 28.

    What is larger is reduced to means of blocks. Maps of texts stay as they are: a number for each token
    does not show the token.

    Args:
        maps: (n, …), whose last axes are positions.
        inputs: the inputs of the model, n rows; the map is reduced for the smallest of them.
        axes: the number of axes of positions.
    """
    arrays = flatten(inputs)
    texts = [array for array in arrays if axes == 1 and array.dtype.kind in "iuSUO"]
    others = [array for array in arrays if not any(array is text for text in texts)]
    # A table beside an image or a signal has no positions.
    with_positions = [array for array in others if array.ndim > axes + 1]
    if texts and not with_positions:
        return maps
    sides = np.min([_sides(array.shape[1:], axes) for array in with_positions or others], axis=0)
    limits = np.clip(sides // TIMES, 1, MOST_SIDE)
    # The longest side of a map belongs to the longest of the input, whatever the order of its axes.
    longest_first = np.argsort([-side for side in maps.shape[-axes:]], kind="stable")
    for axis, limit in zip(longest_first - axes, limits.tolist(), strict=True):
        maps = block_means(maps, int(axis) + maps.ndim, limit)
    return maps


def _sides(shape: tuple[int, ...], axes: int) -> list[int]:
    """The longest sides of an input, the longest first; equal ones if it is flat."""
    if len(shape) < axes:
        return [round(np.prod(shape) ** (1 / axes))] * axes
    return sorted(shape, reverse=True)[:axes]


def block_means(maps: np.ndarray, axis: int, most: int) -> np.ndarray:
    """The means of at most `most` blocks along an axis; the same maps if they have no more positions."""
    length = maps.shape[axis]
    if length <= most:
        return maps
    starts = np.arange(most) * length // most
    sizes = np.diff(np.append(starts, length))
    sums = np.add.reduceat(maps, starts, axis=axis)
    return np.asarray(sums / sizes.reshape(-1, *[1] * (maps.ndim - axis - 1)), maps.dtype)
