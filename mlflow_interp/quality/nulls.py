"""Maps that know nothing of the prediction, which a heatmap has to beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RANDOM_MAPS = 3
#: What each null marks, by name, in the order of arrays and metrics.
NULLS = {
    "random": "random positions",
    "centre": "positions from the middle outwards",
    "edges": "edges",
    "image": "bright positions",
}


def random_maps(grid: Sequence[int], seed: int) -> np.ndarray:
    """Random maps (RANDOM_MAPS, *grid), the same for all inputs, on the grid of a heatmap.

    Random positions would be finer than the heatmap: they destroy an input faster, and would be no null.
    """
    return np.random.default_rng([seed, *grid]).random((RANDOM_MAPS, *grid))


def centre_map(sides: Sequence[int]) -> np.ndarray:
    """A map (*sides) that is strongest in the middle, where photographers put what matters."""
    found = np.zeros(tuple(sides))
    for axis, side in enumerate(sides):
        at = (np.arange(side) + 0.5) / side - 0.5
        found = found - (at**2).reshape([-1 if each == axis else 1 for each in range(found.ndim)])
    return found


def edge_maps(inputs: np.ndarray) -> np.ndarray:
    """The magnitude of the gradient of brightness, (n, *sides), of inputs (n, *sides, channels)."""
    brightness = image_maps(inputs)
    axes = [axis for axis in range(1, brightness.ndim) if brightness.shape[axis] > 1]
    slopes = [np.gradient(brightness, axis=axis) for axis in axes]
    return np.asarray(np.sqrt(sum((slope**2 for slope in slopes), np.zeros_like(brightness))))


def image_maps(inputs: np.ndarray) -> np.ndarray:
    """The mean of the channels, (n, *sides), of inputs (n, *sides, channels)."""
    return np.asarray(inputs.mean(axis=-1, dtype=np.float64))
