"""Annotations of inputs: labels and weights, one row per input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.exceptions import InputsError

LARGEST_INTEGER = 2**63 - 1  # that an integer array can hold


@dataclass(frozen=True)
class Annotations:
    """Labels and weights of inputs.

    Attributes:
        labels: (n,) int64 class indices, `UNKNOWN` where not given.
        rows: (n, classes) labels as given, if they are rows of numbers.
        weights: (n,) the weight of each input, or (n, …) of each of its positions, if given.
        given: see `Chunk.given_labels`.
    """

    labels: np.ndarray
    rows: np.ndarray | None = None
    weights: np.ndarray | None = None
    given: np.ndarray | None = None

    def of(self, index: Any) -> Annotations:
        """The annotations of some inputs; `index` is whatever indexes an array."""
        optional = (self.rows, self.weights, self.given)
        return Annotations(self.labels[index], *(None if each is None else each[index] for each in optional))


def annotate(
    labels: Any,
    total: int,
    class_names: Sequence[str] | None,
    classes: int | None = None,
    weights: Any = None,
    *,
    by_position: bool | None = False,
    are_values: bool = False,
) -> tuple[Annotations, list[str]]:
    """Labels and weights of any kind, and warnings about labels that fit no class; see `label_indices`.

    Labels that are not classes of whole inputs are left out with a warning, and never converted to a class.

    Args:
        labels: the labels as given.
        total: the number of inputs.
        class_names: the names of the classes, if known.
        classes: the number of classes, if known.
        weights: the weights of the inputs, as given.
        by_position: whether the model gives classes for each position of an input, such as a pixel; None
            if that is not known before it is run.
        are_values: whether labels may be the values of a regression, which cause no warnings.
    """
    labels = values = _without_axes_of_one(labels, total)
    row_of_weights = row_weights(weights, total)
    given = _given(values, total)
    if given is not None and _may_be_of_positions(given, by_position):
        return Annotations(np.full(total, UNKNOWN, np.int64), None, row_of_weights, given), []
    reason = None if are_values else _misfit(values, total)
    if reason is not None or (are_values and values is not None and values.ndim > 2):
        unknown = np.full(total, UNKNOWN, np.int64)
        return Annotations(unknown, None, row_of_weights, given), [reason] if reason else []
    indices, unknown_names = label_indices(labels, total, class_names)
    warnings = _label_warnings(indices, [] if are_values and _are_numbers(values) else unknown_names, classes)
    return Annotations(indices, label_rows(labels), row_of_weights, given), warnings


def _without_axes_of_one(labels: Any, total: int) -> np.ndarray | None:
    """Labels as an array; one for each input as (n, 1), however many axes of length 1 it has."""
    values = None if labels is None else np.asarray(labels)
    if values is not None and values.ndim > 2 and values.size == len(values) == total:
        return values.reshape(total, 1)
    return values


def _given(values: np.ndarray | None, total: int) -> np.ndarray | None:
    """Labels that may be values, or classes of positions; None if they can be neither."""
    if values is None or not values.ndim or len(values) != total:
        return None
    return values if _are_numbers(values) or (values.ndim > 1 and values.dtype.kind in "SUO") else None


def _are_numbers(values: np.ndarray | None) -> bool:
    return values is not None and values.dtype.kind in "biuf"


def _may_be_of_positions(values: np.ndarray, by_position: bool | None) -> bool:
    """Whether to leave the labels to code that knows the positions that the model gives classes for."""
    if values.ndim < 2 or values.shape[1:] == (1,):
        return False
    if by_position is None:
        return values.ndim > 2 or not _are_numbers(values) or _first_outside(values) is not None
    return by_position


def _first_outside(rows: np.ndarray) -> np.ndarray | None:
    """The first of (n, k) rows that is not one-hot, multi-hot or a row of probabilities."""
    # NaN is none of these either.
    outside = ~((rows >= 0) & (rows <= 1)).all(axis=1)
    return np.asarray(rows[outside][0]) if outside.any() else None


def _misfit(values: np.ndarray | None, total: int) -> str | None:
    """Why labels with several values per input can't be classes of it; None if they may be."""
    if values is None or values.ndim < 2 or values.shape[1] < 2 or not _are_numbers(values):
        return None
    if len(values) != total:  # which raises an error elsewhere
        return None
    shape = "×".join(map(str, values.shape[1:]))
    if values.ndim > 2:
        return (
            f"labels have {shape} values for each input, so they can't be its class; they are left out. Give "
            "a class index or a row of classes for each input"
        )
    outside = _first_outside(values)
    if outside is None:
        return None
    row = np.array2string(outside, threshold=4, edgeitems=2, separator=", ")
    return (
        f"labels are rows of {shape} such as {row}, which are neither 0 and 1 nor class probabilities; they "
        "are left out. Give a class index or a row of classes for each input"
    )


def label_indices(labels: Any, total: int, class_names: Sequence[str] | None) -> tuple[np.ndarray, list[str]]:
    """Integers, one-hot rows or names as (n,) int64 class indices, and the names that fit no class.

    Labels that are missing or fit no class are `UNKNOWN`.

    Raises:
        InputsError: the number of labels is not the number of inputs.
    """
    if labels is None:
        return np.full(total, UNKNOWN, np.int64), []
    values = np.asarray(labels)
    if values.dtype.kind not in "biufSUO" or not 0 < values.ndim <= 2 or values.shape[1:] == (0,):
        raise InputsError(
            f"labels are {values.dtype} values of shape {values.shape}; give a class index, a name or a row "
            "of classes for each input, or no labels"
        )
    if len(values) != total:
        raise InputsError(f"there are {len(values)} labels for {total} inputs; give one for each")
    if values.ndim > 1 and values.shape[-1] > 1 and values.dtype.kind not in "SUO":
        return np.asarray(values.argmax(axis=-1), np.int64), []
    return class_indices(values.reshape(total) if values.dtype.kind not in "SUO" else values, class_names)


def class_indices(values: np.ndarray, class_names: Sequence[str] | None) -> tuple[np.ndarray, list[str]]:
    """Names or integers as (n,) int64 class indices, `UNKNOWN` if one fits no class; and the misfits."""
    if values.dtype.kind not in "SUO":
        return _integers(values)
    names = [value.decode(errors="replace") if isinstance(value, bytes) else str(value) for value in values]
    known = {_normalized(name): index for index, name in enumerate(class_names or ())}
    indices = np.array([known.get(_normalized(name), UNKNOWN) for name in names], np.int64)
    return indices, sorted({name for name in names if _normalized(name) not in known})


def label_rows(labels: Any) -> np.ndarray | None:
    """Labels as given if they are (n, classes) numbers: one-hot, multi-hot or soft. Else None."""
    values = None if labels is None else np.asarray(labels)
    if values is None or values.ndim != 2 or values.shape[1] < 2 or values.dtype.kind not in "biuf":
        return None
    return values


def row_weights(weights: Any, total: int) -> np.ndarray | None:
    """The weights from a dataset, if there is one weight, or a row of weights, per input. Else None."""
    values = None if weights is None or isinstance(weights, (dict, tuple)) else np.asarray(weights)
    return values if values is not None and values.ndim and len(values) == total else None


def _label_warnings(indices: np.ndarray, unknown_names: Sequence[str], classes: int | None) -> list[str]:
    warnings = []
    if unknown_names:
        warnings.append(
            f"labels that are not class names count as unknown: {', '.join(unknown_names[:5])}; "
            "pass class_names= with the model's classes"
        )
    outside = indices[(indices < UNKNOWN) | (indices >= (classes or np.inf))]
    if len(outside):
        classes_are = f"the model has classes 0–{classes - 1}" if classes else "classes start at 0"
        warnings.append(
            f"label {outside[0]} is out of range: {classes_are}; "
            "give labels in this range, or -1 for inputs without a label"
        )
    return warnings


def _integers(values: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Numbers as int64, `UNKNOWN` if one is not an integer; and those numbers as text."""
    if values.dtype.kind != "f":
        return values.astype(np.int64), []
    with np.errstate(over="ignore"):
        numbers = values.astype(np.float64)
    is_integer = (np.abs(numbers) < LARGEST_INTEGER) & (numbers == np.floor(numbers))
    indices = np.where(is_integer, numbers, UNKNOWN).astype(np.int64)
    return indices, sorted({str(value) for value in values[~is_integer].tolist()})


def _normalized(name: str) -> str:
    """Egyptian_cat, "Egyptian cat" and egyptian-cat are one class."""
    return name.lower().replace("_", " ").replace("-", " ").strip()
