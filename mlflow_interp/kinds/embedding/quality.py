"""Quality measures of an embedding and of its layer, based on neighbours."""

from __future__ import annotations

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN

NEIGHBOURS = 10
MOST_JUDGED = 1000  # the cost of the measures grows with its square
# Metrics without arguments that have the same name in umap-learn and scikit-learn.
METRICS = frozenset(
    ("euclidean", "l2", "manhattan", "l1", "chebyshev", "cosine", "correlation", "canberra", "braycurtis")
)


def judge(
    rows: np.ndarray, points: np.ndarray, labels: np.ndarray, *, sample: np.ndarray, metric: str
) -> dict[str, float]:
    """Measures of one layer, each best near 1, on a sample of its inputs.

    trustworthiness: whether neighbours in the plot are neighbours in activation space (Venna and Kaski 2001).
    knn_agreement: the fraction of an input's ten nearest neighbours in activation space that have its label,
    i.e. how well the layer separates the classes. silhouette: how much closer an input is to its own class
    than to the next one in activation space (Rousseeuw 1987), -1 to 1. The last two require labels of at
    least two classes.

    Args:
        rows: (n, features) activations, n >= 4.
        points: (n, components) their embedding.
        labels: (n,) class indices, `UNKNOWN` where not known.
        sample: (m,) the rows of the inputs to measure, m >= 4.
        metric: the metric of activations; one that is not in `METRICS` counts as euclidean.
    """
    from sklearn.manifold import trustworthiness
    from sklearn.metrics import silhouette_score

    metric = metric if metric in METRICS else "euclidean"
    neighbours = max(1, min(NEIGHBOURS, (len(sample) - 1) // 2))
    measures = {
        "trustworthiness": float(
            trustworthiness(rows[sample], points[sample], n_neighbors=neighbours, metric=metric)
        )
    }
    known = labels != UNKNOWN
    sample = sample[known[sample]]
    classes = len(np.unique(labels[sample]))
    if 2 <= classes < len(sample):
        measures["knn_agreement"] = label_agreement(rows, labels, sample, metric=metric)
        measures["silhouette"] = float(silhouette_score(rows[sample], labels[sample], metric=metric))
    return measures


def label_agreement(rows: np.ndarray, labels: np.ndarray, sample: np.ndarray, *, metric: str) -> float:
    """The mean fraction of the nearest labelled neighbours of each sampled input that have its label.

    In a class of fewer than eleven inputs, only as many neighbours count as can agree, so that 1 is always
    reachable. The only input of a class does not count.
    """
    from sklearn.neighbors import NearestNeighbors

    known = np.flatnonzero(labels != UNKNOWN)
    labelled = rows if len(known) == len(rows) else rows[known]
    count = min(NEIGHBOURS + 1, len(known))
    finder = NearestNeighbors(n_neighbors=count, algorithm="brute", metric=metric).fit(labelled)
    nearest = known[finder.kneighbors(rows[sample], return_distance=False)]
    neighbours = _without_itself(nearest, sample)
    sizes = dict(zip(*np.unique(labels[known], return_counts=True), strict=True))
    possible = np.array([min(NEIGHBOURS, sizes[label] - 1) for label in labels[sample]])
    counted = np.arange(neighbours.shape[1]) < possible[:, np.newaxis]
    agreeing = ((labels[neighbours] == labels[sample, np.newaxis]) & counted).sum(axis=1)
    return float((agreeing[possible > 0] / possible[possible > 0]).mean()) if possible.any() else 0.0


def _without_itself(nearest: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """Neighbours without the input itself, which comes first unless other inputs equal it."""
    itself = nearest == sample[:, np.newaxis]
    itself[~itself.any(axis=1), -1] = True
    return np.asarray(nearest[~itself].reshape(len(sample), -1))
