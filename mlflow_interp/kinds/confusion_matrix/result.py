"""A confusion matrix with its measures and a selection of errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from mlflow_interp.core.accepted import Range
from mlflow_interp.core.examples import Examples
from mlflow_interp.exceptions import InputsError
from mlflow_interp.kinds.confusion_matrix.accumulator import Accumulator
from mlflow_interp.kinds.confusion_matrix.input_predictions import InputPredictions
from mlflow_interp.kinds.confusion_matrix.measures import (
    PerClass,
    confused_pairs,
    multi_measures,
    per_class,
    single_measures,
)
from mlflow_interp.kinds.confusion_matrix.mistakes import as_examples, thumbnails_of

if TYPE_CHECKING:
    from mlflow_interp.kinds.confusion_matrix.difference import ConfusionMatrixDifference

#: The number of most confused pairs to report.
TopK = Annotated[int, Range(least=0)]


@dataclass(frozen=True, eq=False)
class ConfusionMatrixResult:
    """How often each class was predicted as each class.

    Attributes:
        counts: (classes, classes) int64, with a row for each true class and a column for each predicted one.
            For several labels per input, (labels, 2, 2): [[true negatives, false positives],
            [false negatives, true positives]].
        weighted: the same with summed weights, float64; None if no weights were given.
        examples: the errors kept, the most confident first; `probabilities` is (m, 0) if not known.
        cells: (m, 2) int64, the cell of each error: true and predicted class; for several labels, the label,
            and 1 for a false positive or 0 for a false negative.
        thumbnails: (m, side, side, 3) uint8 of the errors; None if inputs aren't images.
        inputs: the number of inputs counted.
        right: the number, or weight, of correct predictions; for several labels, all labels must be correct.
        unlabelled: the number of inputs without a label, which are not counted.
        head: "softmax", "sigmoid", "binary", "linear", "multi-label", or "classes" for given classes.
        top_k: the number of most confused pairs to report as metrics and highlights.
        given: given predictions and weights, as text, and the label that is not counted.
        title: the name of the method in titles and captions.
        unit: what `counts` counts: "inputs", or positions of them: "pixels", "tokens", "voxels", "positions".
        positions: the number of positions counted, of `inputs` inputs; 0 if inputs are counted.
        left_out: the number of positions that don't count, by reason, such as "masked".
        shares: (m,) float32, for each error the share of the input's positions in its cell; None if inputs
            are counted.
        by_input: the prediction for each input; None if there are more than 50,000, or
            for several labels or positions.
    """

    counts: np.ndarray
    weighted: np.ndarray | None
    examples: Examples
    cells: np.ndarray
    thumbnails: np.ndarray | None
    inputs: int
    right: float
    unlabelled: int
    head: str
    top_k: int
    given: Mapping[str, Any] = field(default_factory=dict)
    title: str = "Confusion matrix"
    unit: str = "inputs"
    positions: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    shares: np.ndarray | None = None
    by_input: InputPredictions | None = None

    @property
    def multi_label(self) -> bool:
        """Whether an input may have several labels."""
        return self.counts.ndim == 3

    @property
    def matrix(self) -> np.ndarray:
        """The matrix that measures are computed from: weights if there are any, else counts."""
        return self.counts if self.weighted is None else self.weighted

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A name for each class, or its number if it has none; numbers distinguish equal names."""
        return unique_names(self.examples.class_names, len(self.counts))

    @cached_property
    def each(self) -> PerClass:
        """Precision, recall, F1 and support of each class."""
        return per_class(self.matrix)

    @property
    def resolved(self) -> dict[str, Any]:
        """The head, the number of classes, and given predictions or weights."""
        resolved = {"head": self.head, "classes": len(self.counts)} | dict(self.given)
        if self.unit == "inputs":
            return resolved
        left_out = {"left_out": dict(self.left_out)} if self.left_out else {}
        return resolved | {"counted": self.unit} | left_out

    def arrays(self) -> dict[str, np.ndarray]:
        """The matrix, the errors kept, and the prediction for each input, by name."""
        examples = self.examples
        arrays = {
            "counts": self.counts,
            "cells": self.cells,
            "indices": examples.indices,
            "classes": examples.classes,
            "probabilities": examples.probabilities,
        }
        optional = {
            "weighted": self.weighted,
            "digests": examples.digests,
            "shown": examples.shown,
            "shares": self.shares,
        }
        by_input = {} if self.by_input is None else self.by_input.arrays()
        return arrays | {name: array for name, array in optional.items() if array is not None} | by_input

    def metrics(self) -> dict[str, float]:
        """Accuracy and similar measures, and the counts of the most confused pairs."""
        metrics = {"inputs": float(self.inputs)}
        if self.unit != "inputs":
            metrics["positions"] = float(self.positions)
        if self.multi_label:
            total = float(self.matrix[0].sum())
            return metrics | {"accuracy": self.right / total} | multi_measures(self.matrix)
        measures = single_measures(self.matrix, per_class(self.counts).occurs)
        pairs = self.confused()
        possible = min(self.top_k, len(self.counts) * (len(self.counts) - 1))
        times = [pair[2] for pair in pairs] + [0] * (possible - len(pairs))
        pair_metrics = {f"confused_pair_{rank}": float(count) for rank, count in enumerate(times, start=1)}
        return metrics | measures | pair_metrics

    def confused(self, most: int | None = None) -> list[tuple[int, int, int]]:
        """The most confused pairs: true class, predicted class, count. `top_k` by default."""
        return [] if self.multi_label else confused_pairs(self.counts, self.top_k if most is None else most)

    def table(self) -> dict[str, list[Any]]:
        """One row per class."""
        unweighted = per_class(self.counts)
        return {
            "class": list(self.names),
            "precision": self.each.precision.tolist(),
            "recall": self.each.recall.tolist(),
            "f1": self.each.f1.tolist(),
            "support": unweighted.support.tolist(),
            "predicted": unweighted.predicted.tolist(),
        }

    def tables(self) -> dict[str, dict[str, list[Any]]]:
        """The matrix with class names, as counts and as weights; a row for each class, and for each input."""
        tables = {
            "confusion_matrix.csv": _matrix_table(self.counts, self.names),
            "per_class.csv": self.table(),
        }
        if self.by_input is not None:
            tables["predictions.csv"] = self.by_input.table(self.names)
        if self.weighted is not None:
            tables["weighted_confusion_matrix.csv"] = _matrix_table(self.weighted, self.names)
        return tables

    def highlights(self) -> dict[str, Any]:
        """The most confused pairs by name; for several labels, those most often wrong."""
        if self.multi_label:
            return {"most_mistaken": self._most_mistaken()}
        return {
            "most_confused": [
                {"label": self.names[label], "predicted": self.names[predicted], "count": times}
                for label, predicted, times in self.confused()
            ]
        }

    def _most_mistaken(self) -> list[dict[str, Any]]:
        false_positives = self.counts[:, 0, 1]
        false_negatives = self.counts[:, 1, 0]
        wrong = false_positives + false_negatives
        worst = np.argsort(-wrong, kind="stable")[: self.top_k].tolist()
        return [
            {
                "label": self.names[label],
                "wrongly_found": int(false_positives[label]),
                "missed": int(false_negatives[label]),
            }
            for label in worst
            if wrong[label]
        ]

    def warnings(self) -> list[str]:
        """Warnings about inputs that are not counted, and about measures that need more classes."""
        warnings = []
        if self.unlabelled:
            warnings.append(f"{self.unlabelled} inputs have no label and are not counted")
        without_label = self.left_out.get("without label", 0)
        if without_label:
            warnings.append(f"{without_label:,} {self.unit} have no label and are not counted")
        occurring = int((per_class(self.counts).support > 0).sum())
        if not self.multi_label and occurring == 1:
            warnings.append(
                "all labels are of one class, so precision, balanced accuracy and kappa are meaningless; add "
                "inputs of other classes"
            )
        return warnings

    def difference(self, other: ConfusionMatrixResult) -> ConfusionMatrixDifference:
        """The matrix minus another of the same classes.

        Raises:
            InputsError: the results do not match.
        """
        from mlflow_interp.kinds.confusion_matrix.difference import difference

        return difference(self, other)


def result_of(
    accumulator: Accumulator, *, head: str, unlabelled: int = 0, top_k: int = 5
) -> ConfusionMatrixResult:
    """The result of an accumulator's counts so far.

    Raises:
        InputsError: no input was counted, or all weights are 0.
    """
    weighted = accumulator.counter.weighted
    if accumulator.unit != "inputs" and not accumulator.positions:
        reasons = ", ".join(f"{times:,} {reason}" for reason, times in accumulator.left_out.items())
        raise InputsError(f"all {accumulator.unit} are left out ({reasons}); check labels and weights")
    if not accumulator.inputs or (weighted is not None and not weighted.sum()):
        raise InputsError(
            f"{'all weights are 0' if accumulator.inputs else 'no input was counted'}; give inputs that count"
        )
    mistakes = accumulator.mistakes.selected()
    names = None if accumulator.class_names is None else tuple(accumulator.class_names)
    return ConfusionMatrixResult(
        counts=accumulator.counter.counts.copy(),
        weighted=None if weighted is None else weighted.copy(),
        examples=as_examples(mistakes, names),
        cells=np.array([each.cell for each in mistakes], np.int64).reshape(-1, 2),
        thumbnails=thumbnails_of(mistakes),
        inputs=accumulator.inputs,
        right=accumulator.right,
        unlabelled=unlabelled,
        head=head,
        top_k=top_k,
        unit=accumulator.unit,
        positions=accumulator.positions,
        left_out=dict(accumulator.left_out),
        by_input=accumulator.by_input.result(),
        shares=None
        if accumulator.unit == "inputs"
        else np.array([each.confidence for each in mistakes], np.float32),
    )


def unique_names(class_names: Sequence[str] | None, classes: int) -> tuple[str, ...]:
    """A name for each class; names that several classes share are followed by the class index."""
    names = [str(index) for index in range(classes)] if class_names is None else list(class_names)
    shared = {name for name, times in Counter(names).items() if times > 1}
    unique = [f"{name} ({index})" if name in shared else name for index, name in enumerate(names)]
    if len(set(unique)) == len(unique):
        return tuple(unique)
    # Another class may already be called "crane (1)".
    return tuple(f"{index} {name}" for index, name in enumerate(names))


def _matrix_table(matrix: np.ndarray, names: Sequence[str]) -> dict[str, list[Any]]:
    """A matrix as a table: the names of its rows, and a column for each class."""
    corner = "label"
    if matrix.ndim == 3:
        cells = ("true_negatives", "false_positives", "false_negatives", "true_positives")
        return {corner: list(names)} | dict(zip(cells, matrix.reshape(-1, 4).T.tolist(), strict=True))
    while corner in names:
        corner += " "
    return {corner: list(names)} | dict(zip(names, matrix.T.tolist(), strict=True))
