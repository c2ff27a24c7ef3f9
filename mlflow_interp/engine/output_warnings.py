"""What a user should know of how a model's output was read, and of labels that don't fit it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import UNKNOWN, Chunk
from mlflow_interp.core.passed import Passed
from mlflow_interp.engine.method import Method, Predicting


def output_warnings(
    name: str, batch: Batch, chunk: Chunk, *, head: str, classes: int, is_contradicted: bool
) -> Iterator[str]:
    """Warnings about the output of a model, by the first chunk of inputs.

    Args:
        name: the model's name.
        batch: the inputs, and what the output is stated to be.
        chunk: the first of them.
        head: how the output was read, see `ClassScores`.
        classes: the number of classes, or values.
        is_contradicted: see `ClassScores`.
    """
    if is_contradicted:
        yield (
            f"the output of model {name!r} is stated to be logits, by head={batch.head!r} or by "
            "its loss, and is a probability by its last operations; it is shown as it is"
        )
    has_labels = bool((chunk.labels != UNKNOWN).any())
    fractions = _fractions(chunk.given_labels)
    if head == "values" and batch.head == "auto" and has_labels and not len(fractions):
        yield (
            f"model {name!r} gives one number, which is not known to be a probability or a logit, "
            "so labels are left out; if it is a logit, pass head='binary_logit'"
        )
    if head == "binary" and len(fractions):
        yield (
            f"labels such as {fractions[0]:g} are no class of model {name!r}, and are left out; give 0 or 1, "
            "or pass head='values' if the model is a regression"
        )
    if head == "linear" and not _names_classes(batch, chunk, classes):
        yield (
            f"nothing states what the {classes} numbers are that model {name!r} gives, so they are read as "
            "logits of classes, which is a guess; pass head='logits', or head='values' for a regression"
        )


def labels_warnings(
    batch: Batch, chunk: Chunk, methods: Mapping[str, Method[Any]], *, head: str, has_positions: bool
) -> Iterator[str]:
    """A warning where methods go without labels, as there are several for each input.

    Args:
        batch: the inputs.
        chunk: the first of them.
        methods: that take part.
        head: how the output was read.
        has_positions: whether the model gives classes for positions.
    """
    labels = chunk.given_labels
    if labels is None or labels.ndim < 2 or labels.shape[1] < 2 or (chunk.labels != UNKNOWN).any():
        return
    words = f"labels have {'×'.join(map(str, labels.shape[1:]))} values for each input"
    if not has_positions:
        # Said before, where the shape of the output was known before the model was run.
        if head != "values" and not any(each.startswith("labels ") for each in batch.warnings):
            yield f"{words}, which are no classes of it; they are left out"
    elif any(not isinstance(method, Predicting) for method in methods.values()):
        yield f"{words}; a confusion matrix counts labels of positions, and all else goes without labels"


def rows_warning(chunk: Chunk, passed: Passed) -> str | None:
    """A warning where rows of labels are no class of a model whose classes exclude each other."""
    if chunk.label_rows is None or not passed.has_classes or passed.has_several_labels:
        return None
    if passed.head == "linear":  # a guess, which is warned of where such rows contradict it
        return None
    left_out = np.flatnonzero((chunk.labels != UNKNOWN) & (passed.labels_of(chunk) == UNKNOWN))
    if not len(left_out):
        return None
    row = np.array2string(chunk.label_rows[left_out[0]], threshold=4, edgeitems=2, separator=", ")
    classes = np.asarray(passed.probabilities).shape[1]
    return (
        f"the row of labels {row} of input {chunk.names[left_out[0]]!r} is not a distribution over the "
        f"model's {classes} classes; such inputs count as unlabelled. Give a class index, or rows that sum "
        "to 1"
    )


def _fractions(labels: np.ndarray | None) -> np.ndarray:
    """Those of one number for each input that are no whole numbers."""
    if labels is None or labels.dtype.kind != "f" or labels.shape[1:] not in ((), (1,)):
        return np.zeros(0)
    return np.asarray(labels[labels != np.floor(labels)])


def _names_classes(batch: Batch, chunk: Chunk, classes: int) -> bool:
    """Whether class names or labels say that a model is a classifier."""
    if batch.class_names is not None and len(batch.class_names) == classes:
        return True
    labels = chunk.given_labels
    if not (chunk.labels != UNKNOWN).any():
        # A class for each position: whole numbers, where the targets of a regression would be any.
        return labels is not None and labels.ndim > 1 and not _has_fractions(labels)
    rows = chunk.label_rows
    if rows is None:
        return True
    return bool(((rows == 0) | (rows == 1)).all() or np.allclose(rows.sum(axis=1), 1, atol=1e-3))


def _has_fractions(labels: np.ndarray) -> bool:
    return labels.dtype.kind == "f" and bool((labels != np.floor(labels)).any())
