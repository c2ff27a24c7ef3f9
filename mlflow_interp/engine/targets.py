"""The class to explain for each input."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import UNKNOWN, Chunk
from mlflow_interp.exceptions import OptionError, nearest

PREDICTED = -1  # as a target: the predicted class

Target = str | int | Sequence[int | str] | None


def target_key(target: Target) -> str:
    """A text that is the same for equal targets."""
    if target is None or isinstance(target, (str, int)):
        return f"{target!r}"
    return f"{np.ravel(np.array(target, dtype=object)).tolist()!r}"


def target_chooser(target: Target, batch: Batch, classes: int) -> Callable[[Chunk], np.ndarray]:
    """A function that gives the targets of a chunk, (n,) int64.

    Args:
        target: None for the predicted class; a class index or name; "label" for the true label
            (the predicted class if unknown); or one of these per input, also as text
            with commas.
        batch: the inputs, with the class names.
        classes: the number of classes of the model.

    Raises:
        OptionError: a class that does not exist, or fewer targets than inputs.
    """
    if target is None:
        return lambda chunk: np.full(len(chunk), PREDICTED, np.int64)
    if isinstance(target, str) and target == "label":
        return lambda chunk: np.where(chunk.labels == UNKNOWN, PREDICTED, chunk.labels)
    target_classes = np.array(
        [_class_index(each, batch, classes) for each in _split_target(target, batch)], np.int64
    )
    if len(target_classes) == 1:
        return lambda chunk: np.full(len(chunk), target_classes[0], np.int64)
    if not len(target_classes) or (batch.total is not None and len(target_classes) != batch.total):
        raise OptionError(
            f"target has {len(target_classes)} classes for {batch.total} inputs; give one, or one per input"
        )
    return lambda chunk: _targets_of(target_classes, chunk)


def _targets_of(target_classes: np.ndarray, chunk: Chunk) -> np.ndarray:
    if chunk.indices.max() >= len(target_classes):
        raise OptionError(f"target has only {len(target_classes)} classes; give one, or one per input")
    return np.asarray(target_classes[chunk.indices])


def _split_target(target: Target, batch: Batch) -> list[Any]:
    if not isinstance(target, str):
        return list(np.ravel(np.array(target, dtype=object)))
    if batch.class_names and target in batch.class_names:
        return [target]
    return [part.strip() for part in target.split(",")]


def _class_index(target: Any, batch: Batch, classes: int) -> int:
    names = list(batch.class_names or ())
    if names.count(target) > 1:
        indices = [str(index) for index, name in enumerate(names) if name == target]
        raise OptionError(f"{len(indices)} classes are named {target!r}; give an index: {', '.join(indices)}")
    if target in names:
        return names.index(target)
    try:
        index = operator.index(int(target) if isinstance(target, str) else target)
    except (TypeError, ValueError) as error:
        known = nearest(target, names, most=3) if names else "; class names are not known, so give an index"
        raise OptionError(f"no class is named {target!r}{known}") from error
    if not 0 <= index < classes:
        raise OptionError(f"target {index} is out of range: the model has classes 0–{classes - 1}")
    return index
