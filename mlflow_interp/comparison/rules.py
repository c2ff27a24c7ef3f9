"""The rules of a gate: each decides about one number of a comparison."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from mlflow_interp.comparison.agreement import OfClass
from mlflow_interp.comparison.paired import Paired
from mlflow_interp.comparison.statistics import Interval, medians
from mlflow_interp.comparison.verdict import Action, Limit, Status, Verdict
from mlflow_interp.comparison.wording import fall, number, percent, points, signed, size

ALPHA = 0.05
KEPT_BY_OTHERS = 0.75  # of the agreement, for a class to stand out; less is kept after most retrainings
FEWEST_REFERENCES = 3  # with which explanations and flips may fail a gate

#: A rule: its verdicts on a comparison, none if it doesn't apply.
Rule = Callable[[str, Paired, Limit], Iterator[Verdict]]


def accuracy_drop(name: str, paired: Paired, limit: Limit) -> Iterator[Verdict]:
    """Of all labelled inputs; it fails only if the test of the drop is significant as well."""
    interval = paired.predictions.accuracy_drop
    if not interval.count:
        return
    status = limit.status(interval)
    p_value = paired.predictions.p_value
    if status in ("failed", "warned") and p_value >= ALPHA:
        status = "undecided"
    yield Verdict(
        name,
        status,
        f"accuracy {fall(interval)} (p = {p_value:.2g}, {paired.predictions.test})",
        interval,
        limit,
    )


def class_accuracy_drop(name: str, paired: Paired, limit: Limit) -> Iterator[Verdict]:
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


def negative_flips(name: str, paired: Paired, limit: Limit) -> Iterator[Verdict]:
    """Of all labelled inputs; references widen what is accepted."""
    interval = paired.predictions.negative_flip_share
    if not interval.count:
        return
    seen = [each.predictions.negative_flip_share.value for each in paired.references]
    limit, against = _against_references(limit, seen)
    reason = f"{points(interval)} of the inputs were right before and are wrong now{against}"
    yield Verdict(name, limit.status(interval), reason, interval, limit)


def explanation_kept(name: str, paired: Paired, limit: Limit) -> Iterator[Verdict]:
    """Of each heatmap; references widen what is accepted."""
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
            floor, ceiling = (number(each, 2) for each in agreement.anchors.levels)
            reason = (
                f"heatmaps of the old version agree with themselves hardly more ({ceiling}) than with those "
                f"of permuted weights ({floor})"
            )
        yield Verdict(f"{name}/{key}", own.status(kept), reason, kept, own)


def class_explanation_kept(name: str, paired: Paired, limit: Limit) -> Iterator[Verdict]:
    """Of the classes whose heatmaps agree less than a bound."""
    return _of_classes(name, paired, limit, "heatmaps changed most for", below_others=False)


def class_stands_out(name: str, paired: Paired, limit: Limit) -> Iterator[Verdict]:
    """Of the classes whose heatmaps agree less than those of the others, as if the class had a shortcut."""
    return _of_classes(
        name, paired, limit, "heatmaps changed more than for other classes:", below_others=True
    )


def _of_classes(
    name: str, paired: Paired, limit: Limit, found_phrase: str, *, below_others: bool
) -> Iterator[Verdict]:
    """The classes whose heatmaps agree less than a bound, by signed-rank tests with Holm's procedure."""
    predictions = paired.predictions
    for key, agreement in paired.agreements.items():
        if agreement.anchors is None:
            continue
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
        changed = _changed(found)
        if below_others and not kept.value >= KEPT_BY_OTHERS:
            yield Verdict(f"{name}/{key}", "undecided", _nothing_stands_out(kept), kept, own)
        elif changed:
            status: Status = "failed" if own.action == "fail" else "warned"
            names = ", ".join(
                f"{paired.class_name(label)!r} ({number(found[label].correlation.value, 2)})"
                for label in changed[:5]
            )
            of_all = medians(agreement.correlation[predictions.both_right])
            reason = f"{found_phrase} {names}; the median of all is {number(float(of_all), 2)}{against}"
            yield Verdict(f"{name}/{key}", status, reason, found[changed[0]].number, own)
        else:
            # The number is that of the class that agrees least.
            least = min(found.values(), key=lambda each: each.correlation.value).number
            decides = agreement.anchors.decides
            reason = "no class has heatmaps that agree significantly less" if decides else _UNDECIDED
            yield Verdict(f"{name}/{key}", "passed" if decides else "undecided", reason, least, own)


_UNDECIDED = "heatmaps of the old version hardly agree with themselves"


def _changed(found: Mapping[int, OfClass]) -> list[int]:
    """The classes that agree significantly less, those that agree least first."""
    changed = (label for label, each in found.items() if each.p_value < ALPHA)
    return sorted(changed, key=lambda label: (found[label].correlation.value, label))


def _nothing_stands_out(kept: Interval) -> str:
    if not math.isfinite(kept.value):
        return _UNDECIDED
    share = percent(kept)
    return f"heatmaps of all classes changed ({share} of the agreement is kept), so that none can stand out"


def _extreme(reference: Paired, key: str, *, below_others: bool) -> list[float]:
    """The class of a reference that agrees least; empty if that is not known."""
    predictions = reference.predictions
    found = reference.agreements[key].shortfalls(
        predictions.labels, predictions.both_right, below_others=below_others
    )
    return [max(found.values()) if below_others else min(found.values())] if found else []


def faithfulness_drop(name: str, paired: Paired, limit: Limit) -> Iterator[Verdict]:
    """Of each heatmap that quality measured in both versions."""
    for key in paired.faithfulness:
        interval = paired.numbers[f"faithfulness_drop/{key}"]
        reason = f"the fall of the faithfulness is {signed(interval)}"
        yield Verdict(f"{name}/{key}", limit.status(interval), reason, interval, limit)


def broken(name: str, paired: Paired, limit: Limit) -> Iterator[Verdict]:
    """Of the share of empty heatmaps, for each heatmap."""
    for key, agreement in paired.agreements.items():
        interval = agreement.broken()
        reason = (
            f"the share of empty heatmaps {'rises' if interval.value >= 0 else 'falls'} by {size(interval)}"
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
