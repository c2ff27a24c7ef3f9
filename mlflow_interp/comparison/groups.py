"""Intervals and tests for inputs in groups, such as patients or videos: groups count, not inputs.

Groups are resampled as a whole (cluster bootstrap; Davison and Hinkley 1997, section 3.8). If no group
differs from another, as without any flip, resamples are all equal: the interval is then that of as many
inputs as there are groups.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from mlflow_interp.comparison.statistics import (
    RESAMPLES,
    Interval,
    agresti_min,
    fraction,
    interval_of,
    mcnemar,
    paired_difference,
)

_BLOCK = 100  # resamples in memory at a time


def grouped_fraction(hits: np.ndarray, groups: np.ndarray) -> Interval:
    """The fraction of inputs (n,) bool that are hits, with its interval."""
    sums, counts = _totals(hits.astype(np.float64), groups)
    if 0 < sums.sum() < counts.sum():
        return _mean_of(sums, counts)
    own = fraction(len(sums) if sums.sum() else 0, len(sums))
    return Interval(own.value, own.low, own.high, own.least, own.most, len(hits))


def grouped_difference(losses: np.ndarray, gains: np.ndarray, groups: np.ndarray) -> Interval:
    """The fraction of losses (n,) bool minus that of gains, with its interval."""
    sums, counts = _totals(losses.astype(np.float64) - gains, groups)
    if np.any(sums):
        return _mean_of(sums, counts)
    own = paired_difference(0, 0, len(sums))
    return Interval(own.value, own.low, own.high, own.least, own.most, len(losses))


def grouped_bounds(
    losses: np.ndarray, gains: np.ndarray, groups: np.ndarray, level: float
) -> tuple[float, float]:
    """Both bounds of that difference, each one-sided at a level that may be too high for resamples.

    By the standard error between groups with a quantile of Student's t; −1 and 1 for a single group.
    """
    from scipy.stats import t

    sums, counts = _totals(losses.astype(np.float64) - gains, groups)
    if len(sums) < 2:
        return -1.0, 1.0
    if not np.any(sums):
        return agresti_min(0, 0, len(sums), level)
    mean = sums.sum() / counts.sum()
    variance = ((sums - mean * counts) ** 2).sum() * len(sums) / (len(sums) - 1)
    half = float(t.ppf(level, len(sums) - 1)) * math.sqrt(variance) / counts.sum()
    return max(-1.0, float(mean - half)), min(1.0, float(mean + half))


def sign_test(losses: np.ndarray, gains: np.ndarray, groups: np.ndarray) -> float:
    """The mid-p value of the sign test that not more groups have more losses than gains than the reverse.

    It is McNemar's test, in which each group counts as one input.
    """
    sums, _ = _totals(losses.astype(np.float64) - gains, groups)
    return mcnemar(int((sums > 0).sum()), int((sums < 0).sum()))


def medians_of_groups(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The median of the values of each group."""
    return np.array([np.median(values[groups == each]) for each in np.unique(groups)])


def resampled_medians(values: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(resamples,) the medians of finite values (n,) whose groups are resampled."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    _, member_of = np.unique(groups, return_inverse=True)
    found = []
    for weights in _weights(int(member_of.max()) + 1, rng):
        upto = np.cumsum(weights[:, member_of[order]], axis=1)
        count = upto[:, -1:]
        middle = [ordered[(upto > at).argmax(axis=1)] for at in ((count - 1) // 2, count // 2)]
        found.append((middle[0] + middle[1]) / 2)
    return np.concatenate(found)


def _totals(values: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sum of the values of each group, and their number."""
    _, member_of = np.unique(groups, return_inverse=True)
    return np.bincount(member_of, values), np.bincount(member_of)


def _mean_of(sums: np.ndarray, counts: np.ndarray) -> Interval:
    rng = np.random.default_rng(0)
    drawn = [(weights @ sums) / (weights @ counts) for weights in _weights(len(sums), rng)]
    return interval_of(float(sums.sum() / counts.sum()), np.concatenate(drawn), int(counts.sum()))


def _weights(groups: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each group is in each resample, in blocks (resamples, groups)."""
    for _ in range(RESAMPLES // _BLOCK):
        drawn = rng.integers(0, groups, (_BLOCK, groups))
        places = drawn + groups * np.arange(_BLOCK)[:, np.newaxis]
        yield np.bincount(places.ravel(), minlength=groups * _BLOCK).reshape(_BLOCK, groups)
