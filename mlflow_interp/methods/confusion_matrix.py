"""Confusion matrix: which classes a model confuses, with the errors behind each cell."""

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
from mlflow_interp.kinds.confusion_matrix.mistakes import THUMBNAIL_SIDE
from mlflow_interp.kinds.confusion_matrix.positions import PositionPredictions, have_rows, pairs_of, unit_of
from mlflow_interp.kinds.confusion_matrix.predictions import Predictions, Threshold, decide
from mlflow_interp.kinds.confusion_matrix.result import ConfusionMatrixResult, TopK, result_of

REQUIRES = ("classes", "labels")

_NO_LABELS = (
    "no input has a label, and a confusion matrix compares predictions with labels; put images into class "
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
    """Which classes a model confuses, and in which inputs.

    A confusion matrix counts true against predicted classes. Counts are exact and accumulated chunk by chunk,
    so that memory grows with the number of classes, not of inputs. The most confident errors of each pair of
    classes are kept for inspection, and the prediction for each input if there are at most 50,000 with one
    label each. A multi-label model (several sigmoid outputs, labels as rows of 0 and 1) gets a 2×2 matrix for
    each label. For a model that predicts a class at each position of an input, such as a pixel or token,
    positions are counted if the labels are given for positions; positions that Keras masks or that have
    weight 0 are left out.

    Args:
        predictions: Predictions to use instead of running the model, as a .npy, .csv or text file: classes,
            class names, probabilities or logits, for each input or each of its positions. In Python, also an
            array.
        threshold: Probability above which class 1 of a binary model, or a label of a multi-label model,
            counts as predicted.
        sample_weight: Weight of each input or each of its positions, as a .npy, .csv or text file. In Python,
            also an array; by default, the third element of a dataset. Counts stay unweighted; weights are
            summed in a second matrix, which the metrics are computed from.
        ignore_label: Label that marks inputs or positions to leave out, such as 255 in segmentation masks.
            By default, the `ignore_class` of the model's loss. -1 is never counted.
        top_k: Number of most confused pairs of classes to report as metrics and highlights.

    Returns:
        Counts (classes, classes) int64 with a row for each true class; for multi-label models
        (labels, 2, 2).

    Raises:
        InapplicableError: no input has a label, or labels and predictions have different positions.
        InputsError: labels, predictions or weights that don't fit the model or the inputs.
        OptionError: a threshold for a model that doesn't use one.
        ModelError: the model gives no class probabilities.
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
    # As text: arrays would put thousands of numbers into the manifest.
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
        given: the given predictions and weights and the ignored label, as text.
        label_warnings: warnings about the labels, for the error message if no input has one.
        ignore_label: the label of inputs or positions to leave out; None without one.
        predictions: the given predictions; None if the model makes them.
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
        """The prediction at each position, for a model that predicts classes of positions."""
        return trace.at_positions()

    def accumulator(self) -> ConfusionMatrixAccumulator:
        """Counts predictions."""
        return ConfusionMatrixAccumulator(self._options)


class ConfusionMatrixAccumulator:
    """Counts the predictions of labelled inputs; the first of them determines what is counted.

    Args:
        options: the options of the method.
    """

    image_side = THUMBNAIL_SIDE

    def __init__(self, options: _Options) -> None:
        self._options = options
        self._unlabelled = 0
        self._counts: Accumulator | None = None
        self._head = ""

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Count a chunk.

        Raises:
            InapplicableError: the model gives values instead of classes, or labels and predictions have
                different positions.
            InputsError: labels or weights that don't fit.
            OptionError: a threshold for a model that doesn't use one.
        """
        if self._options.predictions is None and not passed.has_classes:
            raise InapplicableError(
                "the model gives values, not classes; if they are logits, pass head='logits', or "
                "head='binary_logit' for one logit per label"
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

    def without_image(self) -> dict[bytes, str]:
        """The digest and the name of each error that the result shows without its image."""
        errors = [] if self._counts is None else self._counts.mistakes.selected()
        return {
            each.digest.tobytes(): each.name
            for each in errors
            if each.digest is not None and each.thumbnail is None
        }

    def add_images(self, images: Mapping[bytes, np.ndarray]) -> None:
        """Add the images of errors, by the digest of their input."""
        if self._counts is not None:
            self._counts.mistakes.add_thumbnails(images)

    def result(self, examples: Any = None, previous: Any = None) -> ConfusionMatrixResult:
        """The counts so far.

        Raises:
            InapplicableError: no input has a label.
        """
        if self._counts is None:
            warnings = [warning for warning in self._options.label_warnings if warning.startswith("label")]
            raise InapplicableError(f"{_NO_LABELS}{''.join(f' ({each})' for each in warnings)}")
        result = result_of(
            self._counts, head=self._head, unlabelled=self._unlabelled, top_k=self._options.top_k
        )
        return replace(result, given=dict(self._options.given))

    def _predictions(self, chunk: Chunk, passed: Passed) -> Predictions:
        """The predictions of labelled inputs: the given ones, or the model's."""
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
                f"threshold={self._options.threshold} has no effect, as the model predicts the most probable "
                f"of {classes} classes; leave threshold out, or use it with one sigmoid output or with "
                "several and labels as rows of 0 and 1"
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
