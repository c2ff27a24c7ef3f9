"""A stratified sample chosen from batches as they come."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mlflow_interp.backend.validation_tap import ValidationBatch
from mlflow_interp.core.chunk import Arrays, flatten
from mlflow_interp.core.sampling import stratified

_MOST_BYTES = 512 * 2**20  # bytes of inputs a sample is chosen from


def choose(inputs: Arrays, labels: np.ndarray | None, count: int, seed: int) -> np.ndarray:
    """Positions of a sample of inputs, stratified where the labels are classes."""
    return stratified(class_of_rows(labels, len(flatten(inputs)[0])), count, seed=seed)


def class_of_rows(labels: np.ndarray | None, total: int) -> np.ndarray:
    """(n,) values to stratify by: classes, or zeros where labels aren't classes."""
    if labels is None:
        return np.zeros(total, np.int64)
    values = np.asarray(labels).reshape(total, -1)
    if values.shape[1] > 1:
        return np.asarray(values.argmax(axis=1))
    return values[:, 0] if is_classes(values) else np.zeros(total, np.int64)


def is_classes(labels: np.ndarray | None) -> bool:
    """Whether labels are classes, and not the targets of a regression."""
    if labels is None:
        return False
    values = np.asarray(labels)
    return values.dtype.kind in "biuSUO" or bool((values == np.floor(values)).all() and (values >= 0).all())


class Reservoir:
    """Chooses a sample from batches as they come, without knowing their number."""

    def __init__(self, count: int, seed: int) -> None:
        self._count = count
        self._seed = seed
        self._generator = np.random.default_rng(seed)
        self._parts: list[tuple[np.ndarray, np.ndarray, list[np.ndarray], np.ndarray]] = []
        self._structure: Arrays = None
        self._total = 0

    def add(self, batch: ValidationBatch) -> None:
        """Add a batch; at most a few times the size of the sample is stored."""
        leaves = flatten(batch.inputs)
        rows = len(batch.labels)
        self._structure = batch.inputs
        keys = self._generator.random(rows)
        positions = np.arange(self._total, self._total + rows)
        # Copies: TensorFlow reuses the memory for the next batch.
        self._parts.append((keys, positions, [np.array(leaf) for leaf in leaves], np.array(batch.labels)))
        self._total += rows
        if sum(len(part[0]) for part in self._parts) > 2 * self._row_limit():
            self._thin()

    def _row_limit(self) -> int:
        row_bytes = sum(leaf[:1].nbytes for leaf in self._parts[0][2])
        return max(self._count, min(4 * self._count, _MOST_BYTES // max(1, 2 * row_bytes)))

    def _thin(self) -> None:
        """Keep the inputs with the smallest random keys: each is equally likely to stay."""
        keys, positions, leaves, labels = self._concatenated()
        rows = np.sort(np.argsort(keys, kind="stable")[: self._row_limit()])
        self._parts = [(keys[rows], positions[rows], [leaf[rows] for leaf in leaves], labels[rows])]

    def _concatenated(self) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], np.ndarray]:
        keys, positions, leaves, labels = zip(*self._parts, strict=True)
        columns = [np.concatenate(column) for column in zip(*leaves, strict=True)]
        return np.concatenate(keys), np.concatenate(positions), columns, np.concatenate(labels)

    def sample(self) -> tuple[Arrays, np.ndarray, np.ndarray] | None:
        """Inputs, labels and positions of the sample; None where no batch was added."""
        if not self._parts:
            return None
        self._thin()
        _, positions, leaves, labels = self._concatenated()
        rows = choose(leaves[0], labels, self._count, self._seed)
        arrays = iter([leaf[rows] for leaf in leaves])
        if isinstance(self._structure, Mapping):
            inputs: Arrays = {key: next(arrays) for key in sorted(self._structure)}
        elif isinstance(self._structure, (tuple, list)):
            inputs = tuple(arrays)
        else:
            inputs = next(arrays)
        return inputs, labels[rows], positions[rows]
