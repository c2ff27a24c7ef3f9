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

#: Predictions for a chunk, the tally they go into, and what kind they are.
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
    weighed = _weighed(sample_weight, batch, columns)
    if predictions is None:
        start = partial(_running, model, batch, threshold)
    else:
        given = read_predictions(predictions, batch.class_names, threshold=threshold)
        columns.append(PerInputColumn(len(given), "predictions", batch))
        start = partial(_reading, given, columns[-1], model, batch)
    result = _counted(batch, weighed, start, top_k)
    for column in columns:
        column.check_end()
    # As they are, thousands of numbers would stand in the manifest.
    at_hand = {"predictions": predictions, "sample_weight": sample_weight}
    return replace(result, given={name: in_words(each) for name, each in at_hand.items() if each is not None})


def _counted(
    batch: Batch, weighed: Callable[[Chunk], Chunk], start: Callable[[Chunk], _Started], top_k: int
) -> ConfusionMatrixResult:
    """One pass over the inputs; those without a label cost no prediction."""
    started: _Started | None = None
    unlabelled = 0
    for chunk in track(batch.chunks(), total=batch.total, label="Confusion matrix", unit="input"):
        rows = with_label(chunk)
        unlabelled += len(chunk) - len(rows)
        if len(rows):
            known = weighed(some(chunk, rows))
            predict, tally, _ = started = started or start(known)
            tally.add(known, predict(known))
    if started is None:
        strange = [warning for warning in batch.warnings if warning.startswith("labels")]
        raise InapplicableError(f"{_NO_LABELS}{''.join(f' ({each})' for each in strange)}")
    return result_of(started[1], head=started[2], unlabelled=unlabelled, top_k=top_k)


def _weighed(
    sample_weight: Column | None, batch: Batch, columns: list[PerInputColumn]
) -> Callable[[Chunk], Chunk]:
    """What gives the inputs of a chunk their weights; its column is added to `columns`."""
    if sample_weight is None:
        return lambda chunk: chunk
    weights = np.asarray(read_column(sample_weight, "sample_weight"))
    rows = PerInputColumn(len(np.atleast_1d(weights)), "weights", batch)
    columns.append(rows)
    return lambda chunk: replace(chunk, weights=weights[rows.of(chunk)])


def _running(model: Any, batch: Batch, threshold: float, first: Chunk) -> _Started:
    """Predictions by the model."""
    run = Predictor(model, first.inputs)
    multi_label = run.head == "sigmoid" and first.label_rows is not None
    head = "multi-label" if multi_label else run.head
    if threshold != 0.5 and head not in ("binary", "multi-label"):
        raise OptionError(
            f"threshold is {threshold}, and the model chooses the most probable of {run.classes} classes; a "
            "threshold is for one sigmoid output, or for several where labels are rows of 0 and 1"
        )
    tally = Accumulator(run.classes, multi_label=multi_label, class_names=batch.class_names)
    return lambda chunk: decide(run(chunk), head, threshold), tally, head


def _reading(given: Predictions, rows: PerInputColumn, model: Any, batch: Batch, first: Chunk) -> _Started:
    """Predictions that the user has; the model only tells how many classes there are, where they don't."""
    given = given if first.label_rows is not None else given.single()
    classes = given.columns or len(batch.class_names or ()) or _outputs(model) or given.largest + 1
    tally = Accumulator(classes, multi_label=given.multi_label, class_names=batch.class_names)
    return lambda chunk: given.of(rows.of(chunk)), tally, given.head


def _outputs(model: Any) -> int:
    """How many classes a model tells apart by the shape of its output; 0 where that is not known."""
    try:
        columns = model.output_shape[-1]
    except (AttributeError, ValueError, RuntimeError, TypeError, KeyError, IndexError):
        return 0
    return 2 if columns == 1 else columns if isinstance(columns, int) else 0
