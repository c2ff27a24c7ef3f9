"""The outputs of a model for a chunk of inputs, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN, Chunk

_TOTAL_TOLERANCE = 1e-2  # of the sum of a row of labels, which may be smoothed or half-precision


@dataclass(frozen=True, eq=False)
class Passed:
    """The outputs of a model for a chunk of inputs: plain NumPy, wherever they were computed.

    Attributes:
        probabilities: (n, classes) float32; None if the model was not run.
        head: how scores were read from the output, see `Explained.head`; "" if the model was not run.
        arrays: the arrays that a method requested, by name, with one row per input.
        positions: the positions of the output that scores are means over, as text; "" for all.
    """

    probabilities: np.ndarray | None = None
    head: str = ""
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    positions: str = ""

    @property
    def has_classes(self) -> bool:
        """Whether the model gave class scores rather than values, as a regression does."""
        return self.head != "values"

    @property
    def has_several_labels(self) -> bool:
        """Whether the classes do not exclude each other, so that an input may have several."""
        return self.head == "sigmoid" and self.probabilities is not None and self.probabilities.shape[1] > 1

    def labels_of(self, chunk: Chunk) -> np.ndarray:
        """(n,) int64, the labelled class of each input, to compare with the most probable one.

        `UNKNOWN` if the model gives no classes, or if labels are rows that don't name a class: for a
        multi-label model, or if a row is not a distribution over the model's classes.
        """
        rows = chunk.label_rows
        unknown = np.full_like(chunk.labels, UNKNOWN)
        if not self.has_classes or (rows is not None and self.has_several_labels):
            return unknown
        if rows is None or self.probabilities is None:
            return chunk.labels
        if rows.shape[1] != self.probabilities.shape[1]:
            return unknown
        return np.where(np.abs(rows.sum(axis=1) - 1) < _TOTAL_TOLERANCE, chunk.labels, UNKNOWN)

    def rows(self, index: np.ndarray) -> Passed:
        """The part of some inputs."""
        probabilities = None if self.probabilities is None else self.probabilities[index]
        return replace(
            self,
            probabilities=probabilities,
            arrays={name: array[index] for name, array in self.arrays.items()},
        )
