"""Rules that decide whether a new version may replace an old one.

A rule fails only if the whole interval of its number lies beyond its bound, passes if all of it lies within,
and is undecided otherwise. A rule that only warns can't fail.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from mlflow_interp.comparison.paired import Paired
from mlflow_interp.comparison.statistics import Interval, undefined

Status = Literal["passed", "failed", "warned", "undecided"]
Action = Literal["fail", "warn"]

ALPHA = 0.05
KEPT_BY_OTHERS = 0.75  # of the agreement, for a class to stand out; less is kept after most retrainings
FEWEST_REFERENCES = 3  # with which explanations and flips may fail a gate


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
        return f"at {'least' if self.is_least else 'most'} {self.bound:g}"


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


#: A rule: its verdicts on a comparison, none if it doesn't apply.
Rule = Callable[[str, Paired, Limit], Iterator[Verdict]]


def _accuracy_drop(name: str, paired: Paired, limit: Limit) -> Iterator[Verdict]:
    interval = paired.predictions.accuracy_drop
    if not interval.count:
        return
    status = limit.status(interval)
    p_value = paired.predictions.p_value
    if status in ("failed", "warned") and p_value >= ALPHA:
        status = "undecided"
    yield Verdict(name, status, f"accuracy {fall(interval)} (p = {p_value:.2g}, McNemar)", interval, limit)


def _class_accuracy_drop(name: str, paired: Paired, limit: Limit) -> Iterator[Verdict]:
    """Of the class with the largest lower bound; the bounds hold for all classes at once."""
    drops = paired.predictions.class_drops(sorted(set(paired.predictions.labels.tolist()) - {-1}))
    if not drops:
        return
    status, label = max(
        ((limit.status(interval), label) for label, interval in drops.items()),
        key=lambda each: (_ORDER.index(each[0]), drops[each[1]].least),
    )
    others = sum(limit.status(each) == status for each in drops.values()) - 1
    more = f", and {others} more" if status in ("failed", "warned") and others else ""
    yield Verdict(
        name,
        status,
        f"accuracy on {paired.class_name(label)!r} {fall(drops[label])}{more}",
        drops[label],
        limit,
    )


_ORDER: tuple[Status, ...] = ("passed", "undecided", "warned", "failed")


def _negative_flips(name: str, paired: Paired, limit: Limit) -> Iterator[Verdict]:
    interval = paired.predictions.negative_flip_share
    if not interval.count:
        return
    seen = [each.predictions.negative_flip_share.value for each in paired.references]
    limit, against = _against_references(limit, seen)
    reason = f"{points(interval)} of the inputs were right before and are wrong now{against}"
    yield Verdict(name, limit.status(interval), reason, interval, limit)


def _explanation_kept(name: str, paired: Paired, limit: Limit) -> Iterator[Verdict]:
    for key, agreement in paired.agreements.items():
        if agreement.anchors is None:
            continue
        kept = agreement.kept(paired.predictions.both_right)
        seen = [
            each.agreements[key].kept(each.predictions.both_right).value
            for each in paired.references
            if key in each.agreements
        ]
        own, against = _against_references(limit, seen)
        if math.isfinite(kept.value):
            reason = f"{percent(kept)} of the agreement of heatmaps is kept{against}"
        elif agreement.anchors.decides:
            reason = "no input has heatmaps of both versions and is predicted correctly by both"
        else:
            floor, ceiling = (_number(each, 2) for each in agreement.anchors.levels)
            reason = (
                f"heatmaps of the old version agree with themselves hardly more ({ceiling}) than with those "
                f"of permuted weights ({floor})"
            )
        yield Verdict(f"{name}/{key}", own.status(kept), reason, kept, own)


def _class_explanation_kept(name: str, paired: Paired, limit: Limit) -> Iterator[Verdict]:
    """Of the classes whose heatmaps agree less than a bound."""
    return _of_classes(name, paired, limit, "heatmaps changed most for", below_others=False)


def _class_stands_out(name: str, paired: Paired, limit: Limit) -> Iterator[Verdict]:
    """Of the classes whose heatmaps agree less than those of the others, as if the class had a shortcut."""
    return _of_classes(
        name, paired, limit, "heatmaps changed more than for other classes:", below_others=True
    )


def _of_classes(
    name: str, paired: Paired, limit: Limit, found_phrase: str, *, below_others: bool
) -> Iterator[Verdict]:
    """The classes whose heatmaps agree less than a bound, by signed-rank tests with Holm's procedure."""
    for key, agreement in paired.agreements.items():
        if agreement.anchors is None:
            continue
        predictions = paired.predictions
        usual = [
            value
            for each in paired.references
            if key in each.agreements
            for value in _extreme(each, key, below_others=below_others)
        ]
        # Still no reason to fail: single classes vary so much that few references do not show all of it.
        own, against = _against_references(limit, usual, action=limit.action)
        found = agreement.of_classes(
            predictions.labels, predictions.both_right, own.bound, below_others=below_others
        )
        if not found:
            continue
        kept = agreement.kept(predictions.both_right)
        if below_others and not kept.value >= KEPT_BY_OTHERS:
            reason = (
                f"heatmaps of all classes changed ({percent(kept)} of the agreement is kept), so that none "
                "can stand out"
                if math.isfinite(kept.value)
                else "heatmaps of the old version hardly agree with themselves"
            )
            yield Verdict(f"{name}/{key}", "undecided", reason, kept, own)
            continue
        changed = sorted(
            (label for label, each in found.items() if each.p_value < ALPHA),
            key=lambda label: (found[label].correlation.value, label),
        )
        if changed:
            status: Status = "failed" if own.action == "fail" else "warned"
            names = ", ".join(
                f"{paired.class_name(label)!r} ({_number(found[label].correlation.value, 2)})"
                for label in changed[:5]
            )
            overall_median = agreement.numbers(predictions.both_right)["correlation"].value
            reason = f"{found_phrase} {names}; the median of all is {_number(overall_median, 2)}{against}"
            shown = found[changed[0]].number
        else:
            status = "passed" if agreement.anchors.decides else "undecided"
            # The class that agrees least.
            shown = min(found.values(), key=lambda each: each.correlation.value).number
            reason = (
                "no class has heatmaps that agree significantly less"
                if agreement.anchors.decides
                else "heatmaps of the old version hardly agree with themselves"
            )
        yield Verdict(f"{name}/{key}", status, reason, shown, own)


def _extreme(reference: Paired, key: str, *, below_others: bool) -> list[float]:
    """The class of a reference that agrees least; empty if that is not known."""
    predictions = reference.predictions
    found = reference.agreements[key].shortfalls(
        predictions.labels, predictions.both_right, below_others=below_others
    )
    return [max(found.values()) if below_others else min(found.values())] if found else []


def _faithfulness_drop(name: str, paired: Paired, limit: Limit) -> Iterator[Verdict]:
    for key in paired.faithfulness:
        interval = paired.numbers[f"faithfulness_drop/{key}"]
        reason = f"the fall of the faithfulness is {signed(interval)}"
        yield Verdict(f"{name}/{key}", limit.status(interval), reason, interval, limit)


def _broken(name: str, paired: Paired, limit: Limit) -> Iterator[Verdict]:
    for key, agreement in paired.agreements.items():
        interval = agreement.broken()
        reason = (
            f"the share of empty heatmaps {'rises' if interval.value >= 0 else 'falls'} by {_size(interval)}"
        )
        yield Verdict(f"{name}/{key}", limit.status(interval), reason, interval, limit)


def _against_references(limit: Limit, seen: list[float], *, action: Action = "fail") -> tuple[Limit, str]:
    """The limit that three or more references set: the range of what is usual. Only they let a rule fail.

    A limit that the gate states stays as it is.
    """
    known = [each for each in seen if math.isfinite(each)]
    if len(known) < FEWEST_REFERENCES or limit.is_stated:
        return limit, ""
    bound = min([limit.bound, *known]) if limit.is_least else max([limit.bound, *known])
    span = f"{min(known):.3f} to {max(known):.3f}"
    return replace(limit, bound=bound, action=action), f" ({span} with {len(known)} references)"


@dataclass(frozen=True)
class RuleOf:
    """A rule with its default limit, and whether it should be large."""

    decide: Rule
    limit: Limit


RULES: Mapping[str, RuleOf] = {
    "accuracy_drop": RuleOf(_accuracy_drop, Limit(0.005)),
    "class_accuracy_drop": RuleOf(_class_accuracy_drop, Limit(0.05)),
    "negative_flips": RuleOf(_negative_flips, Limit(0.05, "warn")),
    "explanation_kept": RuleOf(_explanation_kept, Limit(0.5, "warn", is_least=True)),
    "class_explanation_kept": RuleOf(_class_explanation_kept, Limit(0.3, "warn", is_least=True)),
    "class_stands_out": RuleOf(_class_stands_out, Limit(0.3, "warn")),
    "faithfulness_drop": RuleOf(_faithfulness_drop, Limit(0.1)),
    "broken": RuleOf(_broken, Limit(0.05)),
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


def fall(drop: Interval) -> str:
    """A fall, or a rise, such as "falls by 3.2 % (0.9 to 5.5 %)"."""
    return f"{'falls' if drop.value >= 0 else 'rises'} by {_size(drop)}"


def _size(change: Interval) -> str:
    """A change without its sign."""
    return points(change if change.value >= 0 else change.flipped())


def points(interval: Interval) -> str:
    """A fraction in per cent with its interval, such as "3.2 % (0.9 to 5.5 %)"."""
    value, low, high = (_number(100 * each, 1) for each in (interval.value, interval.low, interval.high))
    return f"{value} % ({low} to {high} %)"


def percent(interval: Interval) -> str:
    """The same without decimals."""
    value, low, high = (_number(100 * each, 0) for each in (interval.value, interval.low, interval.high))
    return f"{value} % ({low} to {high} %)"


def signed(interval: Interval) -> str:
    """A number with its interval, such as "0.12 (0.03 to 0.21)"."""
    value, low, high = (_number(each, 3) for each in (interval.value, interval.low, interval.high))
    return f"{value} ({low} to {high})"


def _number(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")
