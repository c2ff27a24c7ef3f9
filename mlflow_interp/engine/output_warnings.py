"""Warnings about how a model's output was read, and about labels that don't fit it."""

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
    """Warnings about the output of a model, based on the first chunk of inputs.

    Args:
        name: the model's name.
        batch: the inputs, and what the output is stated to be.
        chunk: the first chunk of the inputs.
        head: how the output was read, see `ClassScores`.
        classes: the number of classes, or values.
        is_contradicted: see `ClassScores`.
    """
    if is_contradicted:
        yield (
            f"head={batch.head!r} or the loss states that the output of model {name!r} is logits, but its "
            "last operations make it a probability; it is used as a probability"
        )
    has_labels = bool((chunk.labels != UNKNOWN).any())
    fractions = _fractions(chunk.given_labels)
    if head == "values" and batch.head == "auto" and has_labels and not len(fractions):
        yield (
            f"Could not determine whether the single output of model {name!r} is a probability or a logit; "
            "labels are left out. If it is a logit, pass head='binary_logit'"
        )
    if head == "binary" and len(fractions):
        yield (
            f"label {fractions[0]:g} is not a class of model {name!r}; such labels are left out. Give 0 or "
            "1, or pass head='values' if the model is a regression"
        )
    if head == "linear" and not _names_classes(batch, chunk, classes):
        yield (
            f"Could not determine what the {classes} outputs of model {name!r} are; assuming logits of "
            "classes. Pass head='logits', or head='values' for a regression"
        )


def labels_warnings(
    batch: Batch, chunk: Chunk, methods: Mapping[str, Method[Any]], *, head: str, has_positions: bool
) -> Iterator[str]:
    """A warning if methods do without labels, as there are several for each input.

    Args:
        batch: the inputs.
        chunk: the first chunk of the inputs.
        methods: the methods of the call.
        head: how the output was read.
        has_positions: whether the model gives classes for positions.
    """
    labels = chunk.given_labels
    if labels is None or labels.ndim < 2 or labels.shape[1] < 2 or (chunk.labels != UNKNOWN).any():
        return
    words = f"labels have {'×'.join(map(str, labels.shape[1:]))} values for each input"
    if not has_positions:
        # Already reported if the shape of the output was known before the model was run.
        if head != "values" and not any(each.startswith("label") for each in batch.warnings):
            yield f"{words}, so they can't be its class; they are left out"
    elif any(not isinstance(method, Predicting) for method in methods.values()):
        yield f"{words}; the confusion matrix counts labels of positions, other methods do without labels"


def rows_warning(chunk: Chunk, passed: Passed) -> str | None:
    """A warning if rows of labels don't name a class of a model with mutually exclusive classes."""
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
    """The labels that are not whole numbers, if there is one number for each input."""
    if labels is None or labels.dtype.kind != "f" or labels.shape[1:] not in ((), (1,)):
        return np.zeros(0)
    return np.asarray(labels[labels != np.floor(labels)])


def _names_classes(batch: Batch, chunk: Chunk, classes: int) -> bool:
    """Whether class names or labels show that a model is a classifier."""
    if batch.class_names is not None and len(batch.class_names) == classes:
        return True
    labels = chunk.given_labels
    if not (chunk.labels != UNKNOWN).any():
        # A class for each position: whole numbers, while the targets of a regression may be any numbers.
        return labels is not None and labels.ndim > 1 and not _has_fractions(labels)
    rows = chunk.label_rows
    if rows is None:
        return True
    return bool(((rows == 0) | (rows == 1)).all() or np.allclose(rows.sum(axis=1), 1, atol=1e-3))


def _has_fractions(labels: np.ndarray) -> bool:
    return labels.dtype.kind == "f" and bool((labels != np.floor(labels)).any())
