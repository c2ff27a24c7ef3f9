"""Rules that decide whether a new version may replace an old one.

A rule fails only if the whole interval of its number lies beyond its bound, passes if all of it lies within,
and is undecided otherwise. A rule that only warns can't fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mlflow_interp.comparison import rules
from mlflow_interp.comparison.paired import Paired
from mlflow_interp.comparison.statistics import undefined
from mlflow_interp.comparison.verdict import Limit, Verdict
from mlflow_interp.comparison.wording import signed


@dataclass(frozen=True)
class RuleOf:
    """A rule with its default limit, and whether it should be large."""

    decide: rules.Rule
    limit: Limit


RULES: Mapping[str, RuleOf] = {
    "accuracy_drop": RuleOf(rules.accuracy_drop, Limit(0.005)),
    "class_accuracy_drop": RuleOf(rules.class_accuracy_drop, Limit(0.05)),
    "negative_flips": RuleOf(rules.negative_flips, Limit(0.05, "warn")),
    "explanation_kept": RuleOf(rules.explanation_kept, Limit(0.5, "warn", is_least=True)),
    "class_explanation_kept": RuleOf(rules.class_explanation_kept, Limit(0.3, "warn", is_least=True)),
    "class_stands_out": RuleOf(rules.class_stands_out, Limit(0.3, "warn")),
    "faithfulness_drop": RuleOf(rules.faithfulness_drop, Limit(0.1)),
    "broken": RuleOf(rules.broken, Limit(0.05)),
}

#: The rules of a gate with their limits.
Gate = Mapping[str, Limit]
DEFAULT: Gate = {name: rule.limit for name, rule in RULES.items()}


def decide(gate: Gate, paired: Paired) -> list[Verdict]:
    """The verdicts of all rules of a gate; those of the default gate that do not apply are left out."""
    verdicts = []
    for name, limit in gate.items():
        if name in RULES:
            found = list(RULES[name].decide(name, paired, limit))
        elif name in paired.numbers:
            interval = paired.numbers[name]
            found = [Verdict(name, limit.status(interval), f"{name} is {signed(interval)}", interval, limit)]
        else:
            found = []
        if not found and gate is not DEFAULT:
            reason = "not measured: it needs labels, a method that makes heatmaps, or anchors"
            found = [Verdict(name, "undecided", reason, undefined(), limit)]
        verdicts += found
    return verdicts


def overall(
    verdicts: list[Verdict], *, undecided_fails: bool = False
) -> Literal["passed", "failed", "undecided"]:
    """The verdict of the whole gate: failed if any rule failed, undecided if any is, else passed.

    Args:
        verdicts: of all rules.
        undecided_fails: whether an undecided rule fails the gate, unless it could only warn.
    """
    found = {each.status for each in verdicts}
    is_open = any(each.status == "undecided" and each.limit.action == "fail" for each in verdicts)
    if "failed" in found or (undecided_fails and is_open):
        return "failed"
    return "undecided" if "undecided" in found else "passed"
