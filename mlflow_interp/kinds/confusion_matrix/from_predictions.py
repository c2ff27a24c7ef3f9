"""A confusion matrix of labels and predictions, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mlflow_interp.core.accepted import checked
from mlflow_interp.core.annotations import class_indices
from mlflow_interp.core.chunk import UNKNOWN, Chunk, position_names, some
from mlflow_interp.core.passed import Passed
from mlflow_interp.data.labels import Column, read_column
from mlflow_interp.exceptions import InapplicableError, InputsError
from mlflow_interp.kinds.confusion_matrix.accumulator import Accumulator, with_label
from mlflow_interp.kinds.confusion_matrix.given import Given, find_positions, read_given
from mlflow_interp.kinds.confusion_matrix.positions import have_rows, pairs_of, unit_of
from mlflow_interp.kinds.confusion_matrix.predictions import Predictions, Threshold, read_predictions
from mlflow_interp.kinds.confusion_matrix.result import ConfusionMatrixResult, TopK, result_of


@checked
def from_predictions(
    labels: Column,
    predictions: Column,
    *,
    class_names: Sequence[str] | None = None,
    weights: Column | None = None,
    images: np.ndarray | None = None,
    threshold: Threshold = 0.5,
    ignore_label: int | None = None,
    top_k: TopK = 5,
) -> ConfusionMatrixResult:
    """A confusion matrix of predictions in memory, without a model or MLflow.

    Args:
        labels: True classes: indices, names or one-hot rows; rows with several ones for inputs with several
            labels; or a .npy, .csv or text file of them. For positions such as pixels, an array
            (n, *positions) of classes, or one with rows of classes, which sum to 1 if labels and predictions
            have the same shape. If both are (n, k), numbers outside 0..1, or names, are classes of positions.
        predictions: Classes, names, probabilities or logits, one for each label; see `read_predictions`.
        class_names: Class names in order of their index. By default, if labels are names, the names that
            occur, sorted.
        weights: Weight of each input, or of each of its positions.
        images: (n, height, width, 3) uint8 of the inputs, for thumbnails of errors.
        threshold: Probability above which class 1 of binary predictions, or one of several labels, counts as
            predicted.
        ignore_label: Label of inputs or positions to leave out, such as 255 in masks; -1 is never counted.
        top_k: Number of most confused pairs of classes to report as metrics and highlights.

    Raises:
        InputsError: arrays that don't fit each other, or have no classes.
        OptionError: an option out of range.
    """
    label_column = read_column(labels, "labels")
    prediction_column = read_column(predictions, "predictions")
    names = _names(label_column, prediction_column, class_names)
    if _are_of_positions(label_column, prediction_column):
        chunk = _chunk_of_positions(label_column, read_column(weights, "weights"), images)
        given = read_given(prediction_column, None, names, threshold, of_positions=True)
        return replace(_counted(chunk, given, names, threshold, ignore_label), top_k=top_k)
    chunk = _chunk(label_column, names, read_column(weights, "weights"), images)
    predicted = read_predictions(
        prediction_column, names, threshold=threshold, multi_label=_has_several(chunk)
    )
    predicted = predicted if chunk.label_rows is not None else predicted.single()
    if len(predicted) != len(chunk):
        raise InputsError(
            f"there are {len(predicted)} predictions for {len(chunk)} labels; give one for each"
        )
    classes = _class_count(predicted, chunk, names)
    accumulator = Accumulator(classes, multi_label=predicted.multi_label, class_names=names)
    if ignore_label is not None:
        chunk = replace(chunk, labels=np.where(chunk.labels == ignore_label, UNKNOWN, chunk.labels))
    labelled = with_label(chunk)
    if not len(labelled):
        raise InapplicableError("all labels are -1, which means no label; give class indices from 0")
    accumulator.add(some(chunk, labelled), predicted.of(labelled))
    unlabelled = len(chunk) - len(labelled)
    return result_of(accumulator, head=predicted.head, unlabelled=unlabelled, top_k=top_k)


def _are_of_positions(labels: Any, predictions: Any) -> bool:
    """Whether there are labels for each position of an input, judging by shapes and values."""
    values = np.asarray(labels)
    if values.ndim < 2 or values.shape[1:] == (1,):
        return False
    is_text = values.dtype.kind in "SUO"
    return max(values.ndim, np.ndim(predictions)) > 2 or is_text or bool(((values < 0) | (values > 1)).any())


def _chunk_of_positions(labels: Any, weights: Any, images: np.ndarray | None) -> Chunk:
    """Labels of positions as a chunk without inputs."""
    values = np.asarray(labels)
    if not values.size:
        raise InputsError(f"labels have shape {values.shape}; give a class for each position")
    rows = np.arange(len(values))
    return Chunk(
        indices=rows,
        names=position_names(rows),
        inputs=images,
        labels=np.full(len(values), UNKNOWN),
        images=images,
        weights=None if weights is None else np.asarray(weights),
        given_labels=values,
    )


def _counted(
    chunk: Chunk, given: Given, names: tuple[str, ...] | None, threshold: float, ignore_label: int | None
) -> ConfusionMatrixResult:
    """The positions of a chunk, counted."""
    values = given.columns["positions"]
    if len(values) != len(chunk):
        raise InputsError(f"there are {len(values)} predictions for {len(chunk)} labels; give one for each")
    found = find_positions(replace(chunk, columns={"positions": values}), Passed(), given)
    if found is None:
        raise InapplicableError("labels and predictions have different positions; give one label for each")
    labels = np.asarray(chunk.given_labels)
    several = found.head == "sigmoid" and have_rows(labels, found)
    classes = 2 if found.head == "binary" else given.classes
    if found.head == "classes" and names is None and labels.dtype.kind not in "SUO":
        counted = labels if ignore_label is None else labels[labels != ignore_label]
        classes = max(classes, int(counted.max(initial=0)) + 1)
    unit = unit_of(chunk.inputs, found.shape)
    accumulator = Accumulator(classes, multi_label=several, class_names=names, unit=unit)
    pairs = pairs_of(
        chunk,
        found,
        classes=classes,
        class_names=names,
        ignore_label=ignore_label,
        threshold=threshold,
    )
    accumulator.add_positions(chunk, pairs)
    return result_of(accumulator, head="multi-label" if several else found.head)


def _class_count(predictions: Predictions, chunk: Chunk, names: tuple[str, ...] | None) -> int:
    """The number of classes: of probabilities or names; else of label rows; else from the largest class."""
    if predictions.columns or names:
        return predictions.columns or len(names or ())
    if chunk.label_rows is not None:
        return int(chunk.label_rows.shape[1])
    return max(predictions.largest, int(chunk.labels.max())) + 1


def _names(labels: Any, predictions: Any, class_names: Sequence[str] | None) -> tuple[str, ...] | None:
    """The given class names; else, if labels are names, those that occur, sorted."""
    if class_names is not None:
        return tuple(map(str, class_names))
    columns = [np.asarray(labels), np.asarray(predictions)]
    if columns[0].dtype.kind not in "SUO":
        return None
    texts = [column.ravel().tolist() for column in columns if column.dtype.kind in "SUO"]
    return tuple(sorted({str(name) for column in texts for name in column}))


def _chunk(labels: Any, names: tuple[str, ...] | None, weights: Any, images: np.ndarray | None) -> Chunk:
    """Labels of any kind as a chunk without inputs."""
    values = np.asarray(labels)
    if values.ndim not in (1, 2) or not values.size:
        raise InputsError(f"labels have shape {values.shape}; give a class or a row of them for each input")
    rows = values if values.ndim == 2 and values.shape[1] > 1 else None
    indices, unknown = _class_indices(values, names)
    if unknown:
        raise InputsError(f"labels contain {unknown[0]!r}, which is not a class; pass all class_names=")
    total = len(values)
    for what, column in (("weights", weights), ("images", images)):
        count = total if column is None else len(np.atleast_1d(column))
        if count != total:
            raise InputsError(f"there are {count} {what} for {total} labels; give one for each")
    positions = np.arange(total)
    weights = None if weights is None else np.asarray(weights)
    return Chunk(positions, position_names(positions), positions, indices, images, rows, weights)


def _class_indices(values: np.ndarray, names: tuple[str, ...] | None) -> tuple[np.ndarray, list[str]]:
    if values.ndim == 1 or values.shape[1] == 1:
        return class_indices(values.ravel(), names)
    if values.dtype.kind not in "biuf":
        raise InputsError(f"rows of labels are {values.dtype}; give a number for each class")
    return values.argmax(axis=1), []


def _has_several(chunk: Chunk) -> bool:
    """Whether an input has several labels, or none."""
    rows = chunk.label_rows
    return rows is not None and bool(((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) != 1).any())
