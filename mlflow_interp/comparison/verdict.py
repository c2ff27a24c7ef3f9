"""The bound of a rule, and the verdict of a rule on a comparison."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mlflow_interp.comparison.statistics import Interval

Status = Literal["passed", "failed", "warned", "undecided"]
Action = Literal["fail", "warn"]


@dataclass(frozen=True)
class Limit:
    """The bound of a rule, and what happens beyond it.

    Attributes:
        bound: the number, above which (or below which, for what should be large) a rule fails.
        action: what happens then.
        is_least: whether the bound is the smallest accepted number.
        is_stated: whether a gate states it; references change only limits that are not stated.
    """

    bound: float
    action: Action = "fail"
    is_least: bool = False
    is_stated: bool = False

    def status(self, interval: Interval) -> Status:
        """What an interval means."""
        if not math.isfinite(interval.value):
            return "undecided"
        sign = -1 if self.is_least else 1
        least, most = sorted((sign * interval.least, sign * interval.most))
        if least > sign * self.bound:
            return "failed" if self.action == "fail" else "warned"
        return "passed" if most <= sign * self.bound else "undecided"

    def __str__(self) -> str:
        # One that references set has many digits.
        bound = f"{self.bound if self.is_stated else round(self.bound, 3):g}".replace("-", "−")
        return f"at {'least' if self.is_least else 'most'} {bound}"


@dataclass(frozen=True)
class Verdict:
    """What a rule found.

    Attributes:
        rule: its name, such as "accuracy_drop" or "class_explanation_kept/gradcam".
        status: passed, failed, warned or undecided.
        reason: the numbers, in a sentence.
        interval: the number that decided, with its bounds.
        limit: what it was compared with.
    """

    rule: str
    status: Status
    reason: str
    interval: Interval
    limit: Limit

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        numbers = {
            "value": self.interval.value,
            "interval": [self.interval.low, self.interval.high],
            "one_sided_bounds": [self.interval.least, self.interval.most],
        }
        return {
            "rule": self.rule,
            "status": self.status,
            "reason": self.reason,
            "accepted": str(self.limit),
            "action": self.limit.action,
            "inputs": self.interval.count,
        } | _finite(numbers)


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no NaN."""
    return {
        name: [None if not math.isfinite(each) else each for each in value]
        if isinstance(value, list)
        else (value if math.isfinite(value) else None)
        for name, value in values.items()
    }
