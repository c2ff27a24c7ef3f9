"""Confusion matrix: which classes a model takes for which, with the mistakes behind each cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlflow_interp.backend.layer_tree import output_shape
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import UNKNOWN, Chunk, some
from mlflow_interp.core.passed import Passed
from mlflow_interp.data.labels import Column, in_words, read_column
from mlflow_interp.engine.method import Predicting
from mlflow_interp.engine.trace import Trace
from mlflow_interp.exceptions import InapplicableError, OptionError
from mlflow_interp.kinds.confusion_matrix.accumulator import Accumulator, with_label
from mlflow_interp.kinds.confusion_matrix.given import Given, find_positions, read_given
from mlflow_interp.kinds.confusion_matrix.positions import PositionPredictions, have_rows, pairs_of, unit_of
from mlflow_interp.kinds.confusion_matrix.predictions import Predictions, Threshold, decide
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
    ignore_label: int | None = None,
    top_k: TopK = 5,
) -> Predicting[ConfusionMatrixResult]:
    """Which classes a model takes for which: counts of true against predicted classes.

    Counted exactly, chunk by chunk; memory grows with the number of classes and not of inputs. The most
    confident mistakes of each pair of classes are kept, to be looked at. A model with several sigmoid
    outputs, where labels are rows of 0 and 1, gets a matrix of 2×2 for each label. Of a model that gives
    classes for each position of an input, such as a pixel or token, positions are counted where labels are
    theirs; those that Keras masks, or that have weight 0, are left out.

    Args:
        predictions: What was predicted, and the model is not run: a .npy, .csv or text file, or an array,
            of classes, names, probabilities or logits, one for each input, or for each of its positions.
        threshold: The probability above which a binary model's class 1, or one of several labels, counts
            as predicted.
        sample_weight: How much each input counts, or each of its positions, a .npy or text file or an
            array. By default what a dataset has as third element. Counts stay whole; weights are summed
            beside them, and metrics are those of the weighted matrix.
        ignore_label: A label that stands for no class, such as 255 in masks for segmentation; what has it
            is not counted. By default the `ignore_class` of the model's loss. -1 is never counted.
        top_k: How many of the most confused pairs become metrics and highlights.

    Returns:
        Counts (classes, classes) int64, a row a true class; of several labels, (labels, 2, 2).

    Raises:
        InapplicableError: no input has a label, or labels are of other positions than the predictions.
        InputsError: labels, predictions or weights that don't fit the model or the inputs.
        OptionError: a threshold that nothing is compared with.
        ModelError: the model gives no probabilities of classes.
    """
    if not batch.labelled:
        raise InapplicableError(_NO_LABELS)
    columns: dict[str, Any] = {}
    if sample_weight is not None:
        columns["weights"] = np.atleast_1d(np.asarray(read_column(sample_weight, "sample_weight")))
    given = None
    if predictions is not None:
        values = read_column(predictions, "predictions")
        given = read_given(values, output_shape(model), batch.class_names, threshold)
    # In words, as arrays would put thousands of numbers into the manifest.
    options = {"predictions": predictions, "sample_weight": sample_weight}
    stated: dict[str, Any] = {name: in_words(each) for name, each in options.items() if each is not None}
    ignored = batch.ignored_label if ignore_label is None else ignore_label
    counting = _Options(
        threshold=threshold,
        top_k=top_k,
        class_names=batch.class_names,
        given=stated | ({} if ignored is None else {"ignore_label": ignored}),
        label_warnings=batch.warnings,
        ignore_label=ignored,
        predictions=given,
    )
    columns |= {} if given is None else given.columns
    return _ConfusionMatrixMethod(counting, columns, needs_model=given is None)


@dataclass(frozen=True)
class _Options:
    """How predictions are counted.

    Attributes:
        threshold: the probability above which class 1, or a label, counts as predicted.
        top_k: the number of most confused pairs.
        class_names: the names of the classes, where known.
        given: predictions, weights and the label that is ignored, in words.
        label_warnings: warnings about the labels, for the message where no input has one.
        ignore_label: the label of what is not counted, None without one.
        predictions: those that were given; None where the model makes them.
    """

    threshold: float
    top_k: int
    class_names: tuple[str, ...] | None
    given: Mapping[str, Any]
    label_warnings: list[str]
    ignore_label: int | None
    predictions: Given | None


class _ConfusionMatrixMethod(Predicting[ConfusionMatrixResult]):
    """A confusion matrix with its options."""

    title = "Confusion matrix"

    def __init__(self, options: _Options, columns: Mapping[str, Any], *, needs_model: bool) -> None:
        self._options = options
        self.columns = columns
        self.needs_model = needs_model

    def trace(self, trace: Trace) -> Mapping[str, Any]:
        """What is predicted at each position, of a model that gives classes for positions."""
        return trace.at_positions()

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
            InapplicableError: the model gives one number, which names no class, or labels are of other
                positions than the predictions.
            InputsError: labels or weights that don't fit.
            OptionError: a threshold that nothing is compared with.
        """
        if self._options.predictions is None and not passed.has_classes:
            raise InapplicableError(
                "the model gives values and no classes; where they are logits, say so with head='logits', or "
                "'binary_logit' for one logit a label"
            )
        if "weights" in chunk.columns:
            chunk = replace(chunk, weights=chunk.columns["weights"])
        at_positions = find_positions(chunk, passed, self._options.predictions)
        if at_positions is not None:
            self._update_positions(chunk, passed, at_positions)
            return
        if self._options.ignore_label is not None:
            ignored = chunk.labels == self._options.ignore_label
            chunk = replace(chunk, labels=np.where(ignored, UNKNOWN, chunk.labels))
        rows = with_label(chunk)
        self._unlabelled += len(chunk) - len(rows)
        if not len(rows):
            return
        labelled = some(chunk, rows)
        predictions = self._predictions(labelled, passed.rows(rows))
        self._counts = self._counts or self._started(predictions)
        self._counts.add(labelled, predictions)

    def _update_positions(self, chunk: Chunk, passed: Passed, predictions: PositionPredictions) -> None:
        options = self._options
        given = options.predictions
        several = predictions.head == "sigmoid" and have_rows(np.asarray(chunk.given_labels), predictions)
        head = "multi-label" if several else predictions.head
        if self._counts is None:
            classes = np.asarray(passed.probabilities).shape[-1] if given is None else given.classes
            classes = 2 if head == "binary" else classes
            self._head = head
            self._check_threshold(head, classes)
            self._counts = Accumulator(
                classes,
                multi_label=several,
                class_names=options.class_names,
                unit=unit_of(chunk.inputs, predictions.shape),
            )
        pairs = pairs_of(
            chunk,
            predictions,
            classes=self._counts.classes,
            class_names=options.class_names,
            ignore_label=options.ignore_label,
            threshold=options.threshold,
        )
        self._counts.add_positions(chunk, pairs)

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
        given = self._options.predictions
        if given is not None:
            predictions = Predictions(
                chunk.columns["predictions"], chunk.columns.get("probabilities"), given.head
            )
            return predictions if chunk.label_rows is not None else predictions.single()
        probabilities = np.asarray(passed.probabilities)
        is_multi_label = passed.head == "sigmoid" and chunk.label_rows is not None
        head = "multi-label" if is_multi_label else passed.head
        self._check_threshold(head, probabilities.shape[1])
        return decide(probabilities, head, self._options.threshold)

    def _check_threshold(self, head: str, classes: int) -> None:
        if self._options.threshold != 0.5 and head not in ("binary", "multi-label"):
            raise OptionError(
                f"threshold is {self._options.threshold}, and the model chooses the most probable of "
                f"{classes} classes; a threshold is for one sigmoid output, or for several "
                "where labels are rows of 0 and 1"
            )

    def _started(self, predictions: Predictions) -> Accumulator:
        """Start counting, with the first predictions of labelled inputs."""
        self._head = predictions.head
        given = self._options.predictions
        return Accumulator(
            int(predictions.columns or 0) if given is None else given.classes,
            multi_label=predictions.multi_label,
            class_names=self._options.class_names,
        )
