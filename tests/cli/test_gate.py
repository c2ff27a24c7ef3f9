"""Conditions on metrics: syntax, evaluation and messages."""

from __future__ import annotations

import math
import operator
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlflow_interp.cli.gate import Condition, check_conditions, failures, parse_condition
from mlflow_interp.exceptions import OptionError

OPERATORS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
names = st.text(st.characters(exclude_characters="<>=!", exclude_categories=["Cs"]), min_size=1).map(
    str.strip
)
numbers = st.floats(allow_nan=False, allow_infinity=False)
space = st.sampled_from(["", " ", "  ", "\t"])


@given(names.filter(bool), st.sampled_from(sorted(OPERATORS)), numbers, space, space)
def test_conditions_are_parsed_as_written(name, sign, number, before, between):
    text = f"{before}{name}{between}{sign}{between}{number!r}{before}"
    assert parse_condition(text) == Condition(name, sign, number)
    assert parse_condition(str(parse_condition(text))) == Condition(name, sign, number)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("accuracy < 0.9", Condition("accuracy", "<", 0.9)),
        ("accuracy<.9", Condition("accuracy", "<", 0.9)),
        ("gradcam/focus>=1e-3", Condition("gradcam/focus", ">=", 0.001)),
        ("knn_agreement/block 1/conv != -2.", Condition("knn_agreement/block 1/conv", "!=", -2.0)),
        ("inputs == +10", Condition("inputs", "==", 10.0)),
    ],
)
def test_condition_is_parsed(text, expected):
    assert parse_condition(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "accuracy", "accuracy <", "< 0.9", "0.9 <", "accuracy 0.9", "accuracy = 0.9",
        "accuracy =< 0.9", "accuracy => 0.9", "accuracy < = 0.9", "accuracy <> 0.9", "accuracy <<0.9",
        "accuracy ! 0.9",
        "accuracy < high", "accuracy < nan", "accuracy < inf", "accuracy < 1e999", "accuracy < 1_000",
        "accuracy < 0x1", "accuracy < ٣", "accuracy < 0.9 0.8", "0.5 < accuracy < 0.9", "accuracy < 90%",
        "accuracy < 0,9", "accuracy < 0.9; x > 1", "__import__('os').system('true') < 1 + 1",
    ],
)  # fmt: skip
def test_invalid_condition_is_rejected(text):
    with pytest.raises(OptionError) as caught:
        parse_condition(text)
    assert str(caught.value) == (
        f"fail_if is {text!r}; give a metric, one of < <= > >= == !=, and a number, such as 'accuracy < 0.9'"
    )


@given(st.text(st.sampled_from("a <>=!.0/-e\n"), max_size=30))
@example("a" + " " * 5000 + "<")
def test_any_text_is_parsed_or_rejected(text):
    try:
        condition = parse_condition(text)
    except OptionError:
        return
    assert condition.operator in OPERATORS
    assert math.isfinite(condition.number)
    assert condition.metric == condition.metric.strip() != ""


@given(st.floats(), st.sampled_from(sorted(OPERATORS)), numbers)
def test_condition_fails_metrics_that_meet_it_or_are_not_a_number(value, sign, number):
    lines = failures([Condition("x", sign, number)], {"gradcam": {"x": value}})
    assert len(lines) == (math.isnan(value) or OPERATORS[sign](value, number))
    if lines and not math.isnan(value):
        shown = re.fullmatch(r"x is (\S+), which is (\S+) (\S+)", lines[0])
        assert shown
        assert shown[2] == sign


METRICS = {
    "gradcam": {"accuracy": 0.83, "inputs": 4.0, "focus": 0.2},
    "umap": {"accuracy": 0.95, "trustworthiness/conv": 0.5, "trustworthiness": math.nan},
}


@pytest.mark.parametrize(
    ("texts", "lines"),
    [
        (["focus > 0.5"], []),
        (["focus < 0.5"], ["focus is 0.2, which is < 0.5"]),
        (["accuracy < 0.9"], ["gradcam/accuracy is 0.83, which is < 0.9"]),
        (
            ["accuracy < 0.96"],
            ["gradcam/accuracy is 0.83, which is < 0.96", "umap/accuracy is 0.95, which is < 0.96"],
        ),
        (["umap/accuracy < 0.9"], []),
        (["gradcam/accuracy < 0.9"], ["gradcam/accuracy is 0.83, which is < 0.9"]),
        (["trustworthiness/conv < 0.9"], ["trustworthiness/conv is 0.5, which is < 0.9"]),
        (["umap/trustworthiness/conv<0.9"], ["umap/trustworthiness/conv is 0.5, which is < 0.9"]),
        (
            ["trustworthiness < 0.9"],
            ["trustworthiness is NaN, so the condition < 0.9 can't be checked"],
        ),
        (["focus < 0.5", "inputs == 4"], ["focus is 0.2, which is < 0.5", "inputs is 4, which is == 4"]),
    ],
)  # fmt: skip
def test_which_metrics_are_tested_and_reported(texts, lines):
    assert failures(map(parse_condition, texts), METRICS) == lines


def test_value_is_shown_with_all_relevant_digits():
    (line,) = failures([Condition("accuracy", "<", 0.9)], {"gradcam": {"accuracy": 0.899999}})
    assert line == "accuracy is 0.899999, which is < 0.9"


@pytest.mark.parametrize(
    ("metric", "tail"),
    [
        ("acuracy", "; nearest: accuracy"),
        ("gradcam/acuracy", "; nearest: gradcam/accuracy"),
        ("loss", "; available: accuracy, inputs, focus, trustworthiness/conv, trustworthiness"),
        ("umap/focus", "; available: gradcam/accuracy, gradcam/inputs, gradcam/focus, umap/accuracy, "),
    ],
)
def test_unknown_metric_is_an_error(metric, tail):
    with pytest.raises(OptionError) as caught:
        failures([Condition(metric, "<", 1.0)], METRICS)
    assert str(caught.value).startswith(f"no metric {metric!r}")
    assert tail in str(caught.value) or "nearest: " in str(caught.value)


def test_method_that_is_not_run_is_reported_before_running():
    known = ["gradcam", "umap", "saliency"]
    check_conditions(
        [Condition("gradcam/accuracy", "<", 1.0), Condition("conv/x", "<", 1.0)], ["gradcam"], known
    )
    with pytest.raises(OptionError, match="but umap does not run; methods that run: gradcam"):
        check_conditions([Condition("umap/accuracy", "<", 1.0)], ["gradcam"], known)
