"""What the old version predicts and explains, for the others that get the same chunks after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlflow_interp.comparison.version import ClassOrder
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.passed import Passed


@dataclass(frozen=True)
class _Row:
    """What is known of one input.

    Attributes:
        target: the class that the old version explains.
        predicted: the class that it predicts.
        confidence: the probability of that.
        label: the true class, `UNKNOWN` if not known.
    """

    target: int
    predicted: int
    confidence: float
    label: int


class ExplainedByOld:
    """What the old version predicts and explains, by the index of each input as given."""

    def __init__(self) -> None:
        self._rows: dict[int, _Row] = {}

    def add(self, chunk: Chunk, passed: Passed) -> None:
        """Add a chunk that the old version has had."""
        probabilities = np.asarray(passed.probabilities)
        columns = (
            chunk.indices,
            passed.arrays["targets"],
            probabilities.argmax(axis=1),
            probabilities.max(axis=1),
            passed.labels_of(chunk),
        )
        for index, *values in zip(*(each.tolist() for each in columns), strict=True):
            self._rows[index] = _Row(*values)

    def clear(self) -> None:
        """Forget all inputs."""
        self._rows.clear()

    def targets(self, chunk: Chunk, *, order: ClassOrder) -> np.ndarray:
        """The class to explain of each input, (n,) int64; 0 for those that the old version could not read."""
        rows = [self._rows.get(index) for index in chunk.indices.tolist()]
        return order.new(np.array([0 if row is None else row.target for row in rows], np.int64))

    def priorities(self, chunk: Chunk, passed: Passed, *, order: ClassOrder) -> np.ndarray:
        """Negative flips first, the most confident ones; then positive flips, other changes, a sample."""
        predicted = order.old(np.asarray(passed.probabilities).argmax(axis=1))
        found = np.zeros(len(chunk))
        for at, (index, new) in enumerate(zip(chunk.indices.tolist(), predicted.tolist(), strict=True)):
            old = self._rows.get(index)
            if old is None:
                found[at] = -1
            elif old.predicted == new:
                digests = chunk.digests
                found[at] = 0.5 if digests is None else int.from_bytes(digests[at, :4].tobytes()) / 2**32
            elif old.predicted == old.label:
                found[at] = 3 + old.confidence
            else:
                found[at] = (2 if new == old.label else 1) + old.confidence
        return found
