"""Conditions on metrics, such as "accuracy < 0.9", under which a command fails: a gate in a pipeline."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlflow_interp.exceptions import OptionError, nearest

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
#: Some metric names contain layer names, so nearly any character may occur in one.
_CONDITION = re.compile(
    r"\s* (?P<metric> [^<>=!]* [^<>=!\s]) \s* (?P<operator> [<>] | [<>=!]=) \s* (?P<number> [^<>=!\s]+) \s*",
    re.VERBOSE,
)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)

#: The metrics of each method that was called, by name.
Metrics = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Condition:
    """A condition on a metric.

    Attributes:
        metric: its name, with or without the method before it: "accuracy" or "gradcam/accuracy".
        operator: one of < <= > >= == !=.
        number: the number that the metric is compared with.
    """

    metric: str
    operator: str
    number: float

    def __str__(self) -> str:
        return f"{self.metric} {self.operator} {self.number!r}"

    def holds(self, value: float) -> bool:
        """Whether a value of the metric meets the condition; NaN meets every condition."""
        return math.isnan(value) or _OPERATORS[self.operator](value, self.number)


def parse_condition(text: str) -> Condition:
    """A condition from its text: a metric, an operator and a number.

    Raises:
        OptionError: the text is not a condition.
    """
    found = _CONDITION.fullmatch(text)
    if found and _NUMBER.fullmatch(found["number"]) and math.isfinite(float(found["number"])):
        return Condition(found["metric"], found["operator"], float(found["number"]))
    raise OptionError(
        f"fail_if is {text!r}; give a metric, one of {' '.join(_OPERATORS)}, and a number, such as "
        "'accuracy < 0.9'"
    )


def check_conditions(conditions: Iterable[Condition], called: Sequence[str], known: Iterable[str]) -> None:
    """Check, before anything is computed, that no condition names a method that does not run.

    Args:
        conditions: the conditions.
        called: the names of the methods that run.
        known: the names of all methods.

    Raises:
        OptionError: a condition names a method that does not run.
    """
    others = set(known) - set(called)
    for condition in conditions:
        method = condition.metric.partition("/")[0]
        if "/" in condition.metric and method in others:
            raise OptionError(
                f"fail_if names {condition.metric!r}, but {method} does not run; methods that run: "
                f"{', '.join(called)}"
            )


def failures(conditions: Iterable[Condition], metrics: Metrics) -> list[str]:
    """A line for each metric that meets a condition: "accuracy is 0.83, which is < 0.9".

    A metric that several methods have is tested for each of them, unless the condition names one.

    Raises:
        OptionError: no method has the metric of a condition.
    """
    return [
        f"{name} is {_comparison(value, condition)}"
        for condition in conditions
        for name, value in _values(condition, metrics)
        if condition.holds(value)
    ]


def _comparison(value: float, condition: Condition) -> str:
    """A value and the condition it meets, with enough digits to see that it does."""
    if math.isnan(value):
        return f"NaN, so the condition {condition.operator} {condition.number:g} can't be checked"
    rounded = float(f"{value:.4g}")
    shown = rounded if condition.holds(rounded) else value
    return f"{shown:.15g}, which is {condition.operator} {condition.number:.15g}"


def _values(condition: Condition, metrics: Metrics) -> Iterator[tuple[str, float]]:
    """The metrics that a condition is about, by the names that messages give them."""
    method, _, name = condition.metric.partition("/")
    if name in metrics.get(method, ()):
        yield condition.metric, metrics[method][name]
        return
    having = [each for each in metrics if condition.metric in metrics[each]]
    for method in having:
        name = condition.metric if len(having) == 1 else f"{method}/{condition.metric}"
        yield name, metrics[method][condition.metric]
    if not having:
        raise _unknown(condition.metric, metrics)


def _unknown(metric: str, metrics: Metrics) -> OptionError:
    """Names each metric once, with its method only if the condition names a method."""
    names = list(dict.fromkeys(name for named in metrics.values() for name in named))
    if metric.partition("/")[0] in metrics:
        names = [f"{method}/{name}" for method, named in metrics.items() for name in named]
    return OptionError(f"no metric {metric!r}{nearest(metric, names, most=3)}")
