"""How far an embedding, and the layer behind it, can be trusted: which inputs are neighbours."""

from __future__ import annotations

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.sampling import stratified

NEIGHBOURS = 10
SAMPLE = 1000  # the measures' own work grows with the square of it
# Those that umap-learn and scikit-learn know by the same name, and that need no arguments.
METRICS = frozenset(
    ("euclidean", "l2", "manhattan", "l1", "chebyshev", "cosine", "correlation", "canberra", "braycurtis")
)


def judge(rows: np.ndarray, points: np.ndarray, labels: np.ndarray, *, metric: str) -> dict[str, float]:
    """Measures of one layer, each near 1 where it is best; a sample of 1,000 inputs stands for more.

    trustworthiness: whether neighbours in the picture are neighbours in the layer (Venna and Kaski 2001).
    knn_agreement: the share of an input's ten nearest in the layer's own space that have its label: how
    well the layer separates the classes. silhouette: how much nearer an input's own class is there than
    the next (Rousseeuw 1987), -1 to 1. The last two only where labels are known, of two classes or more.

    Args:
        rows: (n, features) activations, n >= 4.
        points: (n, components) their embedding.
        labels: (n,) class indices, `UNKNOWN` where not known.
        metric: how activations are compared; one that is not in `METRICS` counts as euclidean.
    """
    from sklearn.manifold import trustworthiness
    from sklearn.metrics import silhouette_score

    metric = metric if metric in METRICS else "euclidean"
    sample = stratified(labels, SAMPLE, seed=0)
    neighbours = max(1, min(NEIGHBOURS, (len(sample) - 1) // 2))
    found = {
        "trustworthiness": float(
            trustworthiness(rows[sample], points[sample], n_neighbors=neighbours, metric=metric)
        )
    }
    known = labels != UNKNOWN
    sample = sample[known[sample]]
    classes = len(np.unique(labels[sample]))
    if 2 <= classes < len(sample):
        found["knn_agreement"] = label_agreement(rows, labels, sample, metric=metric)
        found["silhouette"] = float(silhouette_score(rows[sample], labels[sample], metric=metric))
    return found


def label_agreement(rows: np.ndarray, labels: np.ndarray, sample: np.ndarray, *, metric: str) -> float:
    """The mean share, among the nearest labelled inputs of each of a sample, that have its label.

    Of a class of fewer than eleven only as many neighbours count as could agree, so that 1 can be
    reached; an input that is alone in its class doesn't count.
    """
    from sklearn.neighbors import NearestNeighbors

    known = np.flatnonzero(labels != UNKNOWN)
    among = rows if len(known) == len(rows) else rows[known]
    count = min(NEIGHBOURS + 1, len(known))
    finder = NearestNeighbors(n_neighbors=count, algorithm="brute", metric=metric).fit(among)
    nearest = known[finder.kneighbors(rows[sample], return_distance=False)]
    others = _without_itself(nearest, sample)
    sizes = dict(zip(*np.unique(labels[known], return_counts=True), strict=True))
    possible = np.array([min(NEIGHBOURS, sizes[label] - 1) for label in labels[sample]])
    counted = np.arange(others.shape[1]) < possible[:, np.newaxis]
    agreeing = ((labels[others] == labels[sample, np.newaxis]) & counted).sum(axis=1)
    return float((agreeing[possible > 0] / possible[possible > 0]).mean()) if possible.any() else 0.0


def _without_itself(nearest: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """Neighbours without the input itself, which is the first but where others are exactly like it."""
    itself = nearest == sample[:, np.newaxis]
    itself[~itself.any(axis=1), -1] = True
    return np.asarray(nearest[~itself].reshape(len(sample), -1))
