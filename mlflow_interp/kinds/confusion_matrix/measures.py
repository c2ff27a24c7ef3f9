"""Measures of a confusion matrix, as scikit-learn defines them.

A matrix of counts or weights has a row for each true class and a column for each predicted one. For
inputs with several labels there is a matrix for each label, [[true negatives, false positives],
[false negatives, true positives]].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class PerClass:
    """The measures of each class, float64; 0/0 counts as 0, as with `zero_division=0`.

    Attributes:
        precision: (classes,) the fraction of predictions of the class that are correct.
        recall: (classes,) the fraction of inputs of the class that are predicted as it.
        f1: (classes,) their harmonic mean.
        support: (classes,) the count or weight of inputs of the class.
        predicted: (classes,) the count or weight of inputs predicted as the class.
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    predicted: np.ndarray

    @property
    def occurs(self) -> np.ndarray:
        """(classes,) bool, whether a class is among the labels or the predictions."""
        return np.asarray((self.support > 0) | (self.predicted > 0))


def per_class(matrix: np.ndarray) -> PerClass:
    """Precision, recall, F1 and support from (classes, classes), or from (labels, 2, 2)."""
    if matrix.ndim == 3:
        right = matrix[:, 1, 1]
        support = matrix[:, 1].sum(axis=1)
        predicted = matrix[:, :, 1].sum(axis=1)
    else:
        right = np.diagonal(matrix)
        support = matrix.sum(axis=1)
        predicted = matrix.sum(axis=0)
    return PerClass(
        precision=share(right, predicted),
        recall=share(right, support),
        f1=share(2 * right, support + predicted),
        support=support,
        predicted=predicted,
    )


def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """The quotient part / whole, float64, 0 where the whole is 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, float), np.asarray(whole, float))
    return np.asarray(np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0))


def single_measures(matrix: np.ndarray, occurs: np.ndarray | None = None) -> dict[str, float]:
    """Accuracy, balanced accuracy, macro F1 and Cohen's kappa of (classes, classes).

    Balanced accuracy is the mean recall of the classes among the labels, macro F1 the mean F1 of the classes
    among labels or predictions (`occurs`, even if their weights are all 0). Kappa is left out if it is 0/0,
    i.e. if all inputs belong to one class and are predicted as it.
    """
    each = per_class(matrix)
    total = matrix.sum()
    expected = np.dot(each.support / total, each.predicted / total)
    observed = np.trace(matrix) / total
    measures = {
        "accuracy": float(observed),
        "balanced_accuracy": float(each.recall[each.support > 0].mean()),
        "macro_f1": float(each.f1[each.occurs if occurs is None else occurs].mean()),
    }
    return measures | ({"kappa": float(1 - (1 - observed) / (1 - expected))} if expected < 1 else {})


def multi_measures(matrix: np.ndarray) -> dict[str, float]:
    """Hamming loss, micro F1 and macro F1 of (labels, 2, 2)."""
    wrong = matrix[:, 0, 1] + matrix[:, 1, 0]
    positives = matrix[:, 1, 1]
    return {
        "hamming_loss": float(wrong.sum() / matrix.sum()),
        "micro_f1": float(share(2 * positives.sum(), 2 * positives.sum() + wrong.sum())),
        "macro_f1": float(per_class(matrix).f1.mean()),
    }


def confused_pairs(counts: np.ndarray, most: int) -> list[tuple[int, int, int]]:
    """The most confused pairs, most frequent first: true class, predicted class, count.

    Ties are in the order of the classes.
    """
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    rows, columns = np.nonzero(wrong)
    times = wrong[rows, columns]
    order = np.argsort(-times, kind="stable")[:most]
    return [(int(rows[index]), int(columns[index]), int(times[index])) for index in order]


def normalized(matrix: np.ndarray, how: str) -> np.ndarray:
    """A matrix (…, classes, classes) as float64 shares, 0 where the whole is 0.

    Args:
        matrix: counts or weights.
        how: "none" leaves it unchanged; "true" gives shares of each row, "predicted" of each column,
            "all" of everything.
    """
    axes = {"true": (-1,), "predicted": (-2,), "all": (-2, -1)}
    if how == "none":
        return matrix.astype(np.float64)
    return share(matrix, matrix.sum(axis=axes[how], keepdims=True))
