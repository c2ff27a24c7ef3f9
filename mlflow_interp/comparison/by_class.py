"""The inputs of each class, found once for all classes: of a million inputs, there may be a thousand."""

from __future__ import annotations

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN


def rows_by_class(labels: np.ndarray, counted: np.ndarray | None = None) -> dict[int, np.ndarray]:
    """The rows of each class, ascending, by class; without those of inputs whose class is not known.

    Args:
        labels: (n,) int64.
        counted: (n,) bool the inputs that count; None for all.
    """
    known = labels != UNKNOWN if counted is None else counted & (labels != UNKNOWN)
    rows = np.flatnonzero(known)
    rows = rows[np.argsort(labels[rows], kind="stable")]
    classes, starts = np.unique(labels[rows], return_index=True)
    ends = [*starts[1:], len(rows)][: len(starts)]
    return {label: rows[start:end] for label, start, end in zip(classes.tolist(), starts, ends, strict=True)}


class Complements:
    """Medians of all values but some.

    Args:
        values: (n,) finite.
    """

    def __init__(self, values: np.ndarray) -> None:
        order = np.argsort(values, kind="stable")
        self._ordered = values[order]
        self._place = np.empty(len(values), np.int64)
        self._place[order] = np.arange(len(values))

    def median_without(self, rows: np.ndarray) -> float:
        """The median of the values at all rows but these; NaN if there is none."""
        left_out = np.sort(self._place[rows])
        # Between the first and the k-th value that is left out are k others less.
        others_before = left_out - np.arange(len(left_out))
        count = len(self._ordered) - len(left_out)
        if not count:
            return float("nan")
        middle = [
            self._ordered[at + np.searchsorted(others_before, at, side="right")]
            for at in ((count - 1) // 2, count // 2)
        ]
        return float(middle[0] + middle[1]) / 2
