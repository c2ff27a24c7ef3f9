"""All versions of a comparison in one table: each against the old one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlflow_interp.comparison.paired import Paired
from mlflow_interp.comparison.statistics import Interval


@dataclass(frozen=True)
class VersionRow:
    """One version.

    Attributes:
        role: "old", "new" or "reference".
        name: such as "pirates v3".
        accuracy: on labelled inputs; None without labels.
        negative_flips: the share of labelled inputs that the old version gets right and this one wrong; None
            without labels, and for the old version.
        agreements: the median rank correlation with the old version's heatmaps, by heatmap.
    """

    role: str
    name: str
    accuracy: Interval | None = None
    negative_flips: Interval | None = None
    agreements: Mapping[str, Interval] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "role": self.role,
            "name": self.name,
            "accuracy": _plain(self.accuracy),
            "negative_flips": _plain(self.negative_flips),
            "agreement": {key: _plain(each) for key, each in self.agreements.items()},
        }


def version_rows(paired: Paired, names: Sequence[str]) -> list[VersionRow]:
    """The old version, the new one, and each reference, in the order of `names`."""
    old = VersionRow("old", names[0], paired.predictions.accuracy(0))
    others = [_row("new", names[1], paired)]
    others += [_row("reference", name, each) for name, each in zip(names[2:], paired.references, strict=True)]
    return [old, *others]


def _row(role: str, name: str, paired: Paired) -> VersionRow:
    flips = paired.predictions.negative_flip_share
    return VersionRow(
        role,
        name,
        paired.predictions.accuracy(1),
        flips if flips.count else None,
        {key: paired.numbers[f"correlation/{key}"] for key in paired.agreements},
    )


def _plain(interval: Interval | None) -> dict[str, Any] | None:
    if interval is None or not math.isfinite(interval.value):
        return None
    return {"value": interval.value, "interval": [interval.low, interval.high], "inputs": interval.count}
