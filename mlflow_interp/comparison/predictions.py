"""The predictions of two versions for the same inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlflow_interp.comparison import statistics
from mlflow_interp.comparison.by_class import rows_by_class
from mlflow_interp.comparison.groups import (
    grouped_bounds,
    grouped_difference,
    grouped_fraction,
    sign_test,
)
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
        explained: (n, 2) the probability of the explained class.
        targets: (n,) int64, the explained class; None if it is the label wherever that is known.
        groups: (n,) int64, inputs that belong together; None if each stands for itself.
    """

    labels: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    explained: np.ndarray
    targets: np.ndarray | None = None
    groups: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def labelled(self) -> np.ndarray:
        """(n,) bool, whether the label is known."""
        return np.asarray(self.labels != UNKNOWN)

    @cached_property
    def right(self) -> np.ndarray:
        """(n, 2) bool, whether each version predicts the label; false without one."""
        return np.asarray((self.predicted == self.labels[:, np.newaxis]) & self.labelled[:, np.newaxis])

    @cached_property
    def negative_flips(self) -> np.ndarray:
        """(n,) bool, whether the old version is right and the new one wrong."""
        return np.asarray(self.right[:, 0] & ~self.right[:, 1])

    @cached_property
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

    def numbers(self) -> dict[str, Interval]:
        """All numbers about predictions, by name."""
        found = {
            "churn": self._share(self.changed, np.ones(len(self), bool)),
            "probability_shift": statistics.mean(
                np.abs(self.explained[:, 1] - self.explained[:, 0]), groups=self.groups
            ),
        }
        known = self.labelled
        if not known.any():
            return found
        found["accuracy_drop"] = self.accuracy_drop
        found["negative_flips"] = self.negative_flip_share
        found["positive_flips"] = self._share(self.positive_flips, known)
        right = self.right[known].mean(axis=0)
        expected = right[0] * (1 - right[1])
        if expected > 0:
            found["relative_negative_flips"] = found["negative_flips"].scaled(1 / expected)
        own_groups = None if self.groups is None else self.groups[known]
        if self.targets is None or bool((self.targets == self.labels)[known].all()):
            losses = -np.log(np.maximum(self.explained[known], _TINY))
            found["loss_change"] = statistics.mean(losses[:, 1] - losses[:, 0], groups=own_groups)
        gaps = [_gaps(self.confidence[known, at], self.right[known, at]) for at in range(2)]
        found["calibration_error_change"] = statistics.bootstrapped(
            np.concatenate(gaps, axis=1), _calibration_change, groups=own_groups
        )
        return found

    def accuracy(self, version: int) -> Interval | None:
        """The accuracy of the old version, 0, or the new one, 1; None without labels."""
        return self._share(self.right[:, version], self.labelled) if self.labelled.any() else None

    @property
    def accuracy_drop(self) -> Interval:
        """The accuracy of the old version minus that of the new one; undefined without labels."""
        return self._drop(self.labelled) if self.labelled.any() else undefined()

    @property
    def negative_flip_share(self) -> Interval:
        """The share of labelled inputs that are right before and wrong now; undefined without labels."""
        return self._share(self.negative_flips, self.labelled) if self.labelled.any() else undefined()

    @property
    def p_value(self) -> float:
        """The p-value of a drop of the accuracy, by `test`."""
        return self._p_value(self.labelled)

    @property
    def test(self) -> str:
        """The test of a drop of the accuracy. McNemar's is not valid for inputs that belong together."""
        if self.groups is None:
            return "McNemar"
        return f"sign test of {len(np.unique(self.groups)):,} groups"

    def _share(self, hits: np.ndarray, rows: np.ndarray) -> Interval:
        """The share of some rows (n,) bool that are hits."""
        if self.groups is not None:
            return grouped_fraction(hits[rows], self.groups[rows])
        return fraction(int(hits[rows].sum()), int(rows.sum()))

    def _drop(self, rows: np.ndarray) -> Interval:
        """The drop of the accuracy on some rows: positions, or (n,) bool."""
        losses, gains = self.negative_flips[rows], self.positive_flips[rows]
        if self.groups is not None:
            return grouped_difference(losses, gains, self.groups[rows])
        return paired_difference(int(losses.sum()), int(gains.sum()), len(losses))

    def _p_value(self, rows: np.ndarray) -> float:
        losses, gains = self.negative_flips[rows], self.positive_flips[rows]
        if self.groups is not None:
            return sign_test(losses, gains, self.groups[rows])
        return mcnemar(int(losses.sum()), int(gains.sum()))

    def _bounds(self, rows: np.ndarray, level: float) -> tuple[float, float]:
        """Bounds of the drop on some rows, each one-sided at a level."""
        losses, gains = self.negative_flips[rows], self.positive_flips[rows]
        if self.groups is not None:
            return grouped_bounds(losses, gains, self.groups[rows], level)
        return statistics.agresti_min(int(losses.sum()), int(gains.sum()), len(losses), level)

    def class_drops(self, classes: Sequence[int]) -> dict[int, Interval]:
        """The drop of the accuracy on each class, with bounds that hold for all classes at once.

        Classes are ordered by the p-value of a drop; the bounds of the i-th of m are those at the level that
        Holm's procedure tests it at, 0.05 / (m − i + 1).
        """
        rows = rows_by_class(self.labels)
        counted = [label for label in classes if label in rows and len(rows[label]) >= FEWEST_OF_CLASS]
        found = {}
        ordered = sorted(counted, key=lambda label: self._p_value(rows[label]))
        for at, label in enumerate(ordered):
            own = self._drop(rows[label])
            least, most = self._bounds(rows[label], 1 - 0.05 / (len(ordered) - at))
            found[label] = Interval(own.value, own.low, own.high, least, most, own.count)
        return found


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """The expected calibration error of n inputs: |accuracy − confidence| over bins of confidence.

    Naeini et al. 2015; each of the 15 bins has the same width and counts by its number of inputs.
    """
    return float(_error_of(np.asarray(np.mean(_gaps(confidence, right), axis=0, dtype=np.float64))))


def _gaps(confidence: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(n, bins) confidence minus correctness of each input, in the column of its bin."""
    number = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.zeros((len(confidence), BINS), np.float32)  # half the memory for a million inputs
    gaps[np.arange(len(confidence)), number] = confidence - right
    return gaps


def _error_of(gaps: np.ndarray) -> np.ndarray:
    """The calibration error of mean gaps (…, bins)."""
    return np.asarray(np.abs(gaps).sum(axis=-1))


def _calibration_change(gaps: np.ndarray) -> np.ndarray:
    """Of mean gaps (…, 2 · bins) of both versions."""
    return np.asarray(_error_of(gaps[..., BINS:]) - _error_of(gaps[..., :BINS]))
