"""Intervals and tests of paired differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mlflow_interp.core.resampling import resampled_means, resampled_medians


@dataclass(frozen=True)
class Interval:
    """A number with its bounds.

    Attributes:
        value: the number; NaN if it is not defined.
        low: the lower end of the 95 % interval.
        high: its upper end.
        least: the one-sided 95 % lower bound, which a gate compares with.
        most: the one-sided 95 % upper bound.
        count: the number of inputs.
    """

    value: float
    low: float
    high: float
    least: float
    most: float
    count: int

    def scaled(self, factor: float) -> Interval:
        """The number and its bounds times a positive factor."""
        value, low, high, least, most = (
            float(factor * each) for each in (self.value, self.low, self.high, self.least, self.most)
        )
        return Interval(value, low, high, least, most, self.count)

    def moved(self, distance: float) -> Interval:
        """The number and its bounds plus a distance."""
        value, low, high, least, most = (
            each + distance for each in (self.value, self.low, self.high, self.least, self.most)
        )
        return Interval(value, low, high, least, most, self.count)

    def flipped(self) -> Interval:
        """The number with the opposite sign."""
        return Interval(-self.value, -self.high, -self.low, -self.most, -self.least, self.count)


def undefined(count: int = 0) -> Interval:
    """A number that is not defined."""
    return Interval(math.nan, math.nan, math.nan, math.nan, math.nan, count)


def mcnemar(losses: int, gains: int) -> float:
    """The mid-p value of McNemar's test that losses are not more frequent than gains, one-sided.

    Fagerland, Lydersen and Laake 2013, https://doi.org/10.1186/1471-2288-13-91.

    Args:
        losses: the number of inputs that only the first version predicts correctly.
        gains: the number that only the second does.
    """
    from scipy.stats import binom

    total = losses + gains
    if total == 0:
        return 1.0
    return float(binom.sf(losses, total, 0.5) + 0.5 * binom.pmf(losses, total, 0.5))


def paired_difference(losses: int, gains: int, count: int) -> Interval:
    """The fraction of losses minus that of gains among `count` pairs: positive if losses are more frequent.

    The interval is that of Agresti and Min 2005, https://doi.org/10.1002/sim.1781.
    """
    low, high = agresti_min(losses, gains, count, 0.975)
    least, most = agresti_min(losses, gains, count, 0.95)
    return Interval((losses - gains) / count, low, high, least, most, count)


def agresti_min(losses: int, gains: int, count: int, level: float) -> tuple[float, float]:
    """Both bounds, each one-sided at a level such as 0.975; half a pair is added to losses and to gains.

    They are clipped to −1 and 1, which they may exceed with few pairs.
    """
    from scipy.stats import norm

    b, c, total = losses + 0.5, gains + 0.5, count + 2
    centre = (b - c) / total
    half = float(norm.ppf(level)) * math.sqrt(b + c - (b - c) ** 2 / total) / total
    return max(-1.0, centre - half), min(1.0, centre + half)


def fraction(hits: int, count: int) -> Interval:
    """A fraction with the exact interval of Clopper and Pearson 1934."""
    from scipy.stats import binomtest

    found = binomtest(hits, count)
    two, one = (found.proportion_ci(level, method="exact") for level in (0.95, 0.90))
    return Interval(hits / count, float(two.low), float(two.high), float(one.low), float(one.high), count)


def bootstrapped(
    values: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
    *,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> Interval:
    """A function of means of inputs, with its interval by resampling them (percentiles of 2,000 resamples).

    Args:
        values: (n, k) of the same inputs.
        statistic: a function of the means (…, k) that returns (…).
        seed: the seed of the resamples, so that they are the same in every call.
        groups: (n,) int64, a group of inputs that belong together, such as a patient; groups are resampled.
    """
    own = float(statistic(np.asarray(np.mean(values, axis=0, dtype=np.float64))))
    if not math.isfinite(own):
        return Interval(own, own, own, own, own, len(values))
    resampled = statistic(resampled_means(values, np.random.default_rng(seed), groups))
    return interval_of(own, resampled[np.isfinite(resampled)], len(values))


def interval_of(value: float, resampled: np.ndarray, count: int) -> Interval:
    """A number with the percentiles of its resamples as bounds."""
    low, least, most, high = np.quantile(resampled, [0.025, 0.05, 0.95, 0.975])
    return Interval(value, float(low), float(high), float(least), float(most), count)


def medians(values: np.ndarray) -> np.ndarray:
    """The medians of the finite values of rows (…, n); NaN for a row without any."""
    ordered = np.sort(np.where(np.isfinite(values), values, np.inf), axis=-1)
    counts = np.isfinite(values).sum(axis=-1, keepdims=True)
    middle = [
        np.take_along_axis(ordered, np.maximum(at, 0), axis=-1)[..., 0]
        for at in ((counts - 1) // 2, counts // 2)
    ]
    return np.where(counts[..., 0] > 0, (middle[0] + middle[1]) / 2, np.nan)


def median(values: np.ndarray, *, seed: int = 0, groups: np.ndarray | None = None) -> Interval:
    """The median of the finite values, with its bootstrap interval; `count` is the number of these."""
    known = np.isfinite(values)
    finite = values[known]
    if not len(finite):
        return undefined()
    own_groups = None if groups is None else groups[known]
    resampled = resampled_medians(finite, np.random.default_rng(seed), own_groups)
    return interval_of(float(np.median(finite)), resampled, len(finite))


def mean(values: np.ndarray, *, seed: int = 0, groups: np.ndarray | None = None) -> Interval:
    """The mean of values, with its bootstrap interval."""
    return bootstrapped(values[:, np.newaxis], lambda means: means[..., 0], seed=seed, groups=groups)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number by Holm 1979, in the same order."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    running = 0.0
    for position, at in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - position) * float(p_values[at])))
        adjusted[at] = running
    return adjusted.tolist()


def signed_rank(values: np.ndarray, bound: float) -> float:
    """The p-value of Wilcoxon's signed-rank test that values are not below a bound, one-sided."""
    from scipy.stats import wilcoxon

    differences = values[np.isfinite(values)] - bound
    if not len(differences) or not np.any(differences):
        return 1.0
    return float(wilcoxon(differences, alternative="less").pvalue)
