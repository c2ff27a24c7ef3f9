"""True classes from whatever carries them, as class indices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlflow_interp.columns import class_indices, read_column
from mlflow_interp.core import UNKNOWN
from mlflow_interp.exceptions import InputsError

Labels = str | Path | Sequence[Any] | np.ndarray | None


@dataclass(frozen=True)
class Told:
    """What is told about inputs besides themselves.

    Attributes:
        labels: (n,) int64 class indices, `UNKNOWN` where not given.
        rows: (n, classes) labels as given, where they are rows of numbers.
        weights: (n,) how much each counts, where given.
    """

    labels: np.ndarray
    rows: np.ndarray | None = None
    weights: np.ndarray | None = None

    def of(self, which: Any) -> Told:
        """That of some inputs."""
        rows = None if self.rows is None else self.rows[which]
        return Told(self.labels[which], rows, None if self.weights is None else self.weights[which])


def told_of(
    labels: Any,
    total: int,
    class_names: Sequence[str] | None,
    classes: int | None = None,
    weights: Any = None,
) -> tuple[Told, list[str]]:
    """Labels and weights of any kind, and warnings about those that fit no class; see `label_indices`."""
    indices, strangers = label_indices(labels, total, class_names)
    warnings = _misfits(indices, strangers, classes)
    return Told(indices, label_rows(labels), row_weights(weights, total)), warnings


def _misfits(indices: np.ndarray, strangers: Sequence[str], classes: int | None) -> list[str]:
    warnings = []
    if strangers:
        warnings.append(
            f"labels that are no class names are taken as unknown: {', '.join(strangers[:5])}; "
            "pass class_names= with the model's classes"
        )
    outside = indices[(indices < UNKNOWN) | (indices >= (classes or np.inf))]
    if len(outside):
        classes_are = f"the model has classes 0 to {classes - 1}" if classes else "classes start at 0"
        warnings.append(
            f"labels such as {outside[0]} are of no class: {classes_are}; "
            "give labels in this range, or -1 where there is none"
        )
    return warnings


def read_labels(labels: Labels) -> Any:
    """Labels as given, or those of a .npy file or a text file with one a line.

    Raises:
        InputsError: the file can't be read.
    """
    return read_column(labels, "labels")


def label_indices(labels: Any, total: int, class_names: Sequence[str] | None) -> tuple[np.ndarray, list[str]]:
    """Integers, one-hot rows or names as (n,) int64 class indices, and the names that fit no class.

    What is not given, or fits no class, is `UNKNOWN`.

    Raises:
        InputsError: not one label an input.
    """
    if labels is None:
        return np.full(total, UNKNOWN, np.int64), []
    values = np.asarray(labels)
    if values.dtype.kind not in "biufSUO" or not 0 < values.ndim <= 2 or values.shape[1:] == (0,):
        raise InputsError(
            f"labels hold {values.dtype} values of shape {values.shape}; give a class index, a name or a row "
            "of classes for each input, or no labels"
        )
    if len(values) != total:
        raise InputsError(f"there are {len(values)} labels for {total} inputs; give one for each")
    if values.ndim > 1 and values.shape[-1] > 1 and values.dtype.kind not in "SUO":
        return np.asarray(values.argmax(axis=-1), np.int64), []
    return class_indices(values.reshape(total) if values.dtype.kind not in "SUO" else values, class_names)


def label_rows(labels: Any) -> np.ndarray | None:
    """Labels as given where they are (n, classes) numbers: one-hot, multi-hot or soft. Else None."""
    values = None if labels is None else np.asarray(labels)
    if values is None or values.ndim != 2 or values.shape[1] < 2 or values.dtype.kind not in "biuf":
        return None
    return values


def row_weights(weights: Any, total: int) -> np.ndarray | None:
    """Weights as they came with a dataset, where they have a row an input. Else None."""
    values = None if weights is None or isinstance(weights, (dict, tuple)) else np.asarray(weights)
    return values if values is not None and values.ndim and len(values) == total else None
