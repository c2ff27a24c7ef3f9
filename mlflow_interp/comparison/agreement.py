"""How far the heatmaps of two versions agree, on a scale from a permuted model to the old version itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mlflow_interp.comparison import statistics
from mlflow_interp.comparison.by_class import Complements, rows_by_class
from mlflow_interp.comparison.groups import grouped_difference, medians_of_groups
from mlflow_interp.comparison.predictions import FEWEST_OF_CLASS
from mlflow_interp.comparison.statistics import (
    Interval,
    holm,
    interval_of,
    paired_difference,
    undefined,
)
from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.resampling import resampled_medians
from mlflow_interp.quality.measures import overlap, spearman
from mlflow_interp.quality.rankings import enlarged

LEAST_RANGE = 0.2  # between floor and ceiling; below it, nothing can be said
CELLS = 14  # along each axis, of maps with different grids


@dataclass(frozen=True, eq=False)
class Agreement:
    """How far the heatmaps of two versions agree, for n inputs; NaN where a map is empty.

    Attributes:
        correlation: (n,) rank correlation of the maps.
        overlap: (n,) the share of the strongest fifth of cells that they have in common.
        moved: (n,) the share of the heat that is elsewhere: half the sum of |p − q| over cells, of maps that
            sum to 1.
        empty: (n, 2) bool, whether the map of each version has no heat.
        anchors: of the old version against itself; None if they were not computed.
        explained: (n,) bool, the inputs that have maps; None if all have.
        groups: (n,) int64, inputs that belong together; None if each stands for itself.
    """

    correlation: np.ndarray
    overlap: np.ndarray
    moved: np.ndarray
    empty: np.ndarray
    anchors: Anchors | None = None
    explained: np.ndarray | None = None
    groups: np.ndarray | None = None

    def spread(self, rows: np.ndarray, count: int) -> Agreement:
        """The agreement of `count` inputs, of which these are at some rows; undefined for the others."""

        def spread(values: np.ndarray, default: float | bool) -> np.ndarray:
            whole = np.full((count, *values.shape[1:]), default, values.dtype)
            whole[rows] = values
            return whole

        return Agreement(
            spread(self.correlation, np.nan),
            spread(self.overlap, np.nan),
            spread(self.moved, np.nan),
            spread(self.empty, False),
            self.anchors,
            explained=spread(np.ones(len(rows), bool) if self.explained is None else self.explained, False),
        )

    def numbers(self, counted: np.ndarray) -> dict[str, Interval]:
        """Medians over inputs, and how much of the agreement is kept.

        Args:
            counted: (n,) bool, the inputs that both versions predict correctly.
        """
        own = None if self.groups is None else self.groups[counted]
        found = {
            "correlation": statistics.median(self.correlation[counted], groups=own),
            "overlap": statistics.median(self.overlap[counted], groups=own),
            "moved": statistics.median(self.moved[counted], groups=own),
        }
        if self.anchors is not None:
            found["kept"] = self.kept(counted)
        return found

    def kept(self, counted: np.ndarray) -> Interval:
        """The agreement on a scale where 1 is that of the old version with itself, 0 with permuted weights.

        Its median, the ceiling and the floor are bootstrapped as one. NaN if the ceiling is so close to the
        floor that it is undecided.
        """
        if self.anchors is None:
            return undefined()
        groups = None if self.groups is None else self.groups[counted]
        return self.anchors.kept(self.correlation[counted], groups)

    def broken(self) -> Interval:
        """The share of empty maps among those of the new version, minus that of the old."""
        count = len(self.empty) if self.explained is None else int(self.explained.sum())
        if not count:
            return undefined()
        gained = self.empty[:, 1] & ~self.empty[:, 0]
        lost = self.empty[:, 0] & ~self.empty[:, 1]
        if self.groups is not None:
            rows = slice(None) if self.explained is None else self.explained
            return grouped_difference(gained[rows], lost[rows], self.groups[rows])
        return paired_difference(int(gained.sum()), int(lost.sum()), count)

    def of_classes(
        self, labels: np.ndarray, counted: np.ndarray, bound: float, *, below_others: bool = False
    ) -> dict[int, OfClass]:
        """The agreement on the inputs of each class that has enough, with the p-value of less than a bound.

        P-values are those of signed-rank tests, of the median of each group if inputs are in groups, adjusted
        by Holm's procedure for the number of classes; without anchors there are none.

        Args:
            labels: (n,) int64 the class of each input.
            counted: (n,) bool the inputs that count.
            bound: of `kept`.
            below_others: whether the bound is how much less is kept than of the median of the other classes.
        """
        known = counted & np.isfinite(self.correlation)
        rows_of = {
            label: rows
            for label, rows in rows_by_class(labels, known).items()
            if len(rows) >= FEWEST_OF_CLASS
        }
        medians = self._medians_of_others(labels, known, rows_of) if below_others else {}
        found = {}
        for label, rows in rows_of.items():
            values = self.correlation[rows]
            groups = None if self.groups is None else self.groups[rows]
            others = medians.get(label)
            limit = self._limit(bound, others)
            tested = values if groups is None else medians_of_groups(values, groups)
            p = statistics.signed_rank(tested, limit) if np.isfinite(limit) else 1.0
            median = statistics.median(values, groups=groups)
            found[label] = (median, self._on_scale(median, others), p)
        adjusted = holm([p for *_, p in found.values()])
        return {
            label: OfClass(median, number, p)
            for (label, (median, number, _)), p in zip(found.items(), adjusted, strict=True)
        }

    def _medians_of_others(
        self, labels: np.ndarray, known: np.ndarray, rows_of: Mapping[int, np.ndarray]
    ) -> dict[int, float]:
        """By class, the median rank correlation of the known inputs of all other classes; NaN without any.

        Inputs without a label belong to no class, and so count for every one.
        """
        place = np.cumsum(known) - 1
        complements = Complements(self.correlation[known])
        return {label: complements.median_without(place[rows]) for label, rows in rows_of.items()}

    def _on_scale(self, correlation: Interval, others: float | None) -> Interval:
        """A rank correlation as how much is kept, or how much less than of other inputs."""
        if self.anchors is None or not self.anchors.decides:
            return statistics.undefined(correlation.count)
        floor, ceiling = self.anchors.levels
        if others is None:
            return correlation.moved(-floor).scaled(1 / (ceiling - floor))
        if np.isnan(others):
            return statistics.undefined(correlation.count)
        return correlation.flipped().moved(others).scaled(1 / (ceiling - floor))

    def shortfalls(
        self, labels: np.ndarray, counted: np.ndarray, *, below_others: bool = False
    ) -> dict[int, float]:
        """How much of the agreement each class keeps, or how much less than the others; see `of_classes`."""
        if self.anchors is None or not self.anchors.decides:
            return {}
        floor, ceiling = self.anchors.levels
        known = counted & np.isfinite(self.correlation) & (labels != UNKNOWN)
        rows_of = {
            label: rows
            for label, rows in rows_by_class(labels, known).items()
            if len(rows) >= FEWEST_OF_CLASS
        }
        found = {}
        for label, others in self._medians_of_others(labels, known, rows_of).items():
            if np.isnan(others):
                continue
            own = float(np.median(self.correlation[rows_of[label]]))
            found[label] = (others - own if below_others else own - floor) / (ceiling - floor)
        return found

    def _limit(self, bound: float, others: float | None) -> float:
        """The rank correlation of a bound; NaN if that is undecided."""
        if self.anchors is None:
            return np.nan
        if others is None:
            return self.anchors.correlation_at(bound)
        floor, ceiling = self.anchors.levels
        return others - bound * (ceiling - floor) if self.anchors.decides else np.nan


@dataclass(frozen=True)
class OfClass:
    """The agreement of the heatmaps of one class.

    Attributes:
        correlation: the median rank correlation.
        number: the same in the units of the bound.
        p_value: of less than the bound, adjusted for the number of classes.
    """

    correlation: Interval
    number: Interval
    p_value: float


@dataclass(frozen=True, eq=False)
class Anchors:
    """The agreement of the old version with itself, of a sample of m inputs.

    Attributes:
        ceiling: (m,) rank correlation with the maps of slightly changed inputs.
        floor: (m,) with the maps of the version with permuted weights.
        indices: (m,) int64, the positions of the sample in the inputs as given; None if not known.
        groups: (m,) int64, inputs that belong together; None if each stands for itself.
    """

    ceiling: np.ndarray
    floor: np.ndarray
    indices: np.ndarray | None = None
    groups: np.ndarray | None = None

    @property
    def levels(self) -> tuple[float, float]:
        """The medians of floor and ceiling."""
        floor, ceiling = statistics.medians(np.stack([self.floor, self.ceiling]))
        return float(floor), float(ceiling)

    @property
    def decides(self) -> bool:
        """Whether the ceiling is far enough above the floor."""
        floor, ceiling = self.levels
        return bool(ceiling - floor >= LEAST_RANGE)

    def correlation_at(self, kept: float) -> float:
        """The rank correlation of which this much is kept; NaN if undecided."""
        floor, ceiling = self.levels
        return floor + kept * (ceiling - floor) if self.decides else np.nan

    def kept(self, correlation: np.ndarray, groups: np.ndarray | None = None) -> Interval:
        """See `Agreement.kept`; `groups` are those of the inputs whose correlation is given."""
        values = correlation[np.isfinite(correlation)]
        if not self.decides or not len(values):
            return undefined(len(values))
        rng = np.random.default_rng(0)
        median = _resampled(correlation, groups, rng)
        floor, ceiling = (_resampled(each, self.groups, rng) for each in (self.floor, self.ceiling))
        share = np.clip((median - floor) / np.maximum(ceiling - floor, LEAST_RANGE / 2), 0, 1)
        levels = self.levels
        own = np.clip((statistics.medians(values) - levels[0]) / (levels[1] - levels[0]), 0, 1)
        return interval_of(float(own), share, len(values))


def _resampled(values: np.ndarray, groups: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    """(resamples,) medians of the finite values, of which inputs or groups are resampled."""
    known = np.isfinite(values)
    return resampled_medians(values[known], rng, None if groups is None else groups[known])


def agreement(old: np.ndarray, new: np.ndarray) -> Agreement:
    """The agreement of signed maps (n, *grid), input by input.

    Maps on different grids are resampled linearly to 14 cells along each axis.
    """
    if old.shape[1:] != new.shape[1:]:
        cells = (CELLS,) * (old.ndim - 1)
        old, new = enlarged(old, cells), enlarged(new, cells)
    if not len(old):
        nothing = np.zeros(0)
        return Agreement(nothing, nothing, nothing, np.zeros((0, 2), bool))
    rows = [np.asarray(each.reshape(len(each), -1), np.float64) for each in (old, new)]
    empty = np.stack([~(np.abs(each).max(axis=1) > 0) for each in rows], axis=1)
    found = spearman(*rows), overlap(*rows), moved(*rows)
    correlation, common, elsewhere = (np.where(empty.any(axis=1), np.nan, each) for each in found)
    return Agreement(correlation, common, elsewhere, empty)


def moved(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The share of the heat that is elsewhere (n,), of the positive parts of maps (n, d); NaN without any."""
    positive = [np.maximum(each, 0) for each in (old, new)]
    totals = [each.sum(axis=1, keepdims=True) for each in positive]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = [each / total for each, total in zip(positive, totals, strict=True)]
    found = np.abs(shares[0] - shares[1]).sum(axis=1) / 2
    return np.asarray(np.where((totals[0] > 0)[:, 0] & (totals[1] > 0)[:, 0], found, np.nan))
