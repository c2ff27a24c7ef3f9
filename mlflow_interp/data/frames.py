"""The inputs of a model from a table: each column is an input, or a part of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import Arrays
from mlflow_interp.exceptions import InputsError, first_line, warn
from mlflow_interp.models.origin import LoadedModel
from mlflow_interp.models.signature import input_shape, named_inputs

Shape = tuple[int | None, ...]


def inputs_of_table(features: Any, loaded: LoadedModel) -> Arrays:
    """The inputs of a model, from a DataFrame or an array of features.

    A model with several inputs gets the column named like each input; the remaining numeric columns form
    the one remaining input, if it takes as many values. A model with one input gets the column of its name,
    the only column, or all columns as its values.

    Args:
        features: a DataFrame, or an array (n, …).
        loaded: the model.

    Raises:
        InputsError: an input without a column, or values that don't fill an input.
    """
    inputs = named_inputs(loaded)
    has_columns = hasattr(features, "columns")
    if len(inputs) > 1 and not has_columns:
        raise InputsError(
            f"the dataset is one array, but model {loaded.keras.name!r} has the inputs {_listed(inputs)}; "
            "give a DataFrame with a column for each input"
        )
    if len(inputs) > 1:
        arrays = _by_name(features, inputs)
        is_list = isinstance(getattr(loaded.keras, "input", None), (tuple, list))
        return tuple(arrays.values()) if is_list else arrays
    if not has_columns:
        return _shaped(np.asarray(features), input_shape(loaded), "the dataset")
    return _only_input(features, next(iter(inputs), None), input_shape(loaded))


def _columns(frame: Any) -> list[str]:
    return [str(name) for name in frame.columns]


def _values(frame: Any, name: str) -> np.ndarray:
    """The values of a column; arrays or nested lists are stacked into one array.

    Raises:
        InputsError: they have different shapes.
    """
    values = frame.iloc[:, _columns(frame).index(name)].to_numpy()
    if values.dtype != object or not len(values) or isinstance(values[0], (str, bytes)):
        return np.asarray(values)
    try:
        rows = [np.asarray(each) for each in values]
    except ValueError as error:  # nested lists of different lengths
        raise InputsError(
            f"column {name!r} has lists that can't be converted to arrays: {first_line(error)}; give lists "
            "of one shape"
        ) from error
    other = next((row for row, each in enumerate(rows) if each.shape != rows[0].shape), None)
    if other is not None:
        raise InputsError(
            f"column {name!r} has arrays of shape {rows[0].shape} and, in row {other}, "
            f"{rows[other].shape}; give each row the same shape"
        )
    return np.stack(rows)


def _by_name(frame: Any, inputs: Mapping[str, Shape]) -> dict[str, np.ndarray]:
    """An array for each of several inputs, in their order."""
    columns = _columns(frame)
    left = [name for name in columns if name not in inputs]
    without = [name for name in inputs if name not in columns]
    arrays = {
        name: _shaped(_values(frame, name), shape, f"column {name!r}")
        for name, shape in inputs.items()
        if name not in without
    }
    if without:
        arrays[without[0]] = _joined(frame, inputs, without, left)
    elif left:
        _warn_left_out(left, inputs)
    return {name: arrays[name] for name in inputs}


def _joined(
    frame: Any, inputs: Mapping[str, Shape], without: Sequence[str], left: Sequence[str]
) -> np.ndarray:
    """The one input that has no column, made of the remaining numeric columns."""
    sizes = inputs[without[0]][1:]
    columns = [_values(frame, name) for name in left]
    are_numbers = bool(columns) and all(map(_is_numeric, columns))
    if len(without) > 1 or not are_numbers or prod(size or 0 for size in sizes) != len(columns):
        raise InputsError(
            f"no column for input {' and '.join(map(repr, without))} of {_listed(inputs)}; the table has "
            f"{', '.join(map(repr, _columns(frame)))}. Name a column for each input, or give as many numeric "
            "columns as the remaining input has values"
        )
    warn(
        f"columns {', '.join(map(repr, left))} are used in this order as input {without[0]!r}; to be sure of "
        f"the order, give a column {without[0]!r} of arrays"
    )
    return _shaped(np.stack(columns, axis=1), inputs[without[0]], "the table")


def _is_numeric(values: np.ndarray) -> bool:
    return values.ndim == 1 and values.dtype.kind in "biuf"


def _only_input(frame: Any, name: str | None, shape: Shape | None) -> np.ndarray:
    """The array of a model's only input."""
    columns = _columns(frame)
    if len(columns) > 1 and name in columns:
        _warn_left_out([each for each in columns if each != name], {str(name): shape or ()})
        columns = [str(name)]
    if len(columns) == 1:
        return _shaped(_values(frame, columns[0]), shape, f"column {columns[0]!r}")
    values = [_values(frame, each) for each in columns]
    other = [each for each, array in zip(columns, values, strict=True) if not _is_numeric(array)]
    if other:
        raise InputsError(
            f"column {other[0]!r} is not numeric, and the model has one input, {name!r}, for columns "
            f"{', '.join(map(repr, columns))}; name the input's column {name!r}, or give numeric columns only"
        )
    return _shaped(np.stack(values, axis=1), shape, "the dataset")


def _shaped(values: np.ndarray, shape: Shape | None, what: str) -> np.ndarray:
    """Values in the shape of an input, whose axes may have been flattened or left out.

    Raises:
        InputsError: the number of values doesn't match.
    """
    if shape is None or _fits(values.shape, shape):
        return values
    try:
        return values.reshape(len(values), *(-1 if size is None else size for size in shape[1:]))
    except ValueError as error:
        raise InputsError(
            f"{what} has rows of shape {values.shape[1:]}, but the model takes {tuple(shape[1:])}; give "
            "a DataFrame with one column of arrays, or arrays flattened to one row per input"
        ) from error


def _fits(given: Sequence[int], shape: Shape) -> bool:
    return len(given) == len(shape) and all(
        size in (None, other) for size, other in zip(shape[1:], given[1:], strict=True)
    )


def _listed(inputs: Mapping[str, Shape]) -> str:
    return ", ".join(f"{name!r} {tuple(shape[1:])}" for name, shape in inputs.items())


def _warn_left_out(columns: Sequence[str], inputs: Mapping[str, Shape]) -> None:
    warn(
        f"columns {', '.join(map(repr, columns))} are left out, as the model has the inputs {_listed(inputs)}"
    )
