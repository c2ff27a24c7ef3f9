"""A stratified sample of inputs, the same for the same seed."""

from __future__ import annotations

import numpy as np


def stratified(labels: np.ndarray, count: int, *, seed: int | None) -> np.ndarray:
    """(m,) int64 sorted positions: at most `count`, of each label its share of all, up to rounding.

    Args:
        labels: (n,) of anything that can be compared; all equal where nothing is known.
        count: the size of the sample.
        seed: of the choice within a label; None chooses others each time.
    """
    if len(labels) <= count:
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    grouped = order[np.argsort(labels[order], kind="stable")]
    # Evenly spaced positions in an order sorted by label: each label gets its share.
    return np.sort(grouped[np.arange(count) * len(labels) // count])
