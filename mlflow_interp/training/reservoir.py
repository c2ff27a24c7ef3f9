"""A stratified sample from a stream of batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mlflow_interp.backend.validation_tap import ValidationBatch
from mlflow_interp.core.chunk import Arrays, flatten
from mlflow_interp.core.digests import row_digests
from mlflow_interp.core.sampling import position_digests, sample_rows, stratified_rows

_MOST_BYTES = 512 * 2**20  # bytes of stored inputs that a sample is chosen from


def choose(inputs: Arrays, labels: np.ndarray | None, count: int, seed: int) -> np.ndarray:
    """Positions of a sample of inputs in memory, stratified if the labels are classes."""
    positions = np.arange(len(flatten(inputs)[0]))
    return stratified_rows(
        position_digests(positions), class_of_rows(labels, len(positions)), count, seed=seed
    )


def class_of_rows(labels: np.ndarray | None, total: int) -> np.ndarray:
    """(n,) values to stratify by: classes, or zeros if the labels aren't classes."""
    if labels is None:
        return np.zeros(total, np.int64)
    values = np.asarray(labels).reshape(total, -1)
    if values.shape[1] > 1:
        return np.asarray(values.argmax(axis=1))
    return values[:, 0] if is_classes(values) else np.zeros(total, np.int64)


def is_classes(labels: np.ndarray | None) -> bool:
    """Whether labels are classes rather than values of a regression."""
    if labels is None:
        return False
    values = np.asarray(labels)
    return values.dtype.kind in "biuSUO" or bool((values == np.floor(values)).all() and (values >= 0).all())


class Reservoir:
    """Chooses a sample from a stream of batches; neither their number nor their order matters."""

    def __init__(self, count: int, seed: int) -> None:
        self._count = count
        self._seed = seed
        self._parts: list[_Rows] = []
        self._structure: Arrays = None
        self._total = 0

    def add(self, batch: ValidationBatch) -> None:
        """Add a batch; at most a few times the size of the sample is stored."""
        rows = len(batch.probabilities)
        self._structure = batch.inputs
        positions = np.arange(self._total, self._total + rows)
        # Copies: TensorFlow reuses the memory for the next batch.
        leaves = [np.array(leaf) for leaf in flatten(batch.inputs)]
        labels = None if batch.labels is None else np.array(batch.labels)
        self._parts.append(_Rows(row_digests(leaves), positions, leaves, labels))
        self._total += rows
        if sum(len(part.positions) for part in self._parts) > 2 * self._row_limit():
            self._thin()

    def _row_limit(self) -> int:
        row_bytes = sum(leaf[:1].nbytes for leaf in self._parts[0].leaves)
        return max(self._count, min(4 * self._count, _MOST_BYTES // max(1, 2 * row_bytes)))

    def _thin(self) -> _Rows:
        """Drop inputs beyond the limit: each is equally likely to stay."""
        rows = _Rows.joined(self._parts)
        one_cell = np.zeros(len(rows.positions), np.int64)
        rows = rows.at(sample_rows(rows.digests, one_cell, self._row_limit(), seed=self._seed))
        self._parts = [rows]
        return rows

    def sample(self) -> tuple[Arrays, np.ndarray | None, np.ndarray] | None:
        """Inputs, labels and positions of the sample; None if no batch was added."""
        if not self._parts:
            return None
        rows = self._thin()
        classes = class_of_rows(rows.labels, len(rows.positions))
        rows = rows.at(stratified_rows(rows.digests, classes, self._count, seed=self._seed))
        arrays = iter(rows.leaves)
        if isinstance(self._structure, Mapping):
            inputs: Arrays = {key: next(arrays) for key in sorted(self._structure)}
        elif isinstance(self._structure, (tuple, list)):
            inputs = tuple(arrays)
        else:
            inputs = next(arrays)
        return inputs, rows.labels, rows.positions


@dataclass(frozen=True, eq=False)
class _Rows:
    """Inputs with their digests, their positions in the pass, and their labels, if they have any."""

    digests: np.ndarray
    positions: np.ndarray
    leaves: list[np.ndarray]
    labels: np.ndarray | None

    @classmethod
    def joined(cls, parts: list[_Rows]) -> _Rows:
        """The rows of all parts."""
        return cls(
            np.concatenate([part.digests for part in parts]),
            np.concatenate([part.positions for part in parts]),
            [np.concatenate(column) for column in zip(*(part.leaves for part in parts), strict=True)],
            None if parts[0].labels is None else np.concatenate([part.labels for part in parts]),
        )

    def at(self, rows: np.ndarray) -> _Rows:
        """Some of the rows."""
        leaves = [leaf[rows] for leaf in self.leaves]
        labels = None if self.labels is None else self.labels[rows]
        return _Rows(self.digests[rows], self.positions[rows], leaves, labels)
