"""The difference of two confusion matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.core.examples import Examples
from mlflow_interp.exceptions import InputsError
from mlflow_interp.kinds.confusion_matrix.measures import per_class
from mlflow_interp.kinds.confusion_matrix.result import ConfusionMatrixResult
from mlflow_interp.kinds.difference import metric_changes

_MOST_LISTED = 5


@dataclass(frozen=True, eq=False)
class ConfusionMatrixDifference:
    """A confusion matrix minus another of the same classes.

    Attributes:
        minuend: the first result.
        subtrahend: the second.
        order: (classes,) int64, the second's class of each class of the first.
    """

    minuend: ConfusionMatrixResult
    subtrahend: ConfusionMatrixResult
    order: np.ndarray

    @property
    def examples(self) -> Examples:
        """The selected errors of the first."""
        return self.minuend.examples

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each class."""
        return self.minuend.names

    @property
    def multi_label(self) -> bool:
        """Whether an input may have several labels."""
        return self.minuend.multi_label

    @property
    def counts(self) -> np.ndarray:
        """(classes, classes) int64, counts minus counts; for several labels (labels, 2, 2)."""
        return np.asarray(self.minuend.counts - self.reordered(self.subtrahend.counts))

    @property
    def weighted(self) -> np.ndarray | None:
        """The same for weights, None unless both have weights."""
        if self.minuend.weighted is None or self.subtrahend.weighted is None:
            return None
        return np.asarray(self.minuend.weighted - self.reordered(self.subtrahend.weighted))

    def reordered(self, matrix: np.ndarray) -> np.ndarray:
        """A matrix of the second with its classes in the order of the first."""
        return np.asarray(matrix[self.order] if self.multi_label else matrix[np.ix_(self.order, self.order)])

    @property
    def resolved(self) -> dict[str, Any]:
        """The number of classes."""
        return {"classes": len(self.counts)}

    def arrays(self) -> dict[str, np.ndarray]:
        """The difference of counts, and of weights if both have some, by name."""
        return {"counts": self.counts} | ({} if self.weighted is None else {"weighted": self.weighted})

    def metrics(self) -> dict[str, float]:
        """The differences of metrics, except those of the most confused pairs, as the pairs may differ."""
        changes = metric_changes(self.minuend.metrics(), self.subtrahend.metrics())
        return {name: value for name, value in changes.items() if not name.startswith("confused_pair_")}

    def table(self) -> dict[str, list[Any]]:
        """A row for each class: how its precision, recall, F1 and support change."""
        measures = per_class(self.minuend.matrix)
        others = per_class(self.reordered(self.subtrahend.matrix))
        columns: dict[str, list[Any]] = {"class": list(self.names)}
        for name in ("precision", "recall", "f1", "support"):
            columns[f"{name}_change"] = (getattr(measures, name) - getattr(others, name)).tolist()
        return columns

    def warnings(self) -> list[str]:
        """A warning about different numbers of inputs, which make counts incomparable, but not shares."""
        first, second = (each.positions or each.inputs for each in (self.minuend, self.subtrahend))
        if first == second:
            return []
        return [
            f"the first matrix counts {first} {self.minuend.unit} and the second {second}; "
            "compare shares (normalize='true'), not counts"
        ]


def difference(
    minuend: ConfusionMatrixResult, subtrahend: ConfusionMatrixResult
) -> ConfusionMatrixDifference:
    """Counts minus counts. Classes are matched by name, or by index where one result has no names.

    Raises:
        InputsError: the classes differ, or only one result has several labels per input.
    """
    if minuend.multi_label != subtrahend.multi_label:
        raise InputsError(
            "one confusion matrix has several labels for each input and the other one class; both need "
            "the same"
        )
    if minuend.unit != subtrahend.unit:
        raise InputsError(
            f"one confusion matrix counts {minuend.unit} and the other {subtrahend.unit}; both need the same"
        )
    named = [each.examples.class_names is not None for each in (minuend, subtrahend)]
    if all(named) and set(minuend.names) != set(subtrahend.names):
        raise InputsError(
            f"the confusion matrices have different classes: only the first has "
            f"{_listed(minuend.names, subtrahend.names)}, only the second "
            f"{_listed(subtrahend.names, minuend.names)}"
        )
    if len(minuend.counts) != len(subtrahend.counts):
        raise InputsError(
            f"the confusion matrices have different classes: the first {_listed(minuend.names)}, the second "
            f"{_listed(subtrahend.names)}"
        )
    positions = {name: index for index, name in enumerate(subtrahend.names)}
    order = [positions[name] for name in minuend.names] if all(named) else range(len(minuend.counts))
    return ConfusionMatrixDifference(minuend, subtrahend, np.array(order, np.int64))


def _listed(names: tuple[str, ...], without: tuple[str, ...] = ()) -> str:
    left = [name for name in names if name not in set(without)]
    more = f", … ({len(left)})" if len(left) > _MOST_LISTED else ""
    return ", ".join(map(repr, left[:_MOST_LISTED])) + more if left else "none"
