"""Counts of pairs of true and predicted class, chunk by chunk in constant memory.

Pairs become codes, `label · classes + prediction`, in a buffer about as long as the number of cells:
`np.bincount` costs as much for the cells as for the codes, and is called once for each full buffer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mlflow_interp.exceptions import InputsError

Write = Callable[[slice, np.ndarray], None]

_SMALLEST_BUFFER = 1 << 16  # codes
_LARGEST_BUFFER = 1 << 22


class Cells:
    """Counts codes 0..cells-1 exactly, and sums their weights if there are any."""

    def __init__(self, cells: int) -> None:
        self.cells = cells
        self._counts: np.ndarray | None = None
        self._sums: np.ndarray | None = None
        self._codes = np.empty(min(max(cells, _SMALLEST_BUFFER), _LARGEST_BUFFER), np.int64)
        self._weights: np.ndarray | None = None
        self._used = 0

    def add(self, total: int, write: Write, weights: np.ndarray | None) -> None:
        """Count `total` codes, which `write(part, out)` writes into `out`, a part of the buffer."""
        if weights is not None and self._weights is None:
            self._start_weights()
        start = 0
        while start < total:
            if self._used == len(self._codes):
                self._flush()
            free = slice(self._used, min(self._used + total - start, len(self._codes)))
            part = slice(start, start + free.stop - free.start)
            write(part, self._codes[free])
            if self._weights is not None:
                self._weights[free] = 1.0 if weights is None else weights[part]
            start = part.stop
            self._used = free.stop

    def _start_weights(self) -> None:
        """Sum weights from now on; the weight of each earlier code is one."""
        self._sums = self.counts.astype(np.float64)
        self._weights = np.empty(len(self._codes))

    def _flush(self) -> None:
        codes = self._codes[: self._used]
        self._used = 0
        if self._sums is not None and self._weights is not None:
            self._sums += np.bincount(codes, self._weights[: len(codes)], self.cells)
        if self._counts is None:
            self._counts = np.bincount(codes, minlength=self.cells)
        elif 4 * len(codes) < self.cells:
            # Few codes for many cells: bincount would allocate and add a whole matrix for them.
            occurring, times = np.unique(codes, return_counts=True)
            self._counts[occurring] += times
        else:
            self._counts += np.bincount(codes, minlength=self.cells)

    def merge(self, other: Cells) -> None:
        """Add the counts of another instance."""
        if other.sums is not None and self._weights is None:
            self._start_weights()
        counts = self.counts
        counts += other.counts
        if self._sums is not None:
            self._sums += other.counts if other.sums is None else other.sums

    def __getstate__(self) -> dict[str, Any]:
        # Without the buffers, which are empty then.
        return {"cells": self.cells, "counts": self.counts, "sums": self.sums}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["cells"])  # type: ignore[misc]
        self._counts = state["counts"]
        self._sums = state["sums"]
        self._weights = None if self._sums is None else np.empty(len(self._codes))

    @property
    def counts(self) -> np.ndarray:
        """(cells,) int64, how often each code occurs. Not a copy: further counting changes it."""
        self._flush()
        return np.asarray(self._counts)

    @property
    def sums(self) -> np.ndarray | None:
        """(cells,) float64, the sum of weights of each code, not a copy; None if no weights were given."""
        self._flush()
        return self._sums


class Counter:
    """Counts how often each class was predicted as each class.

        counter = Counter(classes=10)
        counter.add(labels, predictions)
        counter.counts[3, 5]  # how often class 3 was predicted as class 5

    Args:
        classes: The number of classes.
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self._cells = Cells(classes * classes)

    def add(self, labels: np.ndarray, predictions: np.ndarray, weights: np.ndarray | None = None) -> None:
        """Count pairs.

        Args:
            labels: (n,) integers, the true classes.
            predictions: (n,) integers, the classes predicted.
            weights: (n,) the weight of each pair in `weighted`; `counts` ignores them.

        Raises:
            InputsError: a class out of range, or arrays of different lengths.
        """
        labels = np.asarray(labels)
        predictions = np.asarray(predictions)
        if not len(labels) == len(predictions) == (len(labels) if weights is None else len(weights)):
            raise InputsError(
                f"{len(labels)} labels and {len(predictions)} predictions"
                f"{'' if weights is None else f' and {len(weights)} weights'} don't match; give equal numbers"
            )
        self._check(labels, "labels")
        self._check(predictions, "predictions")

        def write(part: slice, codes: np.ndarray) -> None:
            np.multiply(labels[part], self.classes, out=codes, casting="unsafe", dtype=np.int64)
            np.add(codes, predictions[part], out=codes, casting="unsafe", dtype=np.int64)

        self._cells.add(len(labels), write, weights)

    def _check(self, classes: np.ndarray, what: str) -> None:
        # Read as unsigned, a negative number is huge: a single pass finds both errors.
        unsigned = classes.view(f"u{classes.itemsize}") if classes.dtype.kind == "i" else classes
        if not len(classes) or unsigned.max() < self.classes:
            return
        wrong = classes[unsigned >= self.classes][0]
        raise InputsError(
            f"{what} contain class {wrong}, but the classes are 0–{self.classes - 1}; "
            "give class indices in this range"
        )

    def merge(self, other: Counter) -> None:
        """Add the counts of other pairs."""
        self._cells.merge(other._cells)

    @property
    def counts(self) -> np.ndarray:
        """(classes, classes) int64, rows are true and columns predicted classes; further counts change it."""
        return self._cells.counts.reshape(self.classes, self.classes)

    @property
    def weighted(self) -> np.ndarray | None:
        """(classes, classes) float64: summed weights; None if no weights were given."""
        sums = self._cells.sums
        return None if sums is None else sums.reshape(self.classes, self.classes)


class LabelCounter:
    """Counts true and false positives and negatives of each label, if inputs may have several labels.

    Args:
        labels: The number of labels.
    """

    def __init__(self, labels: int) -> None:
        self.labels = labels
        self._cells = Cells(4 * labels)
        self._offsets = 4 * np.arange(labels)

    def add(self, labels: np.ndarray, predictions: np.ndarray, weights: np.ndarray | None = None) -> None:
        """Count true and predicted labels, both (n, labels) bool; `weights` (n,) as in `Counter`."""
        codes = (self._offsets + 2 * labels + predictions).ravel()
        weights = None if weights is None else np.repeat(weights, self.labels)

        def write(part: slice, out: np.ndarray) -> None:
            out[:] = codes[part]

        self._cells.add(len(codes), write, weights)

    def merge(self, other: LabelCounter) -> None:
        """Add the counts of other inputs."""
        self._cells.merge(other._cells)

    @property
    def counts(self) -> np.ndarray:
        """(labels, 2, 2) int64: [[true negatives, false positives], [false negatives, true positives]]."""
        return self._cells.counts.reshape(-1, 2, 2)

    @property
    def weighted(self) -> np.ndarray | None:
        """The same, (labels, 2, 2) float64, with weights; None if no weights were given."""
        sums = self._cells.sums
        return None if sums is None else sums.reshape(-1, 2, 2)
