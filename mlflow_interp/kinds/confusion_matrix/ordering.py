"""The order of classes in a confusion matrix."""

from __future__ import annotations

from typing import Literal

import numpy as np

from mlflow_interp.exceptions import OptionError
from mlflow_interp.kinds.confusion_matrix.measures import normalized, per_class

Order = Literal["given", "cluster", "support", "recall"]

_MOST_OPTIMAL = 200  # classes; the cost of an optimal order grows with the cube of their number


def class_order(matrix: np.ndarray, order: Order) -> np.ndarray:
    """(classes,) int64, the class at each position.

    Args:
        matrix: (classes, classes) or (labels, 2, 2).
        order: "given"; "cluster", with confused classes side by side; "support", the largest class first;
            "recall", the lowest recall first.

    Raises:
        OptionError: "cluster" for labels, which are not confused with each other.
    """
    if order == "cluster" and matrix.ndim == 3:
        raise OptionError(f"no order {order!r} for labels; available: given, support, recall")
    if order == "given":
        return np.arange(len(matrix))
    if order == "cluster":
        return clustered(matrix)
    each = per_class(matrix)
    # A class without inputs has no recall and comes last.
    keys = -each.support if order == "support" else np.where(each.support > 0, each.recall, np.inf)
    return np.argsort(keys, kind="stable")


def clustered(matrix: np.ndarray) -> np.ndarray:
    """Classes ordered by average linkage: close if a large share of one is predicted as the other."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(matrix) < 3:
        return np.arange(len(matrix))
    shares = normalized(matrix, "true")
    similarity = (shares + shares.T) / 2
    np.fill_diagonal(similarity, 0)
    distance = 1 - similarity / (similarity.max() or 1)
    np.fill_diagonal(distance, 0)
    tree = linkage(
        squareform(distance, checks=False), "average", optimal_ordering=len(matrix) <= _MOST_OPTIMAL
    )
    return np.asarray(leaves_list(tree), np.int64)
