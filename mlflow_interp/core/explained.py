"""Accumulates the explained class of each input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.contrast import OTHERS
from mlflow_interp.core.examples import Examples, Explained
from mlflow_interp.core.localization import Localization
from mlflow_interp.core.passed import Passed
from mlflow_interp.core.rows import Rows


class ExplainedAccumulator:
    """Accumulates the explained class of each input together with the arrays of a method.

    Args:
        contrast: what kind of classes it is contrasted with; see `Explained`.
        has_target: whether there is one.
    """

    def __init__(self, *, contrast: str | None = None, has_target: bool = True) -> None:
        self._contrast = contrast
        self._has_target = has_target
        self._rows = Rows()
        self._head = ""
        self._positions = ""

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Add a chunk with the arrays of the method and, with a target, its class.

        The latter are "targets", "scores" and "probabilities"; with a contrast also "contrasts".
        """
        self._head = passed.head
        self._positions = passed.positions
        self._rows.add(chunk.indices, **passed.arrays)

    def merge(self, other: ExplainedAccumulator) -> None:
        """Merge the accumulator of other inputs."""
        self._head = self._head or other._head
        self._positions = self._positions or other._positions
        self._rows.merge(other._rows)

    def drop(self, *names: str) -> None:
        """Forget some arrays of the method."""
        for name in names:
            self._rows.drop(name)

    def result(self, examples: Examples) -> tuple[Explained, dict[str, np.ndarray]]:
        """The explained classes, and all arrays."""
        arrays = self._rows.arrays()
        if not self._has_target:
            explained = Explained.without_target(examples, self._head)
            return replace(explained, localization=Localization.of_arrays(arrays)), arrays
        explained = Explained(
            examples,
            arrays["targets"],
            arrays["scores"],
            arrays["probabilities"],
            self._head,
            contrast=self._contrast,
            contrasts=None if self._contrast == OTHERS else arrays.get("contrasts"),
            localization=Localization.of_arrays(arrays),
            positions=self._positions,
        )
        return explained, arrays


def explained_classes(passed: Passed) -> np.ndarray:
    """The class of each input and those it is contrasted with, as (n, 1 + k) int64.

    For further passes, at points near the inputs, which must explain the same classes.
    """
    targets = passed.arrays["targets"][:, np.newaxis]
    return np.concatenate([targets, passed.arrays.get("contrasts", targets[:, :0])], axis=1)
