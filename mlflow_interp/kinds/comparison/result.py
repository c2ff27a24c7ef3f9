"""The result of a comparison: predictions and heatmaps of two versions side by side, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from mlflow_interp.comparison.by_class import rows_by_class
from mlflow_interp.comparison.paired import Paired
from mlflow_interp.comparison.statistics import Interval
from mlflow_interp.comparison.verdict import Verdict
from mlflow_interp.comparison.version_table import VersionRow, version_rows
from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.examples import Examples, Explained
from mlflow_interp.drawing.overlay import relative
from mlflow_interp.result_kind import Kind


@dataclass(frozen=True, eq=False)
class MapPair:
    """The heatmaps of both versions for the inputs that are shown, in the order of `ComparisonResult.shown`.

    Attributes:
        method: the method that made them, which knows how to draw them.
        title: its display name.
        name: the name of the heatmap, for a method with several.
        old: the result of the old version, showing these inputs.
        new: that of the new version.
    """

    method: str
    title: str
    name: str
    old: Any
    new: Any

    @property
    def has_difference(self) -> bool:
        """Whether the maps of both have one grid, and are drawn over a single image or none."""
        old, new = self._maps()
        return old.shape[1:] == new.shape[1:] and old.ndim <= 3 and not self.new.examples.parts

    def differences(self) -> np.ndarray:
        """(m, *grid) in −1..1, in the order of the inputs shown: new minus old, each relative to its peak.

        Of what is drawn: only positive heat for a method that draws no other.
        """
        old, new = (relative(each) for each in self._maps())
        return np.asarray(np.clip(new - old, -1, 1))

    def _maps(self) -> tuple[np.ndarray, np.ndarray]:
        old, new = (self._drawn(each) for each in (self.old, self.new))
        return old, new

    def _drawn(self, result: Any) -> np.ndarray:
        maps = Kind(type(result).__module__.rpartition(".")[0]).maps
        values = np.asarray(maps(result)[self.name] if maps is not None else 0)[result.examples.shown_rows]
        return np.asarray(np.maximum(values, 0) if getattr(result, "relu", False) else values)


@dataclass(frozen=True, eq=False)
class ComparisonResult:
    """Two versions on the same n inputs.

    Attributes:
        old: the inputs and the predictions of the old version; `examples` has the inputs that are shown.
        new: the same inputs with the predictions of the new version, with the classes of the old one.
        paired: what is compared of each of these inputs.
        names: the names of both versions, the old one first.
        shown: (m,) int64 the rows of the inputs that are shown, the most important first.
        verdicts: of the rules of the gate.
        verdict: of the gate: "passed", "failed", "undecided", or "" without a gate.
        pairs: heatmaps of these inputs.
        differences: new minus old of results that are no heatmaps, by method.
        representation: how alike both represent the inputs, by name: shown, and never judged.
        notes: what a user should know about the inputs.
        chosen: the values of options that were chosen.
        reference_names: of the references.
        of_all: what is compared of all inputs, if these are a sample of them; None if these are all.
        title: of the figure.
    """

    old: Explained
    new: Explained
    paired: Paired
    names: tuple[str, str]
    shown: np.ndarray
    verdicts: tuple[Verdict, ...] = ()
    verdict: str = ""
    pairs: tuple[MapPair, ...] = ()
    differences: Mapping[str, Any] = field(default_factory=dict)
    representation: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    chosen: Mapping[str, Any] = field(default_factory=dict)
    reference_names: tuple[str, ...] = ()
    of_all: Paired | None = None
    title: str = "Comparison"

    @property
    def whole(self) -> Paired:
        """What is compared of all inputs, from which numbers and verdicts follow."""
        return self.of_all or self.paired

    @property
    def examples(self) -> Examples:
        """The inputs and the predictions of the old version."""
        return self.old.examples

    @property
    def resolved(self) -> dict[str, Any]:
        """The values of options that were chosen."""
        return {"head": self.old.head} | dict(self.chosen)

    @property
    def numbers(self) -> dict[str, Interval]:
        """All numbers with their intervals, by name."""
        return self.whole.numbers

    @property
    def versions(self) -> list[VersionRow]:
        """Each version against the old one."""
        return version_rows(self.whole, [*self.names, *self.reference_names])

    @property
    def grouping(self) -> str:
        """What groups mean for intervals and tests; "" without groups."""
        groups = self.whole.predictions.groups
        if groups is None:
            return ""
        return (
            f"Inputs belong to {len(np.unique(groups)):,} groups: intervals resample groups, and tests count "
            "each group once (a sign test of groups in place of McNemar's)."
        )

    @cached_property
    def difference_figures(self) -> dict[str, bytes]:
        """The figure of each of `differences` as PNG, drawn once: they are files, and part of the page."""
        from mlflow_interp.kinds.comparison.figure import difference_figures

        return difference_figures(self)

    def arrays(self) -> dict[str, np.ndarray]:
        """Predictions of both versions and the agreement of heatmaps, one row per input.

        Agreements are −2 where a map is empty, which no rank correlation or share can be.
        """
        predictions = self.paired.predictions
        arrays = {
            "indices": self.examples.indices,
            "labels": predictions.labels,
            "predicted": predictions.predicted,
            "confidence": predictions.confidence.astype(np.float32),
            "targets": self.old.targets,
            "target_probabilities": predictions.explained.astype(np.float32),
            "shown": self.shown,
        }
        if self.examples.digests is not None:
            arrays["digests"] = self.examples.digests
        for key, each in self.paired.agreements.items():
            for name in ("correlation", "overlap", "moved"):
                arrays[f"{key}/{name}"] = np.nan_to_num(getattr(each, name), nan=-2).astype(np.float32)
            if each.anchors is not None:
                arrays[f"{key}/ceiling"] = np.nan_to_num(each.anchors.ceiling, nan=-2).astype(np.float32)
                arrays[f"{key}/floor"] = np.nan_to_num(each.anchors.floor, nan=-2).astype(np.float32)
        return arrays

    def metrics(self) -> dict[str, float]:
        """All numbers, and how many rules failed."""
        metrics = {"inputs": float(len(self.whole.predictions))}
        metrics |= {name: each.value for name, each in self.numbers.items() if np.isfinite(each.value)}
        metrics |= self.representation
        if self.verdict:
            metrics["failed_rules"] = float(sum(each.status == "failed" for each in self.verdicts))
        return metrics

    def table(self) -> dict[str, list[Any]]:
        """One row per input: both predictions, whether it flipped, the agreement of its heatmaps."""
        name = self.examples.class_name
        predictions = self.paired.predictions
        flips = np.where(
            predictions.negative_flips, "negative", np.where(predictions.positive_flips, "positive", "")
        )
        columns = {
            "input": list(self.examples.names),
            "label": [None if each == UNKNOWN else name(each) for each in predictions.labels.tolist()],
            "old": [name(each) for each in predictions.predicted[:, 0].tolist()],
            "new": [name(each) for each in predictions.predicted[:, 1].tolist()],
            "old_probability": predictions.confidence[:, 0].tolist(),
            "new_probability": predictions.confidence[:, 1].tolist(),
            "flip": flips.tolist(),
        }
        for key, each in self.paired.agreements.items():
            columns[f"agreement of {key}"] = [
                float(value) if np.isfinite(value) else None for value in each.correlation
            ]
        return columns

    def tables(self) -> dict[str, dict[str, list[Any]]]:
        """classes.csv: one row per class; rules.csv: one row per rule."""
        rules = [each.as_dict() for each in self.verdicts]
        names = ("rule", "status", "value", "accepted", "inputs", "reason")
        found = {"rules.csv": {name: [each[name] for each in rules] for name in names}} if rules else {}
        classes = self.classes()
        if classes:
            found["classes.csv"] = {
                "class": [each.name for each in classes],
                "inputs": [each.count for each in classes],
                "accuracy_old": [each.accuracy[0] for each in classes],
                "accuracy_new": [each.accuracy[1] for each in classes],
                **{
                    f"agreement of {key}": [each.agreements.get(key) for each in classes]
                    for key in self.whole.agreements
                },
            }
        return found

    def classes(self) -> list[ClassRow]:
        """What changed in each class that is a label, by the fall of its accuracy."""
        predictions = self.whole.predictions
        both_right = predictions.both_right
        found = []
        for label, rows in rows_by_class(predictions.labels).items():
            accuracy = predictions.right[rows].mean(axis=0)
            agreements = {}
            for key, each in self.whole.agreements.items():
                values = each.correlation[rows[both_right[rows]]]
                values = values[np.isfinite(values)]
                agreements[key] = float(np.median(values)) if len(values) else None
            found.append(
                ClassRow(
                    label,
                    self.examples.class_name(label),
                    len(rows),
                    (float(accuracy[0]), float(accuracy[1])),
                    agreements,
                )
            )
        return sorted(found, key=lambda each: each.accuracy[1] - each.accuracy[0])

    def highlights(self) -> dict[str, Any]:
        """The verdict, and what each rule found."""
        return {"verdict": self.verdict, "rules": [each.as_dict() for each in self.verdicts]}

    def warnings(self) -> list[str]:
        """What a user should know before trusting the comparison."""
        found = list(self.notes)
        for key, each in self.paired.agreements.items():
            if each.anchors is not None and not each.anchors.decides:
                floor, ceiling = each.anchors.levels
                found.append(
                    f"heatmaps of {key} can't be judged: those of the old version agree with themselves "
                    f"({ceiling:.2f}) hardly more than with those of permuted weights ({floor:.2f})"
                )
        return found

    def flips(self, kind: str = "negative") -> np.ndarray:
        """(k,) rows of the inputs that flipped, the most confident prediction that was right first.

        Args:
            kind: "negative": right before and wrong now; "positive": the reverse.
        """
        predictions = self.paired.predictions
        chosen = predictions.negative_flips if kind == "negative" else predictions.positive_flips
        rows = np.flatnonzero(chosen)
        confidence = predictions.confidence[rows, 0 if kind == "negative" else 1]
        return np.asarray(rows[np.argsort(-confidence, kind="stable")])


@dataclass(frozen=True)
class ClassRow:
    """One class.

    Attributes:
        label: its index.
        name: its name.
        count: the number of inputs with this label.
        accuracy: of both versions.
        agreements: by heatmap, the median rank correlation of inputs that both versions get right; None
            without any.
    """

    label: int
    name: str
    count: int
    accuracy: tuple[float, float]
    agreements: Mapping[str, float | None]


def change_of(predictions: Any, row: int) -> str:
    """What happened to an input, in words."""
    if predictions.negative_flips[row]:
        return "right before, wrong now"
    if predictions.positive_flips[row]:
        return "wrong before, right now"
    if predictions.changed[row]:
        return "another prediction"
    return "same prediction"


def order_to_show(predictions: Any, correlations: Sequence[np.ndarray], rows: np.ndarray) -> np.ndarray:
    """The order of rows in which they are shown: negative flips, positive flips, changes, least agreement."""
    agreement = np.ones(len(predictions))
    if correlations:
        agreement = np.nan_to_num(np.min(np.stack(correlations), axis=0), nan=-1.0)
    rank = np.where(predictions.changed, 2, 3)
    rank = np.where(predictions.positive_flips, 1, rank)
    rank = np.where(predictions.negative_flips, 0, rank)
    inside = np.where(rank == 3, agreement, -predictions.confidence.max(axis=1))
    return np.asarray(rows[np.lexsort((rows, inside[rows], rank[rows]))])
