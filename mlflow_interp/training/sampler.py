"""A sample chosen out of batches as they go by, every class in its share."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mlflow_interp.backend.validation_tap import ValidationBatch
from mlflow_interp.core.chunk import Arrays, flatten
from mlflow_interp.core.sampling import stratified

_MOST_KEPT = 512 * 2**20  # bytes of inputs a sample is chosen from


def choose(inputs: Arrays, labels: np.ndarray | None, count: int, seed: int) -> np.ndarray:
    """Positions of a sample of inputs, every class in its share where there are labels of classes."""
    return stratified(class_of_rows(labels, len(flatten(inputs)[0])), count, seed=seed)


def class_of_rows(labels: np.ndarray | None, total: int) -> np.ndarray:
    """(n,) something to stratify by: classes, or nothing where labels aren't classes."""
    if labels is None:
        return np.zeros(total, np.int64)
    values = np.asarray(labels).reshape(total, -1)
    if values.shape[1] > 1:
        return np.asarray(values.argmax(axis=1))
    return values[:, 0] if is_classes(values) else np.zeros(total, np.int64)


def is_classes(labels: np.ndarray | None) -> bool:
    """Whether labels are classes, and not the numbers of a regression."""
    if labels is None:
        return False
    values = np.asarray(labels)
    return values.dtype.kind in "biuSUO" or bool((values == np.floor(values)).all() and (values >= 0).all())


class Sampler:
    """Chooses a sample out of batches as they go by, without knowing how many come."""

    def __init__(self, count: int, seed: int) -> None:
        self._count = count
        self._seed = seed
        self._generator = np.random.default_rng(seed)
        self._parts: list[tuple[np.ndarray, np.ndarray, list[np.ndarray], np.ndarray]] = []
        self._like: Arrays = None
        self._passed = 0

    def add(self, batch: ValidationBatch) -> None:
        """Look at a batch; of what was seen at most a few times the sample is kept."""
        leaves = flatten(batch.inputs)
        rows = len(batch.labels)
        self._like = batch.inputs
        keys = self._generator.random(rows)
        positions = np.arange(self._passed, self._passed + rows)
        # Copies: TensorFlow's memory is used again for the next batch.
        self._parts.append((keys, positions, [np.array(leaf) for leaf in leaves], np.array(batch.labels)))
        self._passed += rows
        if sum(len(part[0]) for part in self._parts) > 2 * self._kept_rows():
            self._thin()

    def _kept_rows(self) -> int:
        a_row = sum(leaf[:1].nbytes for leaf in self._parts[0][2])
        return max(self._count, min(4 * self._count, _MOST_KEPT // max(1, 2 * a_row)))

    def _thin(self) -> None:
        """Keep those with the smallest of the keys drawn: as likely each."""
        keys, positions, leaves, labels = self._joined()
        rows = np.sort(np.argsort(keys, kind="stable")[: self._kept_rows()])
        self._parts = [(keys[rows], positions[rows], [leaf[rows] for leaf in leaves], labels[rows])]

    def _joined(self) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], np.ndarray]:
        keys, positions, leaves, labels = zip(*self._parts, strict=True)
        columns = [np.concatenate(column) for column in zip(*leaves, strict=True)]
        return np.concatenate(keys), np.concatenate(positions), columns, np.concatenate(labels)

    def sample(self) -> tuple[Arrays, np.ndarray, np.ndarray] | None:
        """Inputs, labels and positions of the sample; None where nothing went by."""
        if not self._parts:
            return None
        self._thin()
        _, positions, leaves, labels = self._joined()
        rows = choose(leaves[0], labels, self._count, self._seed)
        found = iter([leaf[rows] for leaf in leaves])
        if isinstance(self._like, Mapping):
            inputs: Arrays = {key: next(found) for key in sorted(self._like)}
        elif isinstance(self._like, (tuple, list)):
            inputs = tuple(found)
        else:
            inputs = next(found)
        return inputs, labels[rows], positions[rows]
