"""Accumulates the explained class of each input."""

from __future__ import annotations

import numpy as np

from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.examples import Examples, Explained
from mlflow_interp.core.passed import Passed
from mlflow_interp.core.rows import Rows


class ExplainedAccumulator:
    """Accumulates the explained class of each input together with the arrays of a method.

    Args:
        has_target: whether there is one.
    """

    def __init__(self, *, has_target: bool = True) -> None:
        self._has_target = has_target
        self._rows = Rows()
        self._head = ""

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Add a chunk with the arrays of the method and, with a target, its class.

        The latter are "targets", "scores" and "probabilities".
        """
        self._head = passed.head
        self._rows.add(chunk.indices, **passed.arrays)

    def merge(self, other: ExplainedAccumulator) -> None:
        """Merge the accumulator of other inputs."""
        self._head = self._head or other._head
        self._rows.merge(other._rows)

    def drop(self, *names: str) -> None:
        """Forget some arrays of the method."""
        for name in names:
            self._rows.drop(name)

    def result(self, examples: Examples) -> tuple[Explained, dict[str, np.ndarray]]:
        """The explained classes, and all arrays."""
        arrays = self._rows.arrays()
        if not self._has_target:
            return Explained.without_target(examples, self._head), arrays
        explained = Explained(
            examples, arrays["targets"], arrays["scores"], arrays["probabilities"], self._head
        )
        return explained, arrays
