"""Counts predictions chunk by chunk, and keeps the most informative errors."""

from __future__ import annotations

import math
from collections import Counter as Counts
from collections.abc import Iterable, Sequence

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN, Chunk
from mlflow_interp.exceptions import InputsError, ModelError
from mlflow_interp.kinds.confusion_matrix.counters import Counter, LabelCounter
from mlflow_interp.kinds.confusion_matrix.input_predictions import PredictionRows
from mlflow_interp.kinds.confusion_matrix.mistakes import Mistakes
from mlflow_interp.kinds.confusion_matrix.positions import Pairs
from mlflow_interp.kinds.confusion_matrix.predictions import Predictions

MOST_CLASSES = 5_000  # 200 MB of counts, 25 million cells of CSV


class Accumulator:
    """The counts and errors of a confusion matrix, chunk by chunk.

    Args:
        classes: The number of classes, or labels.
        multi_label: Whether an input may have several labels.
        class_names: The names of the classes, if known.
        unit: What is counted: inputs, or positions of them such as pixels.

    Attributes:
        inputs: the number of inputs that are counted, or that have counted positions.
        positions: the number of positions counted.
        right: the number, or weight, of correct predictions.
        by_input: the prediction for each input, if it has one label.
        left_out: the number of positions that don't count, by reason.

    Raises:
        InputsError: fewer than two classes, or names that don't fit them.
        ModelError: too many classes.
    """

    def __init__(
        self, classes: int, *, multi_label: bool, class_names: Sequence[str] | None, unit: str = "inputs"
    ) -> None:
        _check_classes(classes, class_names)
        self.classes = classes
        self.multi_label = multi_label
        self.class_names = class_names
        self.counter = LabelCounter(classes) if multi_label else Counter(classes)
        self.mistakes = Mistakes()
        self.by_input = PredictionRows()
        self.unit = unit
        self.inputs = 0
        self.positions = 0
        self.right = 0.0
        self.left_out = Counts[str]()

    def add(self, chunk: Chunk, predictions: Predictions) -> None:
        """Add a chunk of labelled inputs, and its predictions.

        Raises:
            InputsError: a label that is not a class, or an invalid weight.
        """
        weights = check_weights(chunk.weights, chunk.names)
        add = self._add_multi_label if self.multi_label else self._add_single_label
        right = add(chunk, predictions, weights)
        self.inputs += len(chunk)
        self.right += float(right.sum() if weights is None else right @ weights)

    def add_positions(self, chunk: Chunk, parts: Iterable[Pairs]) -> None:
        """Add the positions of a chunk of labelled inputs; `parts` are of its inputs in order."""
        for pairs in parts:
            right = pairs.labels == pairs.predicted
            self.counter.add(pairs.labels, pairs.predicted, pairs.weights)
            whole = right.all(axis=1) if self.multi_label else right
            self.right += float(whole.sum() if pairs.weights is None else whole @ pairs.weights)
            self.inputs += int(np.count_nonzero(pairs.totals))
            self.positions += len(pairs.labels)
            self.left_out += pairs.left_out
            self._add_wrong_positions(chunk, pairs, ~right)

    def _add_wrong_positions(self, chunk: Chunk, pairs: Pairs, wrong: np.ndarray) -> None:
        """Add an error for each input and cell: the more of its positions are there, the more confident."""
        if self.multi_label:
            places, first = np.nonzero(wrong)
            second = pairs.predicted[places, first]
        else:
            places = np.flatnonzero(wrong)
            first, second = pairs.labels[places], pairs.predicted[places]
        shape = (len(chunk), self.classes, 2 if self.multi_label else self.classes)
        codes = np.ravel_multi_index((pairs.rows(places), first.astype(int), second.astype(int)), shape)
        few = len(codes) > math.prod(shape)
        occurring, times = (
            _occurring(codes, math.prod(shape)) if few else np.unique(codes, return_counts=True)
        )
        rows, first, second = np.unravel_index(occurring, shape)
        shares = times / pairs.totals[rows - pairs.first]
        self.mistakes.add(chunk, rows, np.stack([first, second], axis=1), shares, None, times)

    def merge(self, other: Accumulator) -> None:
        """Merge another accumulator with the same classes.

        Raises:
            InputsError: a different number of classes, or labels of another kind.
        """
        if (self.classes, self.multi_label, self.unit) != (other.classes, other.multi_label, other.unit):
            raise InputsError(
                f"parts with {self.classes} and {other.classes} classes can't be merged; give labels of one "
                "kind, and class_names= with all classes"
            )
        self.counter.merge(other.counter)  # type: ignore[arg-type]
        self.mistakes.merge(other.mistakes)
        self.by_input.merge(other.by_input)
        self.inputs += other.inputs
        self.positions += other.positions
        self.right += other.right
        self.left_out += other.left_out

    def _add_single_label(
        self, chunk: Chunk, predictions: Predictions, weights: np.ndarray | None
    ) -> np.ndarray:
        """(n,) bool, which inputs are predicted correctly."""
        self._check_labels(chunk)
        labels = chunk.labels
        predicted = predictions.classes
        probabilities = predictions.probabilities
        self.counter.add(labels, predicted, weights)
        wrong = np.flatnonzero(labels != predicted)
        cells = np.stack([labels[wrong], predicted[wrong]], axis=1)
        confidence = np.zeros(len(wrong)) if probabilities is None else probabilities[wrong, predicted[wrong]]
        self.mistakes.add(chunk, wrong, cells, confidence, probabilities)
        self.by_input.add(chunk, predicted, probabilities)
        return np.asarray(labels == predicted)

    def _add_multi_label(
        self, chunk: Chunk, predictions: Predictions, weights: np.ndarray | None
    ) -> np.ndarray:
        """(n,) bool, which inputs have all labels predicted correctly."""
        labels = self._label_rows(chunk)
        predicted = predictions.classes
        probabilities = np.asarray(predictions.probabilities)
        self.counter.add(labels, predicted, weights)
        wrong, label = np.nonzero(labels != predicted)
        positive = predicted[wrong, label]
        cells = np.stack([label, positive.astype(np.int64)], axis=1)
        confidence = np.where(positive, probabilities[wrong, label], 1 - probabilities[wrong, label])
        self.mistakes.add(chunk, wrong, cells, confidence, probabilities)
        return np.asarray((labels == predicted).all(axis=1))

    def _check_labels(self, chunk: Chunk) -> None:
        outside = np.flatnonzero((chunk.labels < 0) | (chunk.labels >= self.classes))
        if len(outside):
            raise InputsError(
                f"input {chunk.names[outside[0]]!r} has label {chunk.labels[outside[0]]}, but the classes "
                f"are 0–{self.classes - 1}{_listed(self.class_names)}; give labels in this range"
            )
        if chunk.label_rows is None:
            return
        self._check_width(chunk.label_rows)
        rows = chunk.label_rows
        not_one = ((rows == 0) | (rows == 1)).all(axis=1) & (rows.sum(axis=1) != 1)
        if not_one.any():
            row = int(np.flatnonzero(not_one)[0])
            raise InputsError(
                f"input {chunk.names[row]!r} has {int(rows[row].sum())} labels, but the predictions choose "
                "one class per input; use a model that ends in a sigmoid for each label, or predictions that "
                "don't sum to 1"
            )

    def _label_rows(self, chunk: Chunk) -> np.ndarray:
        """(n, labels) bool."""
        rows = chunk.label_rows
        if rows is None:
            raise InputsError(
                "some labels are class indices, others are rows with a number for each class; give one kind"
            )
        self._check_width(rows)
        if not ((rows == 0) | (rows == 1)).all():
            wrong = rows[(rows != 0) & (rows != 1)][0]
            raise InputsError(f"rows of labels contain {wrong:g}; give 1 for each label of an input, else 0")
        return np.asarray(rows == 1)

    def _check_width(self, rows: np.ndarray) -> None:
        if rows.shape[1] != self.classes:
            raise InputsError(
                f"labels are rows of {rows.shape[1]}, but there are {self.classes} classes"
                f"{_listed(self.class_names)}; give a number for each class, or class indices"
            )


def _occurring(codes: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Like `np.unique` with counts, for few codes below `most`."""
    counts = np.bincount(codes, minlength=most)
    occurring = np.flatnonzero(counts)
    return occurring, counts[occurring]


def _listed(class_names: Sequence[str] | None) -> str:
    if not class_names:
        return ""
    return f" ({', '.join(class_names[:4])}{', …' if len(class_names) > 4 else ''})"


def _check_classes(classes: int, class_names: Sequence[str] | None) -> None:
    if class_names is not None and len(class_names) != classes:
        raise InputsError(
            f"there are {len(class_names)} class names{_listed(class_names)} and {classes} classes; "
            "pass class_names= with one for each"
        )
    if classes < 2:
        raise InputsError(
            f"there is only {classes} class, but a confusion matrix needs two; pass class_names= with all "
            "classes if not all of them occur, or probabilities of class 1 in one column"
        )
    if classes > MOST_CLASSES:
        raise ModelError(f"there are {classes:,} classes; a confusion matrix has at most {MOST_CLASSES:,}")


def check_weights(weights: np.ndarray | None, names: Sequence[str]) -> np.ndarray | None:
    """Weights as (n,) float64.

    Raises:
        InputsError: not one number for each input, or a number that is negative or not finite.
    """
    if weights is None:
        return None
    values = np.asarray(weights)
    if values.size != len(names) or values.dtype.kind not in "biuf":
        raise InputsError(
            f"weights have shape {values.shape} and type {values.dtype}; give one number for each input"
        )
    values = values.reshape(len(names)).astype(np.float64)
    wrong = np.flatnonzero(~np.isfinite(values) | (values < 0))
    if len(wrong):
        raise InputsError(
            f"input {names[wrong[0]]!r} has weight {values[wrong[0]]:g}; give finite numbers, 0 or more"
        )
    return values


def with_label(chunk: Chunk) -> np.ndarray:
    """(m,) int64, the rows of a chunk that have a label."""
    if chunk.labels.ndim != 1:
        raise InputsError(
            f"labels have shape {chunk.labels.shape} for {len(chunk)} inputs; give a class or a row of "
            "classes for each input"
        )
    return np.flatnonzero(chunk.labels != UNKNOWN)
