"""A confusion matrix of labels and predictions, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlflow_interp.core.accepted import checked
from mlflow_interp.core.annotations import class_indices
from mlflow_interp.core.chunk import Chunk, some
from mlflow_interp.data.labels import Column, read_column
from mlflow_interp.exceptions import InapplicableError, InputsError
from mlflow_interp.kinds.confusion_matrix.accumulator import Accumulator, with_label
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
    top_k: TopK = 5,
) -> ConfusionMatrixResult:
    """A confusion matrix of predictions at hand, without model and MLflow.

    Args:
        labels: The true classes: indices, names or one-hot rows; rows with several ones for inputs with
            several labels; or a .npy, .csv or text file of any.
        predictions: Classes, names, probabilities or logits, one for each label; see `read_predictions`.
        class_names: In order of their index. By default those that occur, sorted, where labels are names.
        weights: How much each input counts.
        images: (n, height, width, 3) uint8 of the inputs, for thumbnails of mistakes.
        threshold: For binary and several labels: the probability above which one counts as predicted.
        top_k: How many of the most confused pairs become metrics and highlights.

    Raises:
        InputsError: arrays that don't fit each other, or hold no classes.
        OptionError: an option out of range.
    """
    label_column = read_column(labels, "labels")
    prediction_column = read_column(predictions, "predictions")
    names = _names(label_column, prediction_column, class_names)
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
    labelled = with_label(chunk)
    if not len(labelled):
        raise InapplicableError("all labels are -1, which stands for no label; give class indices from 0")
    accumulator.add(some(chunk, labelled), predicted.of(labelled))
    unlabelled = len(chunk) - len(labelled)
    return result_of(accumulator, head=predicted.head, unlabelled=unlabelled, top_k=top_k)


def _class_count(predictions: Predictions, chunk: Chunk, names: tuple[str, ...] | None) -> int:
    """The number of classes: of probabilities or names; else of label rows; else by the largest class."""
    if predictions.columns or names:
        return predictions.columns or len(names or ())
    if chunk.label_rows is not None:
        return int(chunk.label_rows.shape[1])
    return max(predictions.largest, int(chunk.labels.max())) + 1


def _names(labels: Any, predictions: Any, class_names: Sequence[str] | None) -> tuple[str, ...] | None:
    """The class names given; else, where labels are names, those that occur, sorted."""
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
        raise InputsError(f"labels have shape {values.shape}; give a class, or a row of them, for each input")
    rows = values if values.ndim == 2 and values.shape[1] > 1 else None
    indices, unknown = _class_indices(values, names)
    if unknown:
        raise InputsError(f"labels hold {unknown[0]!r}, which is no class; pass class_names= with all")
    total = len(values)
    for what, column in (("weights", weights), ("images", images)):
        count = total if column is None else len(np.atleast_1d(column))
        if count != total:
            raise InputsError(f"there are {count} {what} for {total} labels; give one for each")
    positions = np.arange(total)
    weights = None if weights is None else np.asarray(weights)
    return Chunk(positions, tuple(map(str, positions)), positions, indices, images, rows, weights)


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
