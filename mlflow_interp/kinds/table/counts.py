"""How many inputs of a table have which label, prediction and probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN

BINS = 20  # of the probability of the predicted class
STATES = ("right", "wrong", "unlabelled")  # the rows of `ProbabilityBins`


@dataclass(frozen=True, eq=False)
class Cells:
    """The number of inputs of each label and predicted class; cells without inputs are left out.

    Attributes:
        classes: (k, 2) int64, label and predicted class, `UNKNOWN` where there is none.
        counts: (k,) int64.
        probabilities: (k,) float64, the sum of the probabilities of the predicted class.
    """

    classes: np.ndarray
    counts: np.ndarray
    probabilities: np.ndarray

    @property
    def labelled(self) -> np.ndarray:
        """(k,) bool, whether both the label and the prediction are known."""
        return np.asarray((self.classes != UNKNOWN).all(axis=1))

    @property
    def right(self) -> np.ndarray:
        """(k,) bool, whether the prediction is the label."""
        return np.asarray(self.labelled & (self.classes[:, 0] == self.classes[:, 1]))


@dataclass(frozen=True, eq=False)
class ProbabilityBins:
    """The probability of the predicted class in bins of equal width from 0 to 1.

    Attributes:
        counts: (3, bins) int64 of right, wrong and unlabelled inputs.
        sums: (3, bins) float64, the sums of their probabilities.
    """

    counts: np.ndarray
    sums: np.ndarray

    @property
    def edges(self) -> np.ndarray:
        """(bins + 1,) the bounds of the bins."""
        return np.linspace(0, 1, self.counts.shape[1] + 1)

    @property
    def calibration_error(self) -> float | None:
        """The expected calibration error: |accuracy − mean probability| over bins, weighted by inputs.

        Of labelled inputs; None if there are none. Guo et al. 2017, "On Calibration of Modern Neural
        Networks".
        """
        labelled = int(self.counts[:2].sum())
        if not labelled:
            return None
        return float(np.abs(self.counts[0] - self.sums[:2].sum(axis=0)).sum() / labelled)


def no_bins() -> ProbabilityBins:
    """Bins without inputs."""
    return ProbabilityBins(np.zeros((len(STATES), BINS), np.int64), np.zeros((len(STATES), BINS)))
