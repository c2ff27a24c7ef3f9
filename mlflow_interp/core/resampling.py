"""Bootstrap resamples of means and medians; groups of inputs, such as patients, are resampled as a whole.

Davison and Hinkley 1997; the cluster bootstrap is in section 3.8.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

RESAMPLES = 2_000
MOST_DRAWN = 10_000  # inputs or groups; means of more are normal to within the noise of the resamples
_BLOCK = 100  # resamples in memory at a time
_CELLS = 20_000_000  # numbers in memory at a time, for which there may be fewer resamples


def resampled_means(values: np.ndarray, rng: np.random.Generator, groups: np.ndarray | None) -> np.ndarray:
    """(resamples, k) the means of the columns of values (n, k).

    Means of more than 10,000 inputs or groups are drawn from their normal distribution.

    Args:
        values: the values.
        rng: draws the resamples.
        groups: (n,) which inputs belong together; None if each stands for itself.
    """
    sums, counts = totals(values, groups)
    if len(sums) > MOST_DRAWN:
        return _drawn_means(sums, counts, rng)
    drawn = [
        (weights @ sums) / (weights @ counts)[:, np.newaxis] for weights in resampled_weights(len(sums), rng)
    ]
    return np.concatenate(drawn)


def _drawn_means(sums: np.ndarray, counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Means drawn from a normal distribution with the covariance between inputs or groups."""
    mean = sums.sum(axis=0, dtype=np.float64) / counts.sum()
    products = np.zeros((len(mean), len(mean)))
    for start in range(0, len(sums), MOST_DRAWN):  # so that no array is as large as the values
        rows = slice(start, start + MOST_DRAWN)
        residuals = sums[rows] - counts[rows, np.newaxis] * mean
        products += residuals.T @ residuals
    return rng.multivariate_normal(mean, products / counts.sum() ** 2, RESAMPLES, method="eigh")


def resampled_medians(values: np.ndarray, rng: np.random.Generator, groups: np.ndarray | None) -> np.ndarray:
    """(resamples,) the medians of finite values (n,).

    Without groups, the resamples themselves need not be drawn: which of the sorted values is the k-th
    smallest of a resample follows the distribution of the k-th smallest of n uniform numbers.
    """
    if groups is None:
        return _drawn_medians(np.sort(values), rng)
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    _, member_of = np.unique(groups, return_inverse=True)
    found = []
    for weights in resampled_weights(int(member_of.max()) + 1, rng, width=len(values)):
        upto = np.cumsum(weights[:, member_of[order]], axis=1)
        count = upto[:, -1:]
        middle = [ordered[(upto > at).argmax(axis=1)] for at in ((count - 1) // 2, count // 2)]
        found.append((middle[0] + middle[1]) / 2)
    return np.concatenate(found)


def _drawn_medians(ordered: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    count = len(ordered)
    rank = (count + 1) // 2  # of the lower middle, from 1
    lower = rng.beta(rank, count - rank + 1, RESAMPLES)
    upper = lower
    if count % 2 == 0:  # the smallest of the others, which are uniform above the lower middle
        upper = 1 - (1 - lower) * rng.random(RESAMPLES) ** (1 / (count - rank))
    middle = [ordered[np.minimum((each * count).astype(np.int64), count - 1)] for each in (lower, upper)]
    return np.asarray((middle[0] + middle[1]) / 2)


def totals(values: np.ndarray, groups: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The sums (g, …) of the values (n, …) of each group, and their numbers (g,)."""
    if groups is None:
        return values, np.ones(len(values), np.int64)
    _, member_of = np.unique(groups, return_inverse=True)
    counts = np.bincount(member_of)
    sums = np.zeros((len(counts), *values.shape[1:]))
    np.add.at(sums, member_of, values)
    return sums, counts


def resampled_weights(groups: int, rng: np.random.Generator, *, width: int = 1) -> Iterator[np.ndarray]:
    """How often each group is in each resample, in blocks (resamples, groups).

    Args:
        groups: the number of groups.
        rng: draws the resamples.
        width: the number of values that are computed for each resample.
    """
    most = int(np.clip(_CELLS // max(groups, width), 1, _BLOCK))
    for start in range(0, RESAMPLES, most):
        count = min(most, RESAMPLES - start)
        drawn = rng.integers(0, groups, (count, groups))
        places = drawn + groups * np.arange(count)[:, np.newaxis]
        yield np.bincount(places.ravel(), minlength=groups * count).reshape(count, groups)
