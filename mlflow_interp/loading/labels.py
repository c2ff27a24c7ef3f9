"""True classes from whatever carries them, as class indices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlflow_interp.core import UNKNOWN
from mlflow_interp.exceptions import InputsError

Labels = str | Path | Sequence[Any] | None


def read_labels(labels: Labels) -> Any:
    """Labels as given, or those of a .npy file or a text file with one a line.

    Raises:
        InputsError: the file can't be read.
    """
    if not isinstance(labels, (str, Path)):
        return labels
    path = Path(labels).expanduser()
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, ValueError, EOFError) as error:
        raise InputsError(
            f"labels can't be read from {str(path)!r}: {error}; give .npy, or text with one a line"
        ) from error
    lines = [line.strip() for line in lines if line.strip()]
    return [int(line) for line in lines] if all(line.isdecimal() for line in lines) else lines


def label_indices(labels: Any, total: int, class_names: Sequence[str] | None) -> tuple[np.ndarray, list[str]]:
    """Integers, one-hot rows or names as (n,) int64 class indices, and the names that fit no class.

    What is not given, or fits no class, is `UNKNOWN`.

    Raises:
        InputsError: not one label an input.
    """
    if labels is None:
        return np.full(total, UNKNOWN, np.int64), []
    values = np.asarray(labels)
    if len(values) != total:
        raise InputsError(f"there are {len(values)} labels for {total} inputs; give one for each")
    if values.dtype.kind in "SUO":
        return _named(values, class_names)
    if values.ndim > 1 and values.shape[-1] > 1:
        return np.asarray(values.argmax(axis=-1), np.int64), []
    return values.reshape(total).astype(np.int64), []


def _named(labels: np.ndarray, class_names: Sequence[str] | None) -> tuple[np.ndarray, list[str]]:
    texts = [label.decode() if isinstance(label, bytes) else str(label) for label in labels]
    known = {_plain(name): index for index, name in enumerate(class_names or ())}
    indices = np.array([known.get(_plain(text), UNKNOWN) for text in texts], np.int64)
    return indices, sorted({text for text in texts if _plain(text) not in known})


def _plain(name: str) -> str:
    """Egyptian_cat, "Egyptian cat" and egyptian-cat are one class."""
    return name.lower().replace("_", " ").replace("-", " ").strip()
