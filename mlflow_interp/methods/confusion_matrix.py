"""Confusion matrix: which classes a model takes for which, with the mistakes behind each cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk, some
from mlflow_interp.core.passed import Passed
from mlflow_interp.data.labels import Column, in_words, read_column
from mlflow_interp.engine.method import Predicting
from mlflow_interp.exceptions import InapplicableError, OptionError
from mlflow_interp.kinds.confusion_matrix.accumulator import Accumulator, with_label
from mlflow_interp.kinds.confusion_matrix.predictions import (
    Predictions,
    Threshold,
    decide,
    read_predictions,
)
from mlflow_interp.kinds.confusion_matrix.result import ConfusionMatrixResult, TopK, result_of

REQUIRES = ("classes", "labels")

_NO_LABELS = (
    "no input has a label, and a confusion matrix compares predictions with labels; put pictures into class "
    "folders, give a dataset of (input, label) pairs, or pass labels="
)


def confusion_matrix(
    model: Any,
    batch: Batch,
    *,
    predictions: Column | None = None,
    threshold: Threshold = 0.5,
    sample_weight: Column | None = None,
    top_k: TopK = 5,
) -> Predicting[ConfusionMatrixResult]:
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
        OptionError: a threshold that nothing is compared with.
        ModelError: the model gives no probabilities of classes.
    """
    if not batch.labelled:
        raise InapplicableError(_NO_LABELS)
    columns: dict[str, Any] = {}
    if sample_weight is not None:
        columns["weights"] = np.atleast_1d(np.asarray(read_column(sample_weight, "sample_weight")))
    loaded = None
    if predictions is not None:
        loaded = read_predictions(predictions, batch.class_names, threshold=threshold)
        columns["predictions"] = loaded.classes
        if loaded.probabilities is not None:
            columns["probabilities"] = loaded.probabilities
    # In words, as arrays would put thousands of numbers into the manifest.
    options = {"predictions": predictions, "sample_weight": sample_weight}
    counting = _Options(
        threshold=threshold,
        top_k=top_k,
        class_names=batch.class_names,
        given={name: in_words(each) for name, each in options.items() if each is not None},
        label_warnings=batch.warnings,
        given_head=None if loaded is None else loaded.head,
        classes=None if loaded is None else _classes_of(loaded, model, batch),
    )
    return _ConfusionMatrixMethod(counting, columns, needs_model=loaded is None)


@dataclass(frozen=True)
class _Options:
    """How predictions are counted.

    Attributes:
        threshold: the probability above which class 1, or a label, counts as predicted.
        top_k: the number of most confused pairs.
        class_names: the names of the classes, where known.
        given: predictions and weights that were given, in words.
        label_warnings: warnings about the labels, for the message where no input has one.
        given_head: of given predictions; None where the model makes them.
        classes: the number of classes of given predictions.
    """

    threshold: float
    top_k: int
    class_names: tuple[str, ...] | None
    given: Mapping[str, str]
    label_warnings: list[str]
    given_head: str | None
    classes: int | None


class _ConfusionMatrixMethod(Predicting[ConfusionMatrixResult]):
    """A confusion matrix with its options."""

    title = "Confusion matrix"

    def __init__(self, options: _Options, columns: Mapping[str, Any], *, needs_model: bool) -> None:
        self._options = options
        self.columns = columns
        self.needs_model = needs_model

    def accumulator(self) -> ConfusionMatrixAccumulator:
        """Counts predictions."""
        return ConfusionMatrixAccumulator(self._options)


class ConfusionMatrixAccumulator:
    """Counts the predictions of labelled inputs; what is counted shows with the first of them.

    Args:
        options: of the method.
    """

    def __init__(self, options: _Options) -> None:
        self._options = options
        self._unlabelled = 0
        self._counts: Accumulator | None = None
        self._head = ""

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Count a chunk.

        Raises:
            InapplicableError: the model gives one number, which names no class.
            InputsError: labels or weights that don't fit.
            OptionError: a threshold that nothing is compared with.
        """
        rows = with_label(chunk)
        self._unlabelled += len(chunk) - len(rows)
        if not len(rows):
            return
        labelled = some(chunk, rows)
        if "weights" in labelled.columns:
            labelled = replace(labelled, weights=labelled.columns["weights"])
        predictions = self._predictions(labelled, passed.rows(rows))
        self._counts = self._counts or self._started(predictions)
        self._counts.add(labelled, predictions)

    def merge(self, other: ConfusionMatrixAccumulator) -> None:
        """Add the counts of other inputs."""
        self._unlabelled += other._unlabelled
        if self._counts is None:
            self._counts = other._counts
            self._head = other._head
        elif other._counts is not None:
            self._counts.merge(other._counts)

    def result(self, examples: Any = None, previous: Any = None) -> ConfusionMatrixResult:
        """The counts so far.

        Raises:
            InapplicableError: no input has a label.
        """
        if self._counts is None:
            warnings = [warning for warning in self._options.label_warnings if warning.startswith("labels")]
            raise InapplicableError(f"{_NO_LABELS}{''.join(f' ({each})' for each in warnings)}")
        result = result_of(
            self._counts, head=self._head, unlabelled=self._unlabelled, top_k=self._options.top_k
        )
        return replace(result, given=dict(self._options.given))

    def _predictions(self, chunk: Chunk, passed: Passed) -> Predictions:
        """The predictions of labelled inputs: given ones, or the model's."""
        if self._options.given_head is not None:
            predictions = Predictions(
                chunk.columns["predictions"], chunk.columns.get("probabilities"), self._options.given_head
            )
            return predictions if chunk.label_rows is not None else predictions.single()
        probabilities = np.asarray(passed.probabilities)
        if not passed.has_classes:
            raise InapplicableError(
                "the model gives values and no classes; where they are logits, say so with head='logits', or "
                "'binary_logit' for one logit a label"
            )
        is_multi_label = passed.head == "sigmoid" and chunk.label_rows is not None
        head = "multi-label" if is_multi_label else passed.head
        if self._options.threshold != 0.5 and head not in ("binary", "multi-label"):
            raise OptionError(
                f"threshold is {self._options.threshold}, and the model chooses the most probable of "
                f"{probabilities.shape[1]} classes; a threshold is for one sigmoid output, or for several "
                "where labels are rows of 0 and 1"
            )
        return decide(probabilities, head, self._options.threshold)

    def _started(self, predictions: Predictions) -> Accumulator:
        """Start counting, with the first predictions of labelled inputs."""
        self._head = predictions.head
        return Accumulator(
            self._options.classes or int(predictions.columns or 0),
            multi_label=predictions.multi_label,
            class_names=self._options.class_names,
        )


def _classes_of(predictions: Predictions, model: Any, batch: Batch) -> int:
    """The number of classes of given predictions."""
    return (
        predictions.columns
        or len(batch.class_names or ())
        or _output_classes(model)
        or predictions.largest + 1
    )


def _output_classes(model: Any) -> int:
    """The number of classes by the shape of a model's output; 0 where that is not known."""
    try:
        columns = model.output_shape[-1]
    except (AttributeError, ValueError, RuntimeError, TypeError, KeyError, IndexError):
        return 0
    return 2 if columns == 1 else columns if isinstance(columns, int) else 0
