"""Labels, predictions and weights: arrays, or files with a value for each input."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlflow_interp.core.annotations import LARGEST_INTEGER
from mlflow_interp.core.paths import local_path
from mlflow_interp.exceptions import InputsError

#: A path, or a value (or a row of them) for each input.
Column = str | Path | Sequence[Any] | np.ndarray
Labels = Column | None

_RAGGED = "lines have different numbers of values"


def column_file(column: str | Path, what: str) -> Path:
    """The file of a column, after a check that it can be opened.

    Args:
        column: the path.
        what: labels, predictions or weights, for messages.

    Raises:
        InputsError: it can't be opened.
    """
    path = local_path(column)
    try:
        path.open("rb").close()
    except (OSError, ValueError) as error:
        raise _unreadable(path, what, error) from error
    return path


def _unreadable(path: Path, what: str, error: Exception) -> InputsError:
    return InputsError(
        f"{what} can't be read from {str(path)!r}: {error}; give a .npy file, or text with one value per line"
    )


def read_column(column: Column | None, what: str) -> Any:
    """A column, unchanged or read from a .npy file, a .csv file, or text with one value per line.

    In a .csv file, a first line of text above numbers is read as the header.

    Args:
        column: the values, or the path of a file.
        what: labels, predictions or weights, for messages.

    Raises:
        InputsError: the file can't be read.
    """
    if not isinstance(column, (str, Path)):
        return column
    path = column_file(column, what)
    try:
        if path.suffix.lower() == ".npy":
            values = np.load(path, mmap_mode="r", allow_pickle=False)
            # Masks and the like may be larger than memory, and are read on demand.
            return values if values.ndim > 2 else np.array(values)
        if path.suffix.lower() == ".csv":
            return _read_csv(path)
        return _values(path.read_text(encoding="utf-8-sig").split("\n"))
    except (OSError, ValueError, EOFError) as error:
        raise _unreadable(path, what, error) from error


def in_words(column: Column) -> str:
    """A description of a column: its path, or its type and shape."""
    if isinstance(column, (str, Path)):
        return str(column)
    values = np.asarray(column)
    return f"{values.dtype} array of shape {values.shape}"


def _read_csv(path: Path) -> np.ndarray:
    """The cells of a .csv file: a number or text in each line, or a row of numbers in each line."""
    import pandas as pd

    try:
        cells = pd.read_csv(path, header=None, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except pd.errors.EmptyDataError:
        raise ValueError("it is empty") from None
    except pd.errors.ParserError:
        raise ValueError(_RAGGED) from None
    # pandas fills short lines with missing values.
    if cells.shape[1] > 1 and (cells == "").any(axis=None):
        raise ValueError(_RAGGED)
    rows = cells.to_numpy(str)
    if len(rows) > 1 and not _are_numbers(rows[0]) and _are_numbers(rows[1]):
        rows = rows[1:]
    return np.array(_values(rows[:, 0].tolist())) if rows.shape[1] == 1 else rows.astype(np.float64)


def _are_numbers(row: np.ndarray) -> bool:
    try:
        row.astype(np.float64)
    except ValueError:
        return False
    return True


def _values(lines: Sequence[str]) -> list[Any]:
    """Stripped lines, as numbers if all of them are."""
    lines = [line.strip() for line in lines if line.strip()]
    if not all(line.isdecimal() for line in lines):
        return _floats(lines)
    numbers = [int(line) for line in lines]
    if numbers and max(numbers) > LARGEST_INTEGER:
        raise ValueError(f"number {max(numbers)} is too large")
    return numbers


def _floats(texts: Sequence[str]) -> list[Any]:
    try:
        return [float(text) for text in texts]
    except ValueError:
        return list(texts)
