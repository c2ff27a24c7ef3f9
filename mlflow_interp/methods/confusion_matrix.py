"""Confusion matrix: which classes a model takes for which, with the mistakes behind each cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from mlflow_interp.core.annotations import PerInputColumn
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk, some
from mlflow_interp.data.labels import Column, in_words, read_column
from mlflow_interp.engine.predict import Predictor
from mlflow_interp.exceptions import InapplicableError, OptionError
from mlflow_interp.kinds.confusion_matrix.accumulator import Accumulator, with_label
from mlflow_interp.kinds.confusion_matrix.predictions import (
    Predictions,
    check_threshold,
    decide,
    read_predictions,
)
from mlflow_interp.kinds.confusion_matrix.result import ConfusionMatrixResult, check_top_k, result_of
from mlflow_interp.progress import track

REQUIRES = ("classes", "labels")

_NO_LABELS = (
    "no input has a label, and a confusion matrix compares predictions with labels; put pictures into class "
    "folders, give a dataset of (input, label) pairs, or pass labels="
)

#: What predicts a chunk, the accumulator of its predictions, and the head that gave them.
_Started = tuple[Callable[[Chunk], Predictions], Accumulator, str]


def confusion_matrix(
    model: Any,
    batch: Batch,
    *,
    predictions: Column | None = None,
    threshold: float = 0.5,
    sample_weight: Column | None = None,
    top_k: int = 5,
) -> ConfusionMatrixResult:
    """Which classes a model takes for which: counts of true against predicted classes.

    Counted exactly, chunk by chunk; memory grows with the number of classes and not of inputs. The most
    confident mistakes of each pair of classes are kept, to be looked at. A model with several sigmoid
    outputs, where labels are rows of 0 and 1, gets a matrix of 2×2 for each label.

    Args:
        predictions: What was predicted, and the model is not run: a .npy, .csv or text file, or an array,
            of classes, names, probabilities or logits, one for each input.
        threshold: The probability above which a binary model's class 1, or one of several labels, counts
            as predicted.
        sample_weight: How much each input counts, a .npy or text file or an array. By default what a
            dataset has as third element. Counts stay whole; weights are summed beside them, and metrics
            are those of the weighted matrix.
        top_k: How many of the most confused pairs become metrics and highlights.

    Returns:
        Counts (classes, classes) int64, a row a true class; of several labels, (labels, 2, 2).

    Raises:
        InapplicableError: no input has a label.
        InputsError: labels, predictions or weights that don't fit the model or the inputs.
        OptionError: an option out of range.
        ModelError: the model gives no probabilities of classes.
    """
    check_threshold(threshold)
    check_top_k(top_k)
    if not batch.labelled:
        raise InapplicableError(_NO_LABELS)
    columns: list[PerInputColumn] = []
    add_weights = _weighting(sample_weight, batch, columns)
    if predictions is None:
        start = partial(_start_model, model, batch, threshold)
    else:
        loaded = read_predictions(predictions, batch.class_names, threshold=threshold)
        columns.append(PerInputColumn(len(loaded), "predictions", batch))
        start = partial(_start_predictions, loaded, columns[-1], model, batch)
    result = _count(batch, add_weights, start, top_k)
    for column in columns:
        column.check_end()
    # In words, as arrays would put thousands of numbers into the manifest.
    options = {"predictions": predictions, "sample_weight": sample_weight}
    return replace(result, given={name: in_words(each) for name, each in options.items() if each is not None})


def _count(
    batch: Batch, add_weights: Callable[[Chunk], Chunk], start: Callable[[Chunk], _Started], top_k: int
) -> ConfusionMatrixResult:
    """Count one pass over the inputs; those without a label are not predicted."""
    started: _Started | None = None
    unlabelled = 0
    for chunk in track(batch.chunks(), total=batch.total, label="Confusion matrix", unit="input"):
        rows = with_label(chunk)
        unlabelled += len(chunk) - len(rows)
        if len(rows):
            labelled = add_weights(some(chunk, rows))
            predict, accumulator, _ = started = started or start(labelled)
            accumulator.add(labelled, predict(labelled))
    if started is None:
        label_warnings = [warning for warning in batch.warnings if warning.startswith("labels")]
        raise InapplicableError(f"{_NO_LABELS}{''.join(f' ({each})' for each in label_warnings)}")
    return result_of(started[1], head=started[2], unlabelled=unlabelled, top_k=top_k)


def _weighting(
    sample_weight: Column | None, batch: Batch, columns: list[PerInputColumn]
) -> Callable[[Chunk], Chunk]:
    """A function that adds weights to a chunk; the column of weights is added to `columns`."""
    if sample_weight is None:
        return lambda chunk: chunk
    weights = np.asarray(read_column(sample_weight, "sample_weight"))
    rows = PerInputColumn(len(np.atleast_1d(weights)), "weights", batch)
    columns.append(rows)
    return lambda chunk: replace(chunk, weights=weights[rows.of(chunk)])


def _start_model(model: Any, batch: Batch, threshold: float, first: Chunk) -> _Started:
    """Start with the first chunk where the model makes the predictions."""
    run = Predictor(model, first.inputs)
    multi_label = run.head == "sigmoid" and first.label_rows is not None
    head = "multi-label" if multi_label else run.head
    if threshold != 0.5 and head not in ("binary", "multi-label"):
        raise OptionError(
            f"threshold is {threshold}, and the model chooses the most probable of {run.classes} classes; a "
            "threshold is for one sigmoid output, or for several where labels are rows of 0 and 1"
        )
    accumulator = Accumulator(run.classes, multi_label=multi_label, class_names=batch.class_names)
    return lambda chunk: decide(run(chunk), head, threshold), accumulator, head


def _start_predictions(
    predictions: Predictions, rows: PerInputColumn, model: Any, batch: Batch, first: Chunk
) -> _Started:
    """Start with the first chunk where predictions were given; of the model only the classes are counted."""
    predictions = predictions if first.label_rows is not None else predictions.single()
    classes = (
        predictions.columns
        or len(batch.class_names or ())
        or _output_classes(model)
        or predictions.largest + 1
    )
    accumulator = Accumulator(classes, multi_label=predictions.multi_label, class_names=batch.class_names)
    return lambda chunk: predictions.of(rows.of(chunk)), accumulator, predictions.head


def _output_classes(model: Any) -> int:
    """The number of classes by the shape of a model's output; 0 where that is not known."""
    try:
        columns = model.output_shape[-1]
    except (AttributeError, ValueError, RuntimeError, TypeError, KeyError, IndexError):
        return 0
    return 2 if columns == 1 else columns if isinstance(columns, int) else 0
