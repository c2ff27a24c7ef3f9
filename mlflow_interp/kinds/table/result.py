"""The summary of a table: counts, probabilities and mean heatmaps of all its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.examples import Examples
from mlflow_interp.kinds.table.counts import STATES, Cells, ProbabilityBins
from mlflow_interp.kinds.table.heatmaps import ClassHeatmaps
from mlflow_interp.kinds.table.location import Location

MOST_REASONS = 10


@dataclass(frozen=True)
class ClassRow:
    """One class that is a label or a prediction, or that a heatmap explains.

    Attributes:
        label: its index.
        name: its name.
        labelled: the number of inputs with this label and a prediction.
        predicted: the number of inputs that are predicted as it.
        accuracy: the share of the labelled inputs that are predicted correctly; None without any.
        probability: the mean probability of the inputs that are predicted as it; None without any.
    """

    label: int
    name: str
    labelled: int
    predicted: int
    accuracy: float | None
    probability: float | None

    @property
    def count(self) -> int:
        """The number of its inputs, by which classes are ordered."""
        return self.labelled or self.predicted


@dataclass(frozen=True, eq=False)
class TableResult:
    """The summary of all inputs of a table.

    Attributes:
        rows: the number of inputs, with those that could not be interpreted.
        errors: the number of inputs that could not be interpreted.
        reasons: why, and how often, the most frequent first; at most ten.
        cells: the number of inputs of each label and predicted class.
        bins: the probability of the predicted class; empty if outputs are not probabilities.
        heatmaps: the mean heatmaps of each method.
        location: where the table is.
        sample: the number of inputs that the pages of methods show.
        examples: no inputs, with the names of the classes and the model.
        title: of the figure.
    """

    rows: int
    errors: int
    reasons: tuple[tuple[str, int], ...]
    cells: Cells
    bins: ProbabilityBins
    heatmaps: tuple[ClassHeatmaps, ...]
    location: Location
    sample: int
    examples: Examples
    title: str = "All inputs of the table"

    @property
    def resolved(self) -> dict[str, Any]:
        """Nothing was chosen."""
        return {}

    @property
    def counts(self) -> dict[tuple[int | None, int | None], int]:
        """The number of inputs of each label and predicted class; None where not known."""
        known = [
            tuple(None if each == UNKNOWN else each for each in pair) for pair in self.cells.classes.tolist()
        ]
        return dict(zip(known, self.cells.counts.tolist(), strict=True))  # type: ignore[arg-type]

    @property
    def labelled(self) -> int:
        """The number of inputs with a label and a predicted class."""
        return int(self.cells.counts[self.cells.labelled].sum())

    @property
    def predicted(self) -> int:
        """The number of inputs with a predicted class: none for a regression."""
        return int(self.cells.counts[self.cells.classes[:, 1] != UNKNOWN].sum())

    @property
    def accuracy(self) -> float | None:
        """The share of labelled inputs that are predicted correctly; None without labels."""
        return float(self.cells.counts[self.cells.right].sum() / self.labelled) if self.labelled else None

    @property
    def has_probabilities(self) -> bool:
        """Whether the outputs for all inputs are probabilities, so that bins and means are defined."""
        return bool(self.predicted) and int(self.bins.counts.sum()) == self.predicted

    @property
    def calibration_error(self) -> float | None:
        """See `ProbabilityBins.calibration_error`; None if outputs are not probabilities."""
        return self.bins.calibration_error if self.has_probabilities else None

    def class_name(self, label: int) -> str:
        """The name of a class; for a regression, of a value."""
        name = self.examples.class_name(label)
        return name if self.predicted or self.examples.class_names else f"output {name}"

    def confused(self, most: int | None = None) -> list[tuple[int, int, int]]:
        """The most confused pairs: label, predicted class, number of inputs; equal numbers by class."""
        wrong = self.cells.labelled & ~self.cells.right
        rows = zip(self.cells.classes[wrong].tolist(), self.cells.counts[wrong].tolist(), strict=True)
        return sorted(((a, b, count) for (a, b), count in rows), key=lambda row: (-row[2], row[:2]))[:most]

    @cached_property
    def classes(self) -> tuple[ClassRow, ...]:
        """All classes that occur, the most frequent first."""
        cells = self.cells
        found = np.unique(cells.classes[cells.classes != UNKNOWN]).tolist()
        explained = [label for each in self.heatmaps for label in each.classes.tolist()]
        labels = sorted({*found, *explained})
        at = {label: row for row, label in enumerate(labels)}
        labelled, right, predicted = (np.zeros(len(labels), np.int64) for _ in range(3))
        sums = np.zeros(len(labels))
        known = cells.labelled
        np.add.at(labelled, [at[each] for each in cells.classes[known, 0].tolist()], cells.counts[known])
        np.add.at(
            right, [at[each] for each in cells.classes[cells.right, 0].tolist()], cells.counts[cells.right]
        )
        has = cells.classes[:, 1] != UNKNOWN
        places = [at[each] for each in cells.classes[has, 1].tolist()]
        np.add.at(predicted, places, cells.counts[has])
        np.add.at(sums, places, cells.probabilities[has])
        rows = [
            ClassRow(
                label,
                self.class_name(label),
                int(labelled[row]),
                int(predicted[row]),
                float(right[row] / labelled[row]) if labelled[row] else None,
                float(sums[row] / predicted[row]) if predicted[row] and self.has_probabilities else None,
            )
            for label, row in at.items()
        ]
        return tuple(sorted(rows, key=lambda each: (-each.count, each.label)))

    def arrays(self) -> dict[str, np.ndarray]:
        """Counts, bins of probabilities, and the mean heatmaps of each method, by name."""
        arrays = {
            "cells": self.cells.classes,
            "counts": self.cells.counts,
            "probabilities": self.cells.probabilities,
            "bin_counts": self.bins.counts,
            "bin_sums": self.bins.sums,
        }
        for each in self.heatmaps:
            arrays |= {
                f"{each.method}/classes": each.classes,
                f"{each.method}/counts": each.counts,
                f"{each.method}/means": each.means,
                f"{each.method}/deviations": each.deviations,
            }
        return arrays

    def metrics(self) -> dict[str, float]:
        """Numbers of inputs and errors; accuracy, calibration error and mean probability where defined."""
        metrics = {"rows": float(self.rows), "errors": float(self.errors)}
        if self.accuracy is not None:
            metrics |= {"labelled": float(self.labelled), "accuracy": self.accuracy}
        if self.calibration_error is not None:
            metrics["calibration_error"] = self.calibration_error
        if self.has_probabilities:
            metrics["mean_probability"] = float(self.bins.sums.sum() / self.bins.counts.sum())
        return metrics

    def table(self) -> dict[str, list[Any]]:
        """One row per class, the most frequent first."""
        columns: dict[str, list[Any]] = {"class": [each.name for each in self.classes]}
        if self.labelled:
            columns["labelled"] = [each.labelled for each in self.classes]
            columns["accuracy"] = [each.accuracy for each in self.classes]
        if self.predicted:
            columns["predicted"] = [each.predicted for each in self.classes]
        if self.has_probabilities:
            columns["mean_probability"] = [each.probability for each in self.classes]
        for each in self.heatmaps:
            columns[f"heatmaps of {each.method}"] = _counts_of(each, self.classes)
        return columns

    def tables(self) -> dict[str, dict[str, list[Any]]]:
        """counts.csv: a row per label and prediction; probabilities.csv: per bin; errors.csv: per reason."""
        name = self.class_name
        tables: dict[str, dict[str, list[Any]]] = {"classes.csv": self.table()}
        if self.predicted:
            labels, predicted = self.cells.classes.T.tolist()
            tables["counts.csv"] = {
                "label": [None if each == UNKNOWN else name(each) for each in labels],
                "predicted": [None if each == UNKNOWN else name(each) for each in predicted],
                "inputs": self.cells.counts.tolist(),
            }
        if self.has_probabilities:
            edges = np.round(self.bins.edges, 4).tolist()
            counts = dict(zip(STATES, self.bins.counts.tolist(), strict=True))
            total = np.maximum(1, self.bins.counts.sum(axis=0))
            means = (self.bins.sums.sum(axis=0) / total).tolist()
            occupied: list[bool] = (self.bins.counts.sum(axis=0) > 0).tolist()
            mean = [each if is_there else None for each, is_there in zip(means, occupied, strict=True)]
            tables["probabilities.csv"] = {
                "from": edges[:-1],
                "to": edges[1:],
                **counts,
                "mean_probability": mean,
            }
        if self.reasons:
            tables["errors.csv"] = {
                "reason": [reason for reason, _ in self.reasons],
                "inputs": [count for _, count in self.reasons],
            }
        return tables

    def highlights(self) -> dict[str, Any]:
        """Where the table is, the most confused pairs, and why inputs could not be interpreted."""
        return {
            "table": self.location.as_dict(),
            "most_confused": [
                {"label": self.class_name(label), "predicted": self.class_name(predicted), "count": count}
                for label, predicted, count in self.confused(10)
            ],
            "errors": [{"reason": reason, "count": count} for reason, count in self.reasons],
        }

    def facts(self) -> dict[str, Any]:
        """For table.json: where the table is, its columns, and what it holds."""
        return self.location.as_dict() | {
            "rows": self.rows,
            "errors": self.errors,
            "reasons": [{"reason": reason, "count": count} for reason, count in self.reasons],
            "sample": self.sample,
        }

    def warnings(self) -> list[str]:
        """Warnings about inputs that could not be interpreted, and outputs that are not probabilities."""
        found = []
        if self.errors:
            often = ", most often" if len(self.reasons) > 1 else ""
            first = f"{often}: {self.reasons[0][0]}" if self.reasons else ""
            found.append(
                f"{self.errors:,} of {self.rows:,} inputs could not be interpreted{first}. Other numbers "
                "leave them out; the column error of the table says why"
            )
        if self.predicted and not self.has_probabilities:
            found.append(
                "the model's outputs are not all between 0 and 1, so there is no histogram of probabilities "
                "and no calibration error; use a model that ends in softmax or sigmoid"
            )
        return found


def _counts_of(heatmaps: ClassHeatmaps, classes: Sequence[ClassRow]) -> list[int]:
    counts = heatmaps.counts.tolist()
    rows = [heatmaps.row_of.get(each.label) for each in classes]
    return [0 if row is None else counts[row] for row in rows]


def no_examples(class_names: Sequence[str] | None) -> Examples:
    """Examples without inputs, with the names of the classes."""
    empty = np.zeros(0, np.int64)
    return Examples(
        indices=empty,
        names=(),
        labels=empty,
        classes=np.zeros((0, 1), np.int64),
        probabilities=np.zeros((0, 1), np.float32),
        class_names=None if class_names is None else tuple(class_names),
        images=None,
    )
