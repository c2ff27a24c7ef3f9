"""The result of quality: measures of the heatmaps of each method, and a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mlflow_interp.core.examples import Examples, Explained
from mlflow_interp.quality.measures import interval, median
from mlflow_interp.quality.nulls import NULLS
from mlflow_interp.quality.rankings import areas

FEWEST = 20  # inputs for a verdict
MOST_RANDOMISED = 0.5  # rank correlation with the map of a model with permuted weights
_NOT_MEASURED = "not measured, as quick is true"
MOST_UNSTABLE = 0.5  # of the distance between the maps of different inputs


@dataclass(frozen=True)
class Check:
    """One of the three checks of a verdict.

    Attributes:
        name: what is true if it passes: "faithful", "of this model" or "stable".
        passes: whether it does; None if it can't be judged.
        reason: the numbers, in a phrase.
    """

    name: str
    passes: bool | None
    reason: str


@dataclass(frozen=True, eq=False)
class Agreement:
    """How far two kinds of heatmaps of the same inputs agree.

    Attributes:
        first, second: their keys.
        correlations: (n,) rank correlation of their positions.
        overlaps: (n,) the share of the strongest fifth of positions that they have in common.
    """

    first: str
    second: str
    correlations: np.ndarray
    overlaps: np.ndarray


@dataclass(frozen=True, eq=False)
class QualityResult:
    """Measures of the heatmaps of m methods for n inputs; NaN where a measure is not defined.

    Attributes:
        explained: the inputs, their predictions, and the explained class.
        titles: the display name of each kind of heatmap, by key such as "gradcam" or
            "saliency/integrated_gradients".
        curves: (n, m, 2, 17) the probability of the explained class while positions are deleted from the
            input, and inserted into the baseline, in the order of the heat: after each sixteenth.
        null_curves: (n, m, nulls, 2, 17) the same in the order of maps that know nothing of the prediction.
        measures: (n, m) by name: correlation, stability, distance_to_others, randomised_head, randomised_all,
            class_specific, sparseness.
        agreements: of each two kinds of heatmaps.
        seconds: (m,) that the heatmap of an input takes.
        chosen: the values of options that the method chose.
        title: the name of the method in titles.
    """

    explained: Explained
    titles: Mapping[str, str]
    curves: np.ndarray
    null_curves: np.ndarray
    measures: Mapping[str, np.ndarray]
    agreements: tuple[Agreement, ...] = ()
    seconds: tuple[float, ...] = ()
    chosen: Mapping[str, Any] = field(default_factory=dict)
    title: str = "Quality"

    @property
    def examples(self) -> Examples:
        """The inputs and their predictions."""
        return self.explained.examples

    @property
    def resolved(self) -> dict[str, Any]:
        """The kind of head that probabilities come from, and the options that the method chose."""
        return {"head": self.explained.head} | dict(self.chosen)

    @property
    def gains(self) -> np.ndarray:
        """(n, m) the area below the curve of insertion minus that below the curve of deletion."""
        return _gain(self.curves)

    @property
    def gains_over_nulls(self) -> np.ndarray:
        """(n, m, nulls) the same minus that of each null: above 0 if the marked positions matter."""
        return np.asarray(self.gains[..., np.newaxis] - _gain(self.null_curves))

    def only(self, key: str) -> QualityResult:
        """The measures of one kind of heatmap."""
        column = list(self.titles).index(key)
        one = slice(column, column + 1)
        return replace(
            self,
            titles={key: self.titles[key]},
            curves=self.curves[:, one],
            null_curves=self.null_curves[:, one],
            measures={name: each[:, one] for name, each in self.measures.items()},
            agreements=(),
            seconds=self.seconds[one],
        )

    def checks(self, column: int) -> list[Check]:
        """The verdict on one kind of heatmap."""
        if len(self.examples) < FEWEST:
            reason = f"{len(self.examples)} inputs are too few to judge; give at least {FEWEST}"
            return [Check(name, None, reason) for name in ("faithful", "of this model", "stable")]
        return [self._faithful(column), self._of_this_model(column), self._stable(column)]

    @property
    def _is_quick(self) -> bool:
        return bool(self.chosen.get("quick", False))

    def _faithful(self, column: int) -> Check:
        gains = self.gains_over_nulls[:, column]
        bounds = {null: interval(gains[:, at]) for at, null in enumerate(NULLS)}
        failed = [null for null, (low, _) in bounds.items() if not low > 0]
        hardest = min(failed or bounds, key=lambda null: bounds[null][0])
        by = f"{NULLS[hardest]}: {' to '.join(map(signed, bounds[hardest]))}"
        if failed:
            return Check("faithful", False, f"the score depends no more on marked positions than on {by}")
        return Check("faithful", True, f"the score depends on marked positions more than on {by}")

    def _of_this_model(self, column: int) -> Check:
        if self._is_quick:
            return Check("of this model", None, _NOT_MEASURED)
        value = median(self.measures["randomised_all"][:, column])
        if not np.isfinite(value):
            return Check("of this model", None, "the maps of the model with permuted weights are empty")
        reason = f"rank correlation {_number(value)} with the map of the model with permuted weights"
        return Check("of this model", bool(value < MOST_RANDOMISED), reason)

    def _stable(self, column: int) -> Check:
        if self._is_quick:
            return Check("stable", None, _NOT_MEASURED)
        moved = median(self.measures["stability"][:, column])
        apart = median(self.measures["distance_to_others"][:, column])
        if not (np.isfinite(moved) and np.isfinite(apart)):
            return Check("stable", None, "the maps are empty, or noise changes every prediction")
        reason = f"noise moves a map by {moved:.2f}, maps of different inputs are {apart:.2f} apart"
        return Check("stable", bool(moved < MOST_UNSTABLE * apart), reason)

    def summary(self, column: int) -> dict[str, float]:
        """The median over inputs of each measure of one kind of heatmap; without those not defined."""
        over_nulls = self.gains_over_nulls[:, column]
        values = {"faithfulness": median(over_nulls[:, list(NULLS).index("random")])}
        values |= {
            f"faithfulness_over_{null}": median(over_nulls[:, at])
            for at, null in enumerate(NULLS)
            if null != "random"
        }
        values |= {name: median(each[:, column]) for name, each in self.measures.items()}
        if self.seconds:
            values["seconds"] = self.seconds[column]
        return {name: value for name, value in values.items() if np.isfinite(value)}

    def arrays(self) -> dict[str, np.ndarray]:
        """Curves and measures; where a measure is not defined it is 0, and `undefined` is true."""
        undefined = np.stack([~np.isfinite(each) for each in self.measures.values()], axis=-1)
        measures = {name: np.nan_to_num(each, nan=0.0) for name, each in self.measures.items()}
        pairs = {
            f"agreement/{each.first} and {each.second}": np.nan_to_num(
                np.stack([each.correlations, each.overlaps], axis=1), nan=0.0
            )
            for each in self.agreements
        }
        curves = {"curves": self.curves, "null_curves": self.null_curves, "undefined": undefined}
        return curves | measures | pairs | self.explained.arrays()

    def metrics(self) -> dict[str, float]:
        """The summary of each kind of heatmap, and how many checks it passes."""
        located = self.explained.localization
        metrics = {"inputs": float(len(self.examples))} | ({} if located is None else located.metrics())
        for column, key in enumerate(self.titles):
            metrics |= {f"{name}/{key}": value for name, value in self.summary(column).items()}
            passed = [check.passes for check in self.checks(column)]
            if None not in passed:
                metrics[f"passed/{key}"] = float(sum(map(bool, passed)))
        return metrics

    def table(self) -> dict[str, list[Any]]:
        """One row per input: what is explained, and the measures of each kind of heatmap."""
        rows = self.explained.table()
        for column, key in enumerate(self.titles):
            rows[f"gain of {key}"] = self.gains[:, column].tolist()
            for name, values in self.measures.items():
                rows[f"{name} of {key}"] = [
                    float(each) if np.isfinite(each) else None for each in values[:, column]
                ]
        return rows

    def tables(self) -> dict[str, dict[str, list[Any]]]:
        """methods.csv: one row per kind of heatmap, with its measures and verdict."""
        summaries = [self.summary(column) for column in range(len(self.titles))]
        names = list(dict.fromkeys(name for each in summaries for name in each))
        verdicts = [self.checks(column) for column in range(len(self.titles))]
        checks = {
            each.name: [
                "" if row[at].passes is None else "yes" if row[at].passes else "no" for row in verdicts
            ]
            for at, each in enumerate(verdicts[0])
        }
        return {
            "methods.csv": {"method": list(self.titles)}
            | checks
            | {name: [each.get(name) for each in summaries] for name in names}
        }

    def highlights(self) -> dict[str, Any]:
        """The verdict on each kind of heatmap."""
        return {
            "verdict": {
                key: {
                    check.name: {"passes": check.passes, "reason": check.reason}
                    for check in self.checks(column)
                }
                for column, key in enumerate(self.titles)
            }
        }

    def warnings(self) -> list[str]:
        """Warnings about checks that a kind of heatmap fails, and about too few inputs."""
        if len(self.examples) < FEWEST:
            return [
                f"{len(self.examples)} inputs are too few for a verdict on heatmaps; give at least {FEWEST}"
            ]
        return [
            f"heatmaps of {title} are not {check.name}: {check.reason}"
            for column, title in enumerate(self.titles.values())
            for check in self.checks(column)
            if check.passes is False
        ]


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def signed(value: float) -> str:
    """A number with its sign, such as "+0.12" or "−0.03"."""
    return f"{value:+.2f}".replace("-", "−")


def _gain(curves: np.ndarray) -> np.ndarray:
    """Insertion minus deletion, of curves (…, 2, 17)."""
    deletion, insertion = np.moveaxis(areas(curves), -1, 0)
    return np.asarray(insertion - deletion)
