"""The predictions of two versions for the same inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlflow_interp.comparison import statistics
from mlflow_interp.comparison.statistics import Interval, fraction, mcnemar, paired_difference, undefined
from mlflow_interp.core.chunk import UNKNOWN

FEWEST_OF_CLASS = 20  # inputs of a class for a number of its own
BINS = 15  # of confidence, for the calibration error
_TINY = 1e-12  # the smallest probability of which a logarithm is taken


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions of two versions for n inputs.

    Attributes:
        labels: (n,) int64 true classes, `UNKNOWN` where not known.
        predicted: (n, 2) int64, of the old and of the new version.
        confidence: (n, 2) the probability of each prediction.
        explained: (n, 2) the probability of the explained class, which is the label if that is known.
    """

    labels: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    explained: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def labelled(self) -> np.ndarray:
        """(n,) bool, whether the label is known."""
        return np.asarray(self.labels != UNKNOWN)

    @property
    def right(self) -> np.ndarray:
        """(n, 2) bool, whether each version predicts the label; false without one."""
        return np.asarray((self.predicted == self.labels[:, np.newaxis]) & self.labelled[:, np.newaxis])

    @property
    def negative_flips(self) -> np.ndarray:
        """(n,) bool, whether the old version is right and the new one wrong."""
        return np.asarray(self.right[:, 0] & ~self.right[:, 1])

    @property
    def positive_flips(self) -> np.ndarray:
        """(n,) bool, whether the new version is right and the old one wrong."""
        return np.asarray(~self.right[:, 0] & self.right[:, 1])

    @property
    def changed(self) -> np.ndarray:
        """(n,) bool, whether the versions predict different classes."""
        return np.asarray(self.predicted[:, 0] != self.predicted[:, 1])

    @property
    def both_right(self) -> np.ndarray:
        """(n,) bool, whether both versions are right; without labels, whether they agree."""
        return np.asarray(self.right.all(axis=1) if self.labelled.any() else ~self.changed)

    def numbers(self, groups: np.ndarray | None = None) -> dict[str, Interval]:
        """All numbers about predictions, by name."""
        found = {
            "churn": fraction(int(self.changed.sum()), len(self)),
            "probability_shift": statistics.mean(
                np.abs(self.explained[:, 1] - self.explained[:, 0]), groups=groups
            ),
        }
        known = self.labelled
        count = int(known.sum())
        if not count:
            return found
        found["accuracy_drop"] = self.accuracy_drop
        found["negative_flips"] = self.negative_flip_share
        found["positive_flips"] = fraction(int(self.positive_flips.sum()), count)
        right = self.right[known].mean(axis=0)
        expected = right[0] * (1 - right[1])
        if expected > 0:
            found["relative_negative_flips"] = found["negative_flips"].scaled(1 / expected)
        losses_of_both = -np.log(np.maximum(self.explained[known], _TINY))
        own_groups = None if groups is None else groups[known]
        found["loss_change"] = statistics.mean(losses_of_both[:, 1] - losses_of_both[:, 0], groups=own_groups)
        found["calibration_error_change"] = statistics.bootstrapped(
            [self.confidence[known], self.right[known]], _calibration_change, groups=own_groups
        )
        return found

    @property
    def accuracy_drop(self) -> Interval:
        """The accuracy of the old version minus that of the new one; undefined without labels."""
        count = int(self.labelled.sum())
        losses, gains = int(self.negative_flips.sum()), int(self.positive_flips.sum())
        return paired_difference(losses, gains, count) if count else undefined()

    @property
    def negative_flip_share(self) -> Interval:
        """The share of labelled inputs that are right before and wrong now; undefined without labels."""
        count = int(self.labelled.sum())
        return fraction(int(self.negative_flips.sum()), count) if count else undefined()

    @property
    def p_value(self) -> float:
        """The p-value of a drop of the accuracy."""
        return mcnemar(int(self.negative_flips.sum()), int(self.positive_flips.sum()))

    def class_drops(self, classes: Sequence[int]) -> dict[int, Interval]:
        """The drop of the accuracy on each class, with bounds that hold for all classes at once.

        Classes are ordered by the p-value of a drop; the bounds of the i-th of m are those at the level that
        Holm's procedure tests it at, 0.05 / (m − i + 1).
        """
        counted = [label for label in classes if (self.labels == label).sum() >= FEWEST_OF_CLASS]
        flips = {
            label: (
                int(self.negative_flips[self.labels == label].sum()),
                int(self.positive_flips[self.labels == label].sum()),
                int((self.labels == label).sum()),
            )
            for label in counted
        }
        found = {}
        ordered = sorted(counted, key=lambda label: mcnemar(*flips[label][:2]))
        for at, label in enumerate(ordered):
            losses, gains, count = flips[label]
            own = paired_difference(losses, gains, count)
            least, most = statistics.agresti_min(losses, gains, count, 1 - 0.05 / (len(ordered) - at))
            found[label] = Interval(own.value, own.low, own.high, least, most, count)
        return found


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The expected calibration error of rows (…, n): |accuracy − confidence| over bins of confidence.

    Naeini et al. 2015; each of the 15 bins has the same width and counts by its number of inputs.
    """
    number = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gap = np.asarray(confidence - right, np.float64)
    sums = np.stack([np.where(number == at, gap, 0).sum(axis=-1) for at in range(BINS)], axis=-1)
    return np.asarray(np.abs(sums).sum(axis=-1) / confidence.shape[-1])


def _calibration_change(confidence: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Of rows (…, n, 2)."""
    old, new = (calibration_error(confidence[..., at], right[..., at]) for at in range(2))
    return np.asarray(new - old)
