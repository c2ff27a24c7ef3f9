"""Rules: what fails, what passes, what is left open; how gates are written; how verdicts are reported."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from mlflow_interp.comparison.agreement import Agreement, Anchors
from mlflow_interp.comparison.gate import DEFAULT, RULES, decide, overall
from mlflow_interp.comparison.gate_file import read_gate
from mlflow_interp.comparison.outputs import junit, markdown, report_json
from mlflow_interp.comparison.paired import Paired
from mlflow_interp.comparison.predictions import Predictions
from mlflow_interp.comparison.statistics import Interval, fraction, undefined
from mlflow_interp.comparison.verdict import Limit, Verdict
from mlflow_interp.exceptions import OptionError


def predictions(count: int, losses: int, gains: int = 0, errors: int = 0, classes: int = 1) -> Predictions:
    """Inputs that the old version predicts correctly but for `errors` and `gains`."""
    labels = np.arange(count) % classes
    old, new = labels.copy(), labels.copy()
    new[:losses] = 99
    old[losses : losses + gains] = 99
    both = slice(losses + gains, losses + gains + errors)
    old[both] = new[both] = 99
    confidence = np.full((count, 2), 0.9)
    return Predictions(labels, np.stack([old, new], axis=1), confidence, confidence)


def agreement(count: int, correlation: float, *, empty: int = 0, anchors: bool = True) -> Agreement:
    values = np.full(count, correlation)
    emptied = np.zeros((count, 2), bool)
    emptied[:empty, 1] = True
    scale = Anchors(np.full(60, 0.9), np.full(60, 0.1)) if anchors else None
    return Agreement(values, values, 1 - values, emptied, scale)


def statuses(gate: Any, paired: Paired) -> dict[str, str]:
    return {each.rule: each.status for each in decide(gate, paired)}


@pytest.mark.parametrize(
    ("limit", "interval", "status"),
    [
        (Limit(0.1), Interval(0.2, 0, 0, 0.11, 0.3, 9), "failed"),
        (Limit(0.1), Interval(0.2, 0, 0, 0.09, 0.3, 9), "undecided"),
        (Limit(0.1), Interval(0.05, 0, 0, 0.01, 0.1, 9), "passed"),
        (Limit(0.1, "warn"), Interval(0.2, 0, 0, 0.11, 0.3, 9), "warned"),
        (Limit(0.5, is_least=True), Interval(0.3, 0, 0, 0.2, 0.49, 9), "failed"),
        (Limit(0.5, is_least=True), Interval(0.3, 0, 0, 0.2, 0.51, 9), "undecided"),
        (Limit(0.5, is_least=True), Interval(0.6, 0, 0, 0.5, 0.7, 9), "passed"),
        (Limit(0.1), undefined(), "undecided"),
    ],
)
def test_a_rule_decides_only_if_the_whole_interval_does(
    limit: Limit, interval: Interval, status: str
) -> None:
    assert limit.status(interval) == status


def test_identical_versions_pass() -> None:
    found = statuses(DEFAULT, Paired(predictions(1000, 0, errors=50), {"gradcam": agreement(1000, 1.0)}))
    assert set(found.values()) == {"passed"}
    assert set(found) == {
        "accuracy_drop", "class_accuracy_drop", "negative_flips", "explanation_kept/gradcam",
        "class_explanation_kept/gradcam", "class_stands_out/gradcam", "broken/gradcam",
    }  # fmt: skip


def test_a_clear_drop_fails_and_a_small_one_is_open() -> None:
    assert statuses(DEFAULT, Paired(predictions(500, 40)))["accuracy_drop"] == "failed"
    assert statuses(DEFAULT, Paired(predictions(500, 5)))["accuracy_drop"] == "undecided"
    assert statuses(DEFAULT, Paired(predictions(500, 40, gains=40)))["accuracy_drop"] == "undecided"


def test_one_class_that_is_lost_fails_while_the_accuracy_is_open() -> None:
    labels = np.repeat(np.arange(10), 100)
    new = labels.copy()
    new[labels == 3] = np.where(np.arange(100) < 25, 4, 3)
    new_right = np.full((1000, 2), 0.9)
    found = Predictions(labels, np.stack([labels, new], axis=1), new_right, new_right)
    paired = Paired(found, class_names={3: "three"})
    verdicts = {each.rule: each for each in decide(DEFAULT, paired)}
    assert verdicts["class_accuracy_drop"].status == "failed"
    assert "'three'" in verdicts["class_accuracy_drop"].reason


def test_explanations_and_flips_only_warn() -> None:
    found = statuses(DEFAULT, Paired(predictions(500, 60, gains=60), {"gradcam": agreement(500, 0.2)}))
    assert found["negative_flips"] == "warned"
    assert found["explanation_kept/gradcam"] == "warned"
    assert found["class_explanation_kept/gradcam"] == "warned"
    assert overall(decide(DEFAULT, Paired(predictions(500, 60, gains=60)))) != "failed"


def test_a_class_that_changed_more_than_the_others_stands_out() -> None:
    """One of ten classes keeps half of what the others do, which is more than the bound of a class alone."""
    labels = np.arange(600) % 10
    right = np.full((600, 2), 0.9)
    paired = Paired(
        Predictions(labels, np.stack([labels, labels], axis=1), right, right),
        {"gradcam": replace(agreement(600, 0.85), correlation=np.where(labels == 4, 0.45, 0.85))},
        class_names={4: "four"},
    )
    found = {each.rule: each for each in decide(DEFAULT, paired)}
    assert found["class_explanation_kept/gradcam"].status == "passed"
    assert found["class_stands_out/gradcam"].status == "warned"
    # In the units of their bounds: of 0.1 to 0.9, 0.45 keeps 0.4375, and 0.5 less than 0.85.
    assert found["class_explanation_kept/gradcam"].interval.value == pytest.approx(0.4375)
    assert found["class_stands_out/gradcam"].interval.value == pytest.approx(0.5)
    assert "'four' (0.45); the median of all is 0.85" in found["class_stands_out/gradcam"].reason


def test_with_three_references_they_fail_beyond_what_is_usual() -> None:
    usual = Paired(predictions(500, 25, gains=25), {"gradcam": agreement(500, 0.75)})
    new = Paired(predictions(500, 60, gains=60), {"gradcam": agreement(500, 0.2)}, references=(usual,) * 3)
    found = statuses(DEFAULT, new)
    assert found["negative_flips"] == "failed"
    assert found["explanation_kept/gradcam"] == "failed"
    as_usual = Paired(
        predictions(500, 25, gains=25), {"gradcam": agreement(500, 0.75)}, references=(usual,) * 3
    )
    assert "failed" not in statuses(DEFAULT, as_usual).values()


def test_no_class_stands_out_if_all_changed() -> None:
    labels = np.arange(600) % 10
    right = np.full((600, 2), 0.9)
    paired = Paired(
        Predictions(labels, np.stack([labels, labels], axis=1), right, right),
        {"gradcam": replace(agreement(600, 0.6), correlation=np.where(labels == 4, 0.1, 0.6))},
    )
    found = {each.rule: each for each in decide(DEFAULT, paired)}["class_stands_out/gradcam"]
    assert found.status == "undecided"
    assert "heatmaps of all classes changed (62 % (62 to 62 %)" in found.reason


def test_references_say_how_far_a_class_may_fall() -> None:
    """A class that keeps 0.2 warns, but not where references have one that keeps 0.1; it never fails."""
    labels = np.arange(600) % 10
    right = np.full((600, 2), 0.9)

    def with_class_at(correlation: float, references: tuple[Paired, ...] = ()) -> Paired:
        values = np.where(labels == 4, correlation, 0.8)
        return Paired(
            Predictions(labels, np.stack([labels, labels], axis=1), right, right),
            {"gradcam": replace(agreement(600, 0.8), correlation=values)},
            references=references,
        )

    rules = ("class_explanation_kept/gradcam", "class_stands_out/gradcam")
    alone = statuses(DEFAULT, with_class_at(0.26))
    assert [alone[name] for name in rules] == ["warned", "warned"]
    usual = statuses(DEFAULT, with_class_at(0.26, (with_class_at(0.18),) * 3))
    assert [usual[name] for name in rules] == ["passed", "passed"]
    beyond = statuses(DEFAULT, with_class_at(0.12, (with_class_at(0.26),) * 3))
    assert [beyond[name] for name in rules] == ["warned", "warned"]


def test_references_leave_stated_limits_alone() -> None:
    usual = Paired(predictions(500, 25, gains=25), {"gradcam": agreement(500, 0.75)})
    paired = Paired(predictions(500, 60, gains=60), {"gradcam": agreement(500, 0.2)}, references=(usual,) * 3)
    gate = read_gate({"negative_flips": {"bound": 0.3}, "explanation_kept": {"bound": 0.5, "action": "warn"}})
    assert statuses(gate, paired) == {"negative_flips": "passed", "explanation_kept/gradcam": "warned"}


def test_empty_heatmaps_fail() -> None:
    found = statuses(DEFAULT, Paired(predictions(500, 0), {"gradcam": agreement(500, 1.0, empty=60)}))
    assert found["broken/gradcam"] == "failed"


def test_less_faithful_heatmaps_fail() -> None:
    change = np.random.default_rng(0).normal(-0.3, 0.1, 60)
    paired = Paired(predictions(500, 0), faithfulness={"gradcam": change})
    assert statuses(DEFAULT, paired)["faithfulness_drop/gradcam"] == "failed"


def test_what_is_not_measured_is_open_where_a_gate_names_it() -> None:
    paired = Paired(predictions(500, 0))
    assert "explanation_kept" not in statuses(DEFAULT, paired)
    verdict = decide(read_gate({"explanation_kept": 0.5}), paired)[0]
    assert verdict.status == "undecided"
    assert "not measured" in verdict.reason


def test_gates_in_files(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text(
        "accuracy_drop: 0.02\n"
        "negative_flips: {bound: 0.03}\n"
        "explanation_kept: {bound: 0.6, action: warn}\n"
        "churn: 0.1\n"
        "correlation/gradcam: {least: 0.4}\n"
    )
    gate = read_gate(str(path))
    assert gate["accuracy_drop"] == Limit(0.02, is_stated=True)
    assert gate["negative_flips"] == Limit(0.03, "fail", is_stated=True)  # an explicit bound fails
    assert gate["explanation_kept"] == Limit(0.6, "warn", is_least=True, is_stated=True)
    assert gate["correlation/gradcam"] == Limit(0.4, is_least=True, is_stated=True)
    found = statuses(gate, Paired(predictions(2000, 500), {"gradcam": agreement(2000, 0.3)}))
    assert found["churn"] == found["correlation/gradcam"] == "failed"
    assert read_gate("default") == {name: rule.limit for name, rule in RULES.items()}
    assert read_gate("none") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "can't be read: .*give default, none, or the path of a YAML file"),
        ("a: [", "can't be read"),
        ("- 3", "has no rules"),
        ("acuracy_drop: 0.1", r"no rule 'acuracy_drop'; nearest: accuracy_drop"),
        ("accuracy_drop: much", "has the bound 'much'"),
        ("accuracy_drop: true", "is True"),
        ("accuracy_drop: {bound: 0.1, action: shout}", "give rules with a bound each"),
        ("accuracy_drop: {bond: 0.1}", "give rules with a bound each"),
        ("churn: {action: warn}", "has the bound nan"),
    ],
)
def test_gates_that_are_refused(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "gate.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(OptionError, match=message):
        read_gate(path)


VERDICTS = [
    Verdict("accuracy_drop", "failed", "accuracy falls by 8 %", fraction(40, 500), Limit(0.005)),
    Verdict("churn", "passed", "churn is <low> & fine", fraction(4, 500), Limit(0.1)),
    Verdict("flips|x", "undecided", "no\nlabels\x00", undefined(), Limit(0.1)),
    Verdict("kept", "warned", "less", fraction(1, 2), Limit(0.5, "warn", is_least=True)),
]


def test_the_verdict_of_a_gate() -> None:
    assert overall(VERDICTS) == "failed"
    assert overall(VERDICTS[1:]) == "undecided"
    assert overall(VERDICTS[1:], undecided_fails=True) == "failed"
    open_warning = Verdict("kept", "undecided", "", undefined(), Limit(0.5, "warn"))
    assert overall([VERDICTS[1], open_warning], undecided_fails=True) == "undecided"
    assert overall([VERDICTS[1], VERDICTS[3]]) == "passed"


def test_outputs() -> None:
    report = json.loads(report_json({"old": "a"}, "failed", VERDICTS, {"churn": fraction(4, 500)}))
    assert report["rules"][0]["accepted"] == "at most 0.005"
    assert report["rules"][2]["value"] is None
    assert report["numbers"]["churn"]["inputs"] == 500
    suite = ElementTree.fromstring(junit("a → b", VERDICTS)).find("testsuite")
    assert suite is not None
    assert {name: suite.get(name) for name in ("tests", "failures", "skipped")} == {
        "tests": "4", "failures": "1", "skipped": "1",
    }  # fmt: skip
    assert [case.get("name") for case in suite.iter("testcase")] == [each.rule for each in VERDICTS]
    text = markdown("a → b", "failed", VERDICTS)
    assert "| ✕ failed | accuracy_drop | accuracy falls by 8 % | at most 0.005 |" in text
    assert "flips\\|x | no labels" in text
