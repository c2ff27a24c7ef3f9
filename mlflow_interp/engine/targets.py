"""Which class of each input is to be explained."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import UNKNOWN, Chunk
from mlflow_interp.exceptions import OptionError, nearest

PREDICTED = -1  # as a target: the class the model itself predicts

Target = str | int | Sequence[int | str] | None


def target_chooser(target: Target, batch: Batch, classes: int) -> Callable[[Chunk], np.ndarray]:
    """How to find the targets of a chunk, (n,) int64.

    Args:
        target: None for the predicted class; a class index or name; "label" for the true label
            (the predicted class where it is unknown); or one of these per input, also as text
            with commas.
        batch: knows the class names.
        classes: how many classes the model has.

    Raises:
        OptionError: a class that does not exist, or fewer targets than inputs.
    """
    if target is None:
        return lambda chunk: np.full(len(chunk), PREDICTED, np.int64)
    if isinstance(target, str) and target == "label":
        return lambda chunk: np.where(chunk.labels == UNKNOWN, PREDICTED, chunk.labels)
    wanted = np.array([_class_index(each, batch, classes) for each in _split(target, batch)], np.int64)
    if len(wanted) == 1:
        return lambda chunk: np.full(len(chunk), wanted[0], np.int64)
    if not len(wanted) or (batch.total is not None and len(wanted) != batch.total):
        raise OptionError(
            f"target names {len(wanted)} classes for {batch.total} inputs; give one, or one per input"
        )
    return lambda chunk: _pick(wanted, chunk)


def _pick(wanted: np.ndarray, chunk: Chunk) -> np.ndarray:
    if chunk.indices.max() >= len(wanted):
        raise OptionError(f"target names only {len(wanted)} classes; give one, or one per input")
    return np.asarray(wanted[chunk.indices])


def _split(target: Target, batch: Batch) -> list[Any]:
    if not isinstance(target, str):
        return list(np.ravel(np.array(target, dtype=object)))
    if batch.class_names and target in batch.class_names:
        return [target]
    return [part.strip() for part in target.split(",")]


def _class_index(target: Any, batch: Batch, classes: int) -> int:
    names = list(batch.class_names or ())
    if names.count(target) > 1:
        same = [str(index) for index, name in enumerate(names) if name == target]
        raise OptionError(f"{len(same)} classes are called {target!r}; give an index: {', '.join(same)}")
    if target in names:
        return names.index(target)
    try:
        index = operator.index(int(target) if isinstance(target, str) else target)
    except (TypeError, ValueError) as error:
        known = nearest(target, names, most=3) if names else "; no class names are known, give its index"
        raise OptionError(f"no class is called {target!r}{known}") from error
    if not 0 <= index < classes:
        raise OptionError(f"target {index} is out of range: the model has classes 0 to {classes - 1}")
    return index
