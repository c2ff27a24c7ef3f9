"""How alike two versions represent the same inputs: shown, but no basis for a decision.

Two versions can represent inputs alike and still look at different things, and the reverse.
"""

from __future__ import annotations

import numpy as np

NEIGHBOURS = 10
FEWEST = 4  # inputs


def debiased_cka(old: np.ndarray, new: np.ndarray) -> float:
    """Linear centred kernel alignment of vectors (n, features) of the same inputs, without its bias.

    Kornblith et al. 2019, https://arxiv.org/abs/1905.00414, with the unbiased estimator of HSIC by Song et
    al. 2012 in each place. 1 for equal vectors up to rotation and scale, 0 on average for independent ones.
    NaN where the vectors of a version are all equal.
    """
    grams = [_without_diagonal(each) for each in (old, new)]
    cross, *own = (_hsic(*pair) for pair in ((grams[0], grams[1]), (grams[0],) * 2, (grams[1],) * 2))
    if min(own) <= 0:
        return float("nan")
    return float(cross / np.sqrt(own[0] * own[1]))


def _without_diagonal(vectors: np.ndarray) -> np.ndarray:
    values = np.asarray(vectors, np.float64)
    values = values - values.mean(axis=0)
    gram = np.asarray(values @ values.T)
    np.fill_diagonal(gram, 0)
    return gram


def _hsic(one: np.ndarray, other: np.ndarray) -> float:
    """The unbiased estimator of the Hilbert–Schmidt independence criterion; diagonals are zero."""
    count = len(one)
    trace = float((one * other).sum())
    sums = one.sum() * other.sum() / ((count - 1) * (count - 2))
    rows = 2 * float(one.sum(axis=0) @ other.sum(axis=0)) / (count - 2)
    return float((trace + sums - rows) / (count * (count - 3)))


def neighbour_overlap(old: np.ndarray, new: np.ndarray) -> float:
    """The mean share of the ten nearest neighbours of an input that it has in both versions, by cosine."""
    from sklearn.neighbors import NearestNeighbors

    count = min(NEIGHBOURS, len(old) - 1)
    found = []
    for vectors in (old, new):
        nearest = NearestNeighbors(n_neighbors=count + 1, metric="cosine", algorithm="brute").fit(vectors)
        indices = nearest.kneighbors(vectors, return_distance=False)
        # The input itself is usually first, but not if others are equal to it.
        found.append(
            [[each for each in row if each != at][:count] for at, row in enumerate(indices.tolist())]
        )
    shares = [len(set(one) & set(other)) / count for one, other in zip(*found, strict=True)]
    return float(np.mean(shares))
