"""Rankings of the positions of an input by a heatmap, and what is kept of the input along them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

STEPS = 16  # of a curve: after each, a further sixteenth of the positions is replaced


def enlarged(maps: np.ndarray, sides: Sequence[int]) -> np.ndarray:
    """Maps (n, *grid) resampled linearly to (n, *sides); values hold at the centres of positions.

    Args:
        maps: the maps.
        sides: the number of positions along each axis.
    """
    values = np.asarray(maps, np.float64)
    for axis, (cells, side) in enumerate(zip(values.shape[1:], sides, strict=True), start=1):
        if cells == side:
            continue
        at = np.clip((np.arange(side) + 0.5) * cells / side - 0.5, 0, cells - 1)
        low = np.floor(at).astype(int)
        share = (at - low).reshape([-1 if each == axis else 1 for each in range(values.ndim)])
        upper = values.take(np.minimum(low + 1, cells - 1), axis=axis)
        values = values.take(low, axis=axis) * (1 - share) + upper * share
    return values


def ranks(values: np.ndarray, seed: int) -> np.ndarray:
    """The rank of each position, 0 for the largest value; ties are broken by a seeded permutation.

    Args:
        values: (*sides), a map.
        seed: of the permutation, which is the same for all maps of this size.
    """
    flat = np.asarray(values).reshape(-1)
    order = np.random.default_rng(seed).permutation(flat.size)
    order = order[np.argsort(-flat[order], kind="stable")]
    found = np.empty(flat.size, np.int64)
    found[order] = np.arange(flat.size)
    return found.reshape(np.shape(values))


def kept_along(ranking: np.ndarray) -> np.ndarray:
    """What is kept of an input along a ranking: masks (2, STEPS - 1, *sides), 1 where a position is kept.

    The first half deletes from the input what ranks first, the second inserts it into the baseline. The ends,
    which are the input and the baseline, are left out.
    """
    bounds = np.rint(np.arange(1, STEPS) / STEPS * ranking.size).reshape([-1] + [1] * ranking.ndim)
    inserted = ranking < bounds
    return np.stack([~inserted, inserted])


def curves(scores: np.ndarray, clean: float, baseline: float) -> np.ndarray:
    """The curves of deletion and insertion with both ends, (2, STEPS + 1).

    Args:
        scores: (2, STEPS - 1), of the masks of `kept_along`.
        clean: the score of the input.
        baseline: the score of the baseline.
    """
    ends = np.array([[clean, baseline], [baseline, clean]], np.float64)
    return np.concatenate([ends[:, :1], scores, ends[:, 1:]], axis=1)


def areas(points: np.ndarray) -> np.ndarray:
    """The areas below curves (…, STEPS + 1) over the share of positions, by the trapezoidal rule."""
    return np.asarray((points[..., 1:] + points[..., :-1]).sum(axis=-1) / (2 * STEPS))
