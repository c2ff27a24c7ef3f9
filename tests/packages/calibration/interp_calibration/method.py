"""Calibration: whether a model is right as often as its probabilities state."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from interp_calibration.reliability.result import ReliabilityResult
from mlflow_interp.core.accepted import Range
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import UNKNOWN, Chunk
from mlflow_interp.core.examples import Examples
from mlflow_interp.core.passed import Passed
from mlflow_interp.engine.method import Streaming
from mlflow_interp.exceptions import InapplicableError

REQUIRES = ("classes", "labels")


def calibration(
    model: Any, batch: Batch, *, bins: Annotated[int, Range(least=1)] = 10
) -> Streaming[ReliabilityResult]:
    """Whether a model is right as often as its probabilities state (Guo et al. 2017).

    The probabilities of the predicted classes are grouped into bins of equal width. In each bin the mean
    probability is compared with the share of correct predictions.

    Args:
        bins: Number of bins from 0 to 1.

    Raises:
        InapplicableError: no input has a label.
    """
    return _CalibrationMethod(bins)


class _CalibrationMethod(Streaming[ReliabilityResult]):
    """Calibration with its options."""

    title = "Calibration"

    def __init__(self, bins: int) -> None:
        self._bins = bins

    def accumulator(self) -> CalibrationAccumulator:
        """Counts predictions by bin."""
        return CalibrationAccumulator(self._bins)


class CalibrationAccumulator:
    """Counts predictions, correct predictions and the sum of probabilities in each bin.

    Args:
        bins: the number of bins.
    """

    def __init__(self, bins: int) -> None:
        self._counts = np.zeros(bins, np.int64)
        self._right = np.zeros(bins, np.int64)
        self._sums = np.zeros(bins)

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Count a chunk."""
        known = chunk.labels != UNKNOWN
        probabilities = passed.probabilities[known]
        predicted = probabilities.argmax(axis=1)
        confidence = probabilities.max(axis=1).astype(np.float64)
        bins = len(self._counts)
        bin_of = np.minimum((confidence * bins).astype(np.int64), bins - 1)
        self._counts += np.bincount(bin_of, minlength=bins)
        self._right += np.bincount(bin_of[predicted == chunk.labels[known]], minlength=bins)
        self._sums += np.bincount(bin_of, confidence, minlength=bins)

    def merge(self, other: CalibrationAccumulator) -> None:
        """Add the counts of other inputs."""
        self._counts += other._counts
        self._right += other._right
        self._sums += other._sums

    def result(self, examples: Examples, previous: ReliabilityResult | None = None) -> ReliabilityResult:
        """The counts so far."""
        if not self._counts.any():
            raise InapplicableError("no input has a label, which calibration needs; give labels=")
        return ReliabilityResult(examples, self._counts.copy(), self._right.copy(), self._sums.copy())
