"""Intervals and tests for inputs in groups, such as patients or videos: groups count, not inputs.

Groups are resampled as a whole. If no group differs from another, as without any flip, resamples are all
equal: the interval is then that of as many inputs as there are groups.
"""

from __future__ import annotations

import math

import numpy as np

from mlflow_interp.comparison.statistics import (
    Interval,
    agresti_min,
    fraction,
    interval_of,
    mcnemar,
    paired_difference,
)
from mlflow_interp.core.resampling import resampled_means, totals


def grouped_fraction(hits: np.ndarray, groups: np.ndarray) -> Interval:
    """The fraction of inputs (n,) bool that are hits, with its interval."""
    sums, counts = totals(hits, groups)
    if 0 < sums.sum() < counts.sum():
        return _mean_of(hits, groups)
    own = fraction(len(sums) if sums.sum() else 0, len(sums))
    return Interval(own.value, own.low, own.high, own.least, own.most, len(hits))


def grouped_difference(losses: np.ndarray, gains: np.ndarray, groups: np.ndarray) -> Interval:
    """The fraction of losses (n,) bool minus that of gains, with its interval."""
    differences = losses.astype(np.float64) - gains
    sums, _ = totals(differences, groups)
    if np.any(sums):
        return _mean_of(differences, groups)
    own = paired_difference(0, 0, len(sums))
    return Interval(own.value, own.low, own.high, own.least, own.most, len(losses))


def grouped_bounds(
    losses: np.ndarray, gains: np.ndarray, groups: np.ndarray, level: float
) -> tuple[float, float]:
    """Both bounds of that difference, each one-sided at a level that may be too high for resamples.

    By the standard error between groups with a quantile of Student's t; −1 and 1 for a single group.
    """
    from scipy.stats import t

    sums, counts = totals(losses.astype(np.float64) - gains, groups)
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
    sums, _ = totals(losses.astype(np.float64) - gains, groups)
    return mcnemar(int((sums > 0).sum()), int((sums < 0).sum()))


def medians_of_groups(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The median of the values of each group."""
    return np.array([np.median(values[groups == each]) for each in np.unique(groups)])


def _mean_of(values: np.ndarray, groups: np.ndarray) -> Interval:
    resampled = resampled_means(values[:, np.newaxis], np.random.default_rng(0), groups)
    return interval_of(float(values.mean()), resampled[:, 0], len(values))
