"""The result of calibration: predictions grouped by probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.core.examples import Examples


@dataclass(frozen=True, eq=False)
class ReliabilityResult:
    """Predictions grouped by probability.

    Attributes:
        examples: the inputs and their predictions.
        counts: (bins,) int64, the number of predictions.
        right: (bins,) int64, the number of correct predictions.
        sums: (bins,) float64, the sum of their probabilities.
    """

    examples: Examples
    counts: np.ndarray
    right: np.ndarray
    sums: np.ndarray

    @property
    def accuracies(self) -> np.ndarray:
        """(bins,) float64, NaN in an empty bin."""
        return np.where(self.counts > 0, self.right / np.maximum(self.counts, 1), np.nan)

    @property
    def error(self) -> float:
        """The expected calibration error: the mean difference between probability and accuracy over bins."""
        return float(np.abs(self.sums - self.right).sum() / self.counts.sum())

    @property
    def resolved(self) -> dict[str, Any]:
        """No option was chosen by the method."""
        return {}

    def arrays(self) -> dict[str, np.ndarray]:
        """Counts and sums of each bin, and predictions."""
        return {"counts": self.counts, "right": self.right, "sums": self.sums} | self.examples.arrays()

    def metrics(self) -> dict[str, float]:
        """The expected calibration error."""
        return {"inputs": float(len(self.examples)), "calibration_error": self.error}

    def table(self) -> dict[str, list[Any]]:
        """A row for each input."""
        return self.examples.table()

    def warnings(self) -> list[str]:
        """No warnings."""
        return []
