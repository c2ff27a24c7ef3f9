"""Intervals and tests against published and hand-computed values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_interp.comparison import statistics


def test_mid_p_mcnemar_of_fagerland_2013() -> None:
    """Their table 3: 1 and 7 discordant pairs; two-sided mid-p 0.0391."""
    assert 2 * statistics.mcnemar(7, 1) == pytest.approx(0.0391, abs=5e-5)
    assert statistics.mcnemar(7, 1) == pytest.approx(5 / 256)
    assert statistics.mcnemar(0, 0) == 1


@given(st.integers(0, 50), st.integers(0, 50))
def test_both_directions_of_mcnemar_complement_each_other(losses: int, gains: int) -> None:
    total = statistics.mcnemar(losses, gains) + statistics.mcnemar(gains, losses)
    assert total == pytest.approx(1 if losses + gains else 2)


def test_agresti_min_by_hand() -> None:
    """B = 7.5, c = 1.5, N = 23: 6 / 23 ± 1.96 · √(9 − 36 / 23) / 23."""
    found = statistics.paired_difference(7, 1, 21)
    assert found.value == pytest.approx(6 / 21)
    assert found.low == pytest.approx(0.26087 - 1.95996 * 0.118553, abs=1e-4)
    assert found.high == pytest.approx(0.26087 + 1.95996 * 0.118553, abs=1e-4)
    assert found.least == pytest.approx(0.26087 - 1.64485 * 0.118553, abs=1e-4)


def test_clopper_pearson() -> None:
    """0 of 10: 1 − 0.025^(1/10) = 0.3085; one-sided 1 − 0.05^(1/10)."""
    found = statistics.fraction(0, 10)
    assert (found.value, found.low, found.least) == (0, 0, 0)
    assert found.high == pytest.approx(0.3085, abs=1e-4)
    assert found.most == pytest.approx(0.2589, abs=1e-4)


def test_holm() -> None:
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([]) == []


def test_bootstrap_of_a_mean_has_its_standard_error() -> None:
    values = np.random.default_rng(1).normal(size=400)
    found = statistics.mean(values)
    error = values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert found.most - found.least == pytest.approx(2 * 1.645 * error, rel=0.1)


def test_groups_are_resampled_as_one() -> None:
    """Ten copies of each value: the interval is that of the values themselves, not of ten times as many."""
    values = np.random.default_rng(1).normal(size=60)
    alone = statistics.mean(values)
    copies = statistics.mean(np.repeat(values, 10), groups=np.repeat(np.arange(60), 10))
    assert copies.high - copies.low == pytest.approx(alone.high - alone.low, rel=0.1)


def test_medians_leave_out_what_is_not_finite() -> None:
    rows = np.array([[1.0, np.nan, 3.0, 9.0], [np.nan] * 4, [4.0, 1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(statistics.medians(rows), [3.0, np.nan, 2.5])
    assert statistics.median(rows[0]).count == 3
    assert np.isnan(statistics.median(rows[1]).value)


def test_equal_values_have_no_interval() -> None:
    found = statistics.median(np.ones(30))
    assert (found.value, found.low, found.high) == (1, 1, 1)


def test_signed_rank() -> None:
    """Ten values below the bound: p = 1 / 2^10."""
    assert statistics.signed_rank(np.arange(10) / 100, 0.5) == pytest.approx(1 / 1024)
    assert statistics.signed_rank(np.full(10, 0.5), 0.5) == 1


def test_bounds_of_few_pairs_stay_possible() -> None:
    """One loss of one: 2 / 3 ± 0.8 / 3 · …, which would be more than 1."""
    found = statistics.paired_difference(1, 0, 1)
    assert found.high == 1
    assert statistics.paired_difference(0, 1, 1).low == -1
