"""Some of many inputs, every class in its share, and the same ones again."""

from __future__ import annotations

import numpy as np


def stratified(labels: np.ndarray, count: int, *, seed: int | None) -> np.ndarray:
    """(m,) int64 sorted positions: at most `count`, of each label as near its share as rounding lets.

    Args:
        labels: (n,) of anything that can be compared; all alike where nothing is known.
        count: how many to take.
        seed: of the choice within a label; None chooses anew each time.
    """
    if len(labels) <= count:
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    grouped = order[np.argsort(labels[order], kind="stable")]
    # Evenly spaced in what is sorted by label: each label is met as often as its share says.
    return np.sort(grouped[np.arange(count) * len(labels) // count])
