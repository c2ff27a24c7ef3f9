"""The class that was explained of each input, accumulated."""

from __future__ import annotations

import numpy as np

from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.examples import Examples, Explained
from mlflow_interp.core.passed import Passed
from mlflow_interp.core.rows import Rows


class ExplainedAccumulator:
    """Accumulates the class explained of each input, beside the arrays of a method."""

    def __init__(self) -> None:
        self._rows = Rows()
        self._head = ""

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Add a chunk; its arrays are named "targets", "scores", "probabilities", and as the method likes."""
        self._head = passed.head
        self._rows.add(chunk.indices, **passed.arrays)

    def merge(self, other: ExplainedAccumulator) -> None:
        """Add what was accumulated of other inputs."""
        self._head = self._head or other._head
        self._rows.merge(other._rows)

    def result(self, examples: Examples) -> tuple[Explained, dict[str, np.ndarray]]:
        """What was explained, and all arrays."""
        arrays = self._rows.arrays()
        explained = Explained(
            examples, arrays["targets"], arrays["scores"], arrays["probabilities"], self._head
        )
        return explained, arrays
