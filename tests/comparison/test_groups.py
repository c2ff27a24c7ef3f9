"""Inputs in groups: copies of an input must not make a number more certain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlflow_interp.comparison import groups as grouped
from mlflow_interp.comparison import statistics
from mlflow_interp.comparison.agreement import Agreement, Anchors
from mlflow_interp.comparison.gate import DEFAULT, decide
from mlflow_interp.comparison.paired import Paired
from mlflow_interp.comparison.predictions import Predictions
from mlflow_interp.core.resampling import resampled_medians

COPIES = 4
COUNT = 240
RNG = np.random.default_rng(3)
LABELS = np.arange(COUNT) % 3
#: The old version errs on every tenth input, the new one on every fifth and on some others.
OLD = np.where(np.arange(COUNT) % 10 == 0, (LABELS + 1) % 3, LABELS)
NEW = np.where(np.arange(COUNT) % 5 == 1, (LABELS + 1) % 3, LABELS)
CORRELATION = np.clip(RNG.normal(0.6, 0.2, COUNT), -1, 1)
ANCHORS = np.clip(RNG.normal(0.9, 0.05, COUNT), -1, 1), np.clip(RNG.normal(0.1, 0.2, COUNT), -1, 1)


def paired(copies: int, groups: np.ndarray | None) -> Paired:
    """Each input so many times."""

    def repeated(values: np.ndarray) -> np.ndarray:
        return np.repeat(values, copies, axis=0)

    ones = np.full((COUNT * copies, 2), 0.9)
    predictions = Predictions(
        repeated(LABELS), repeated(np.stack([OLD, NEW], axis=1)), ones, ones, groups=groups
    )
    correlation = repeated(CORRELATION)
    none = np.zeros((COUNT * copies, 2), bool)
    anchors = Anchors(*map(repeated, ANCHORS), groups=groups)
    agreement = Agreement(correlation, correlation, correlation, none, anchors, groups=groups)
    return Paired(predictions, {"gradcam": agreement})


ALONE = paired(1, None)
COPIED = paired(COPIES, None)
IN_GROUPS = paired(COPIES, np.repeat(np.arange(COUNT), COPIES))


def width(found: Paired, name: str) -> float:
    return found.numbers[name].high - found.numbers[name].low


@pytest.mark.parametrize(
    "name",
    ["accuracy_drop", "negative_flips", "positive_flips", "churn", "relative_negative_flips",
     "correlation/gradcam", "kept/gradcam"],
)  # fmt: skip
def test_copies_do_not_narrow_an_interval(name: str) -> None:
    """Without groups, four copies do; with them, it is that of the inputs themselves."""
    assert IN_GROUPS.numbers[name].value == pytest.approx(ALONE.numbers[name].value)
    assert width(COPIED, name) < 0.8 * width(ALONE, name)
    assert width(IN_GROUPS, name) == pytest.approx(width(ALONE, name), rel=0.15)


def test_bounds_of_classes() -> None:
    alone, copied, in_groups = (
        each.predictions.class_drops([0, 1, 2]) for each in (ALONE, COPIED, IN_GROUPS)
    )
    for label in range(3):
        own, few, same = (each[label].most - each[label].least for each in (alone, copied, in_groups))
        assert few < 0.6 * own
        assert same == pytest.approx(own, rel=0.1)
        assert in_groups[label].value == pytest.approx(alone[label].value)


def test_tests_count_groups() -> None:
    """Each group has the sign of its input, so that the test is McNemar's of the inputs themselves."""
    assert IN_GROUPS.predictions.p_value == ALONE.predictions.p_value
    assert COPIED.predictions.p_value < ALONE.predictions.p_value
    assert ALONE.predictions.test == "McNemar"
    assert IN_GROUPS.predictions.test == "sign test of 240 groups"
    (verdict,) = (each for each in decide(DEFAULT, IN_GROUPS) if each.rule == "accuracy_drop")
    assert "sign test of 240 groups" in verdict.reason


def test_p_values_of_classes() -> None:
    found = [
        {
            label: each.p_value
            for label, each in agreement.of_classes(
                LABELS_OF[at], np.ones(len(LABELS_OF[at]), bool), 0.7
            ).items()
        }
        for at, agreement in enumerate(each.agreements["gradcam"] for each in (ALONE, IN_GROUPS))
    ]
    assert found[1] == pytest.approx(found[0])


LABELS_OF = (LABELS, np.repeat(LABELS, COPIES))


def test_a_group_of_unequal_size_by_hand() -> None:
    """Groups of 1, 2 and 3 inputs, of which the last has 3 losses: 3 of 6; in 8 of 27 resamples none."""
    groups = np.array([0, 1, 1, 2, 2, 2])
    losses = np.array([0, 0, 0, 1, 1, 1], bool)
    found = grouped.grouped_difference(losses, np.zeros(6, bool), groups)
    assert (found.value, found.count) == (0.5, 6)
    assert (found.low, found.high) == (0, 1)
    assert grouped.sign_test(losses, np.zeros(6, bool), groups) == 0.25  # one group of one: half of 1 / 2


def test_without_any_flip_the_interval_is_that_of_as_many_inputs_as_groups() -> None:
    none, groups = np.zeros(40, bool), np.arange(40) // 4
    flips = grouped.grouped_fraction(none, groups)
    assert flips.high == statistics.fraction(0, 10).high
    assert flips.count == 40
    assert grouped.grouped_fraction(~none, groups).low == statistics.fraction(10, 10).low
    drop = grouped.grouped_difference(none, none, groups)
    assert (drop.low, drop.high) == pytest.approx(statistics.agresti_min(0, 0, 10, 0.975))
    assert grouped.grouped_bounds(none, none, np.zeros(40), 0.95) == (-1, 1)


def test_medians_of_resampled_groups_are_those_of_their_inputs() -> None:
    """Compared with resamples that are written out."""
    values, groups = RNG.normal(size=30), np.arange(30) // 5
    found = resampled_medians(values, np.random.default_rng(0), groups)
    rng = np.random.default_rng(0)
    drawn = np.concatenate([rng.integers(0, 6, (100, 6)) for _ in range(20)])
    expected = [np.median(np.concatenate([values[groups == each] for each in row])) for row in drawn]
    np.testing.assert_allclose(found, expected)


def test_broken_maps_in_groups() -> None:
    empty = np.zeros((40, 2), bool)
    empty[:8, 1] = True  # of two groups of four
    agreement = Agreement(np.ones(40), np.ones(40), np.zeros(40), empty)
    alone = agreement.broken()
    found = replace(agreement, groups=np.arange(40) // 4).broken()
    assert found.value == alone.value == 0.2
    assert found.high - found.low > 1.5 * (alone.high - alone.low)
