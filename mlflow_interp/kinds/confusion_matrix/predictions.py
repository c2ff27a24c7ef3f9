"""Predictions, from probabilities or classes of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from mlflow_interp.core.accepted import Range
from mlflow_interp.core.annotations import class_indices
from mlflow_interp.data.labels import read_column
from mlflow_interp.exceptions import InputsError, nearest

#: The probability above which class 1, or a label, counts as predicted.
Threshold = Annotated[float, Range(least=0, below=1)]

_ACCEPTED = "give a class or a row of probabilities for each input"


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions for n inputs.

    Attributes:
        classes: (n,) int64 the predicted class of each input; for several labels, (n, labels) bool, the
            predicted labels.
        probabilities: (n, classes) float, None if not known.
        head: "softmax", "binary", "multi-label", or "classes" if there are no probabilities.
    """

    classes: np.ndarray
    probabilities: np.ndarray | None
    head: str = "classes"

    @property
    def multi_label(self) -> bool:
        """Whether an input may have several labels."""
        return self.classes.ndim == 2

    @property
    def columns(self) -> int | None:
        """The number of classes, None if it can only be determined from all predictions and labels."""
        rows = self.classes if self.multi_label else self.probabilities
        return None if rows is None else int(rows.shape[1])

    def of(self, rows: np.ndarray) -> Predictions:
        """The predictions of some inputs."""
        probabilities = None if self.probabilities is None else self.probabilities[rows]
        return Predictions(self.classes[rows], probabilities, self.head)

    def single(self) -> Predictions:
        """One class for each input: for several labels, the most probable one."""
        if not self.multi_label or self.probabilities is None:
            return self
        return decide(self.probabilities, "softmax", 0.5)

    @property
    def largest(self) -> int:
        """The highest predicted class."""
        return int(self.classes.shape[1] - 1 if self.multi_label else self.classes.max())

    def __len__(self) -> int:
        return len(self.classes)


def decide(probabilities: np.ndarray, head: str, threshold: float) -> Predictions:
    """The predicted class (or labels) of probabilities (n, classes).

    Args:
        probabilities: one row per input.
        head: "binary": class 1 if its probability is above the threshold; "multi-label": each label whose
            probability is above it; otherwise the most probable class.
        threshold: between 0 and 1.
    """
    if head == "multi-label":
        return Predictions(probabilities > threshold, probabilities, head)
    if head == "binary":
        return Predictions((probabilities[:, 1] > threshold).astype(np.int64), probabilities, head)
    return Predictions(probabilities.argmax(axis=1), probabilities, head)


def read_predictions(
    predictions: Any, class_names: Sequence[str] | None, *, threshold: float = 0.5, multi_label: bool = False
) -> Predictions:
    """Predictions from a path, classes or names (n,), or probabilities or logits (n, classes).

    Fractions (n,) or (n, 1) are probabilities of class 1. Rows of numbers from 0 to 1 that don't all sum to 1
    are probabilities of labels, and an input may have several labels.

    Args:
        predictions: The predictions, or a path to a file of them.
        class_names: For predictions by name.
        threshold: For binary and multi-label predictions; see `decide`.
        multi_label: Whether inputs have several labels, which determines how rows are read.

    Raises:
        InputsError: they can't be read, are empty, are not finite, or name an unknown class.
    """
    values = _as_array(read_column(predictions, "predictions"))
    if values.ndim == 2 and values.shape[1] > 1:
        return _rows(values, threshold, multi_label)
    values = values.reshape(len(values))
    if values.dtype.kind == "f" and (values != np.floor(values)).any():
        _check_range(values)
        return decide(np.stack([1 - values, values], axis=1), "binary", threshold)
    indices, unknown = class_indices(values, class_names)
    if unknown:
        advice = nearest(unknown[0], class_names, most=3) if class_names else "; pass class_names="
        raise InputsError(f"predictions contain {unknown[0]!r}, which is not a class{advice}")
    if indices.min() < 0:
        raise InputsError(f"predictions contain class {indices.min()}; classes are numbered from 0")
    return Predictions(indices, None)


def _as_array(predictions: Any) -> np.ndarray:
    try:
        values = np.asarray(predictions)
    except ValueError as error:
        raise InputsError(f"predictions have rows of different lengths; {_ACCEPTED}") from error
    if values.ndim not in (1, 2) or not values.size:
        raise InputsError(f"predictions have shape {values.shape}; {_ACCEPTED}")
    if values.dtype.kind not in "biufSUO":
        raise InputsError(f"predictions are {values.dtype}; {_ACCEPTED}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        wrong = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))
        raise InputsError(
            f"predictions contain NaN or infinite values for {len(wrong)} inputs, first input {wrong[0]}; "
            "leave these inputs out, or fix the model"
        )
    return values


def _check_range(values: np.ndarray) -> None:
    if values.min() < 0 or values.max() > 1:
        raise InputsError(
            f"predictions are fractions from {values.min():g} to {values.max():g}, one per input; give "
            "probabilities of class 1 from 0 to 1, or classes"
        )


def _rows(values: np.ndarray, threshold: float, multi_label: bool) -> Predictions:
    if values.dtype.kind in "SUO":
        raise InputsError(f"predictions are text of shape {values.shape}; {_ACCEPTED}")
    values = values.astype(np.float32, copy=False)
    are_probabilities = values.min() >= 0 and values.max() <= 1
    if multi_label and not are_probabilities:
        raise InputsError(
            f"predictions range from {values.min():g} to {values.max():g}, but each label needs a "
            "probability from 0 to 1; apply a sigmoid"
        )
    if are_probabilities and (multi_label or np.abs(values.sum(axis=1) - 1).max() > 1e-2):
        return decide(values, "multi-label", threshold)
    return decide(values if are_probabilities else _softmax(values), "softmax", threshold)


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))
