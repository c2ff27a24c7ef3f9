"""The predictions for all inputs with the explained class, and the images of those that matter most."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np

from mlflow_interp.core.chunk import Chunk, join, some
from mlflow_interp.core.examples import Examples, Explained
from mlflow_interp.core.explained import ExplainedAccumulator
from mlflow_interp.core.passed import Passed
from mlflow_interp.engine.method import Streaming
from mlflow_interp.engine.targets import Chooser, Target
from mlflow_interp.engine.trace import Trace

#: The priority of each input of a chunk, (n,): those with the highest are kept.
Priorities = Callable[[Chunk, Passed], np.ndarray]


class ExplainedRows(Streaming[Any]):
    """A streaming method whose result is `Explained`: the explained class of every input.

    Args:
        target: the class to explain.
        priorities: decides which inputs are kept with their images; None to keep none.
        most: the number of inputs that are kept.
    """

    title = "Predictions"

    def __init__(
        self, target: Target | Chooser, *, priorities: Priorities | None = None, most: int = 64
    ) -> None:
        self.targets = (cast(Target, target),)
        self._priorities = priorities
        self._most = most
        self._ranks = np.zeros(0)
        self._rows: list[Chunk] = []  # one for each rank

    @property
    def kept(self) -> Chunk | None:
        """The inputs with the highest priorities; None if none are kept."""
        return join(self._rows) if self._rows else None

    def trace(self, trace: Trace) -> Mapping[str, Any]:
        """The explained class of each input, with its scores."""
        return trace.explained(self.targets[0]).tensors

    def remember(self, chunk: Chunk, passed: Passed) -> None:
        """Keep the inputs with the highest priorities; of equal ones, those that come first."""
        if self._priorities is None:
            return
        before = len(self._ranks)
        ranks = np.concatenate([self._ranks, self._priorities(chunk, passed)])
        best = np.sort(np.argsort(-ranks, kind="stable")[: self._most])
        self._ranks = ranks[best]
        # Each input by itself, so that only new ones are copied.
        self._rows = [
            self._rows[at] if at < before else some(chunk, np.array([at - before])).copy()
            for at in best.tolist()
        ]

    def accumulator(self) -> ExplainedRowsAccumulator:
        """Accumulates the rows."""
        return ExplainedRowsAccumulator()


class ExplainedRowsAccumulator:
    """Accumulates the explained class of every input."""

    def __init__(self) -> None:
        self._explained = ExplainedAccumulator()

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Add a chunk."""
        self._explained.update(chunk, passed)

    def merge(self, other: ExplainedRowsAccumulator) -> None:
        """Add other inputs."""
        self._explained.merge(other._explained)

    def result(self, examples: Examples, previous: Explained | None = None) -> Explained:
        """The explained classes of all inputs so far."""
        return self._explained.result(examples)[0]
