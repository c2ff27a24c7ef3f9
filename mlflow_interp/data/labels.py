"""Labels, predictions and weights as users give them: arrays, or files with a value for each input."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlflow_interp.core.annotations import LARGEST_INTEGER
from mlflow_interp.core.paths import local_path
from mlflow_interp.exceptions import InputsError

#: A path, or a value (or a row of them) for each input.
Column = str | Path | Sequence[Any] | np.ndarray


def read_column(column: Column | None, what: str) -> Any:
    """A column as given, or that of a .npy file, of a .csv file, or of text with a value a line.

    A first line of a .csv file that holds text above numbers is taken for its header.

    Raises:
        InputsError: the file can't be read.
    """
    if not isinstance(column, (str, Path)):
        return column
    path = local_path(column)
    try:
        if path.suffix.lower() == ".npy":
            return np.load(path, allow_pickle=False)
        text = path.read_text(encoding="utf-8-sig")
        return _table(text) if path.suffix.lower() == ".csv" else _values(text.split("\n"))
    except (OSError, ValueError, EOFError, csv.Error) as error:
        raise InputsError(
            f"{what} can't be read from {str(path)!r}: {error}; give .npy, or text with one a line"
        ) from error


def in_words(column: Column) -> str:
    """A column for people: its path, or its type and shape."""
    if isinstance(column, (str, Path)):
        return str(column)
    values = np.asarray(column)
    return f"{values.dtype} array of shape {values.shape}"


def _values(lines: Sequence[str]) -> list[Any]:
    """Stripped lines, as numbers where all are."""
    lines = [line.strip() for line in lines if line.strip()]
    if not all(line.isdecimal() for line in lines):
        return _floats(lines)
    numbers = [int(line) for line in lines]
    if numbers and max(numbers) > LARGEST_INTEGER:
        raise ValueError(f"{max(numbers)} is too large a number")
    return numbers


def _floats(texts: Sequence[str]) -> list[Any]:
    try:
        return [float(text) for text in texts]
    except ValueError:
        return list(texts)


def _table(text: str) -> np.ndarray:
    rows = [row for row in csv.reader(text.splitlines()) if row]
    if len(rows) > 1 and _is_header(rows[0], rows[1]):
        rows = rows[1:]
    if len({len(row) for row in rows}) > 1:
        raise ValueError("its lines have different numbers of values")
    return np.array(_values([row[0] for row in rows]) if rows and len(rows[0]) == 1 else _numbers(rows))


def _numbers(rows: list[list[str]]) -> list[list[float]]:
    return [[float(cell) for cell in row] for row in rows]


def _is_header(first: list[str], second: list[str]) -> bool:
    """Whether text stands above numbers, all through."""
    numbers = [isinstance(_floats(row)[0], float) for row in (first, second)]
    return numbers == [False, True]


Labels = str | Path | Sequence[Any] | np.ndarray | None


def read_labels(labels: Labels) -> Any:
    """Labels as given, or those of a .npy file or a text file with one a line.

    Raises:
        InputsError: the file can't be read.
    """
    return read_column(labels, "labels")
