"""Predictions given in place of a model: of inputs, or of their positions such as pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.core.annotations import class_indices
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.passed import Passed
from mlflow_interp.exceptions import InapplicableError, InputsError
from mlflow_interp.kinds.confusion_matrix.positions import (
    AT_ONCE,
    CLOSE,
    PositionPredictions,
    are_of_positions,
    words_of,
)
from mlflow_interp.kinds.confusion_matrix.predictions import read_predictions


@dataclass(frozen=True)
class Given:
    """Predictions that were given.

    Attributes:
        columns: their values, one for each input, by name; "positions" for predictions of positions.
        classes: the number of classes.
        head: see `Predictions`; "" for predictions of positions, as it depends on the labels.
        rank: the number of axes of positions, None if not known.
        independent: see `are_independent`.
    """

    columns: Mapping[str, Any]
    classes: int
    head: str = ""
    rank: int | None = None
    independent: bool = False


def read_given(
    values: Any,
    shape: tuple[int | None, ...] | None,
    class_names: Sequence[str] | None,
    threshold: float,
    *,
    of_positions: bool = False,
) -> Given:
    """Predictions of any kind.

    Args:
        values: classes, names, probabilities or logits.
        shape: the shape of the model's output, with the batch axis; None if not known.
        class_names: the names of the classes, if known.
        threshold: see `read_predictions`.
        of_positions: whether values are of positions, regardless of their shape.

    Raises:
        InputsError: see `read_predictions`.
    """
    named = len(class_names or ())
    by_model = (shape or (0,))[-1] or 0
    by_model = 2 if by_model == 1 else by_model
    rank = len(shape) - 2 if shape is not None and len(shape) > 2 else None
    axes = np.ndim(values) if isinstance(values, np.ndarray) or rank is not None or of_positions else 1
    if of_positions or axes > 2 or (axes == 2 and rank is not None and np.shape(values)[1] > 1):
        array = _as_positions(values, class_names)
        rows = array.shape[-1] if rank is not None and array.ndim == rank + 2 else 0
        classes = rows if rows > 1 else named or by_model or _largest(array) + 1 or array.shape[-1]
        return Given({"positions": array}, classes, rank=rank, independent=are_independent(array))
    read = read_predictions(values, class_names, threshold=threshold)
    columns = {"predictions": read.classes}
    if read.probabilities is not None:
        columns["probabilities"] = read.probabilities
    return Given(columns, read.columns or named or by_model or read.largest + 1, read.head)


def _largest(array: np.ndarray) -> int:
    """The highest class; -1 unless all values are whole numbers."""
    is_whole = array.dtype.kind in "biu" or bool((array == np.floor(array)).all())
    return int(array.max()) if is_whole and array.size else -1


def _as_positions(values: Any, class_names: Sequence[str] | None) -> np.ndarray:
    """Predictions of positions as numbers.

    Raises:
        InputsError: a name that is not a class.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "SUO":
        return array
    indices, unknown = class_indices(array.reshape(-1), class_names)
    if unknown:
        raise InputsError(f"predictions contain {unknown[0]!r}, which is not a class; pass all class_names=")
    return indices.reshape(array.shape)


def find_positions(chunk: Chunk, passed: Passed, given: Given | None) -> PositionPredictions | None:
    """The prediction at each position if labels are of positions; None if they are of inputs.

    Args:
        chunk: inputs, perhaps with `given_labels`.
        passed: the outputs of the model for them.
        given: predictions given in place of the model.

    Raises:
        InapplicableError: labels and predictions have different positions.
    """
    labels = chunk.given_labels
    if labels is None:
        return None
    if given is not None and "positions" in given.columns:
        values = chunk.columns["positions"]
        found = read_positions(values, labels, rank=given.rank, independent=given.independent)
    elif given is None and "positions" in passed.arrays:
        found = PositionPredictions(passed.arrays["positions"], passed.head, passed.arrays.get("mask"))
    elif labels.ndim < 3 or not passed.has_classes:
        return None
    else:
        raise InapplicableError(
            f"labels have {words_of(labels.shape[1:])} values for each input, so they can't be its class; "
            "give a class, or a row of classes, for each input"
        )
    if are_of_positions(labels, found):
        return found
    if labels.ndim < 2 or labels.shape[1:] == (1,):
        return None
    raise InapplicableError(
        f"labels have {words_of(labels.shape[1:])} values for each input, but the model gives classes at "
        f"{words_of(found.shape)} positions; give a class, or a row of classes, for each position"
    )


def are_independent(values: np.ndarray) -> bool:
    """Whether the rows along the last axis are probabilities that don't all sum to 1."""
    if values.dtype.kind != "f":
        return False
    rows = max(1, AT_ONCE // max(1, values[:1].size))
    parts = [values[start : start + rows] for start in range(0, len(values), rows)]
    in_range = all(part.min() >= 0 and part.max() <= 1 for part in parts)
    return in_range and any(np.abs(part.sum(axis=-1) - 1).max() > CLOSE for part in parts)


def read_positions(
    values: Any, labels: np.ndarray, *, rank: int | None, independent: bool
) -> PositionPredictions:
    """Given predictions of positions: classes, probabilities or logits.

    Args:
        values: (n, *positions) classes or probabilities of the second class, or (n, *positions, classes)
            probabilities or logits.
        labels: (n, …) of positions.
        rank: the number of axes of positions; None if it must be found from the shapes of labels and
            predictions.
        independent: see `are_independent`, for all predictions.

    Raises:
        InputsError: they are not finite, or fractions outside 0..1.
        InapplicableError: they don't fit the labels.
    """
    values = np.asarray(values)
    if values.dtype.kind not in "biuf" or (values.dtype.kind == "f" and not np.isfinite(values).all()):
        raise InputsError(
            f"predictions of positions are {values.dtype} or not finite; give classes, probabilities or "
            "logits"
        )
    rank = rank if rank is not None else _rank(values, labels)
    if values.ndim == rank + 2 and values.shape[-1] > 1:
        with_rows = labels.ndim == rank + 2 and labels.shape[-1] > 1
        if with_rows and independent:
            return PositionPredictions(values, "sigmoid")
        return PositionPredictions(values.argmax(axis=-1), "softmax")
    values = values[..., 0] if values.ndim == rank + 2 else values
    if values.ndim != rank + 1:
        raise InapplicableError(
            f"predictions have {words_of(values.shape[1:])} values for each input, but labels "
            f"{words_of(labels.shape[1:])}; give a class, or a row of classes, for each position"
        )
    if values.dtype.kind == "f" and (values != np.floor(values)).any():
        if values.min() < 0 or values.max() > 1:
            raise InputsError(
                f"predictions are fractions from {values.min():g} to {values.max():g}; give probabilities of "
                "class 1 from 0 to 1, or classes"
            )
        return PositionPredictions(values, "binary")
    return PositionPredictions(values.astype(np.int64), "classes")


def _rank(values: np.ndarray, labels: np.ndarray) -> int:
    """The number of axes of positions, from the shapes of labels and predictions."""
    if values.ndim != labels.ndim:
        return min(values.ndim, labels.ndim) - 1
    if 1 in (values.shape[-1], labels.shape[-1]):
        return values.ndim - 2
    # Rows of classes 0 and 1 may sum to 1 by chance if there are few.
    are_rows = _add_up(labels) or (_largest(values) < 0 and _add_up(values))
    return values.ndim - (2 if are_rows else 1)


def _add_up(values: np.ndarray) -> bool:
    """Whether the rows along the last axis are distributions."""
    is_number = values.dtype.kind in "biuf" and values.min() >= 0
    return bool(is_number and (np.abs(values.sum(axis=-1) - 1) < CLOSE).all())
