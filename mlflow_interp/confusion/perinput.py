"""Values that a user has for each input, found again for the inputs of a chunk."""

from __future__ import annotations

import numpy as np

from mlflow_interp.core import Batch, Chunk
from mlflow_interp.exceptions import InputsError


class PerInput:
    """Finds the rows of `count` values that belong to a chunk: an input's row is its index.

    Args:
        count: How many values there are.
        what: What they are, for messages.
        batch: The inputs.

    Raises:
        InputsError: not as many as inputs, as far as their number is known.
    """

    def __init__(self, count: int, what: str, batch: Batch) -> None:
        self.count, self.what, self.batch = count, what, batch
        # With `max_inputs`, values stand for all inputs, also those that are not taken.
        some = batch.preparation.get("max_inputs") is not None
        if batch.total is not None and (count < batch.total or (not some and count > batch.total)):
            raise self._error(f"{batch.total}")

    def of(self, chunk: Chunk) -> np.ndarray:
        """(n,) int64 rows.

        Raises:
            InputsError: there are more inputs than values.
        """
        if chunk.indices.max() >= self.count:
            raise self._error(f"{int(chunk.indices.max()) + 1} or more")
        return chunk.indices

    def check_end(self) -> None:
        """Once all inputs were met: raise an InputsError where there are more values than inputs."""
        met = self.batch.count + len(self.batch.skipped)
        if self.batch.preparation.get("max_inputs") is None and self.count > met:
            raise self._error(f"{met}")

    def _error(self, inputs: str) -> InputsError:
        return InputsError(f"there are {self.count} {self.what} for {inputs} inputs; give one for each")
