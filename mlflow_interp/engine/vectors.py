"""The vectors that a model represents a sample of inputs by: the output of its last layer before the head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.passed import Passed
from mlflow_interp.core.rows import Rows
from mlflow_interp.core.selection import row_keys
from mlflow_interp.engine.activations import ActivationOptions, trace_activations
from mlflow_interp.engine.method import Streaming
from mlflow_interp.engine.trace import Trace

MOST = 2_000  # inputs; the cost of comparing them grows with its square
_VECTOR = "vector"


class VectorMethod(Streaming[Any]):
    """A streaming method whose result is `(indices, vectors)` of a sample, the same for every model."""

    title = "Vectors"
    needs_examples = False

    def trace(self, trace: Trace) -> Mapping[str, Any]:
        """The vector of each input."""
        (vector,) = trace_activations(trace, ActivationOptions(None)).tensors.values()
        return {_VECTOR: vector}

    def accumulator(self) -> VectorAccumulator:
        """Accumulates the sample."""
        return VectorAccumulator()


class VectorAccumulator:
    """Accumulates the vectors of the inputs with the smallest hashes."""

    def __init__(self) -> None:
        self._rows = Rows()

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Add a chunk."""
        vectors = np.asarray(passed.arrays[_VECTOR], np.float32)
        self._rows.add(chunk.indices, keys=row_keys(chunk, 0), vectors=vectors)
        if len(self._rows) > 2 * MOST:
            self._prune()

    def merge(self, other: VectorAccumulator) -> None:
        """Add other inputs."""
        self._rows.merge(other._rows)
        self._prune()

    def _prune(self) -> None:
        arrays = self._rows.arrays()
        kept = np.sort(np.argsort(arrays["keys"], kind="stable")[:MOST])
        self._rows = Rows()
        self._rows.add(**{name: each[kept] for name, each in arrays.items()})

    def result(self, examples: Any, previous: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """The positions (m,) int64 of the sample in the inputs as given, and vectors (m, features)."""
        self._prune()
        arrays = self._rows.arrays()
        return arrays["indices"], arrays["vectors"]
