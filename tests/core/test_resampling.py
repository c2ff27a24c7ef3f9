"""Resamples that are not drawn have the distribution of those that are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from mlflow_interp.core import resampling
from mlflow_interp.core.resampling import RESAMPLES, resampled_means, resampled_medians


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 30, 101])
def test_medians_are_those_of_resamples(count: int) -> None:
    """Compared with medians of resamples that are written out; values have ties."""
    values = np.random.default_rng(count).integers(0, 20, count).astype(float)
    found = resampled_medians(values, np.random.default_rng(0), None)
    drawn = np.random.default_rng(1).integers(0, count, (20_000, count))
    expected = np.median(values[drawn], axis=1)
    assert len(found) == RESAMPLES
    assert set(found.tolist()) <= set(expected.tolist()) | {float(np.median(values))}
    assert ks_2samp(found, expected).pvalue > 1e-3


def test_medians_of_two_values_by_hand() -> None:
    """Both the lower, both the upper, or one of each: a quarter, a quarter and a half."""
    found = resampled_medians(np.array([0.0, 1.0]), np.random.default_rng(0), None)
    shares = [(found == each).mean() for each in (0.0, 0.5, 1.0)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.04)


@pytest.mark.parametrize("grouped", [False, True])
def test_means_of_many_inputs_are_those_of_resamples(grouped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The normal distribution against resamples, of correlated columns and groups of unequal size."""
    rng = np.random.default_rng(0)
    first = rng.exponential(size=4_000)
    values = np.stack([first, first + rng.normal(size=4_000)], axis=1)
    groups = rng.integers(0, 900, 4_000) if grouped else None
    drawn = resampled_means(values, np.random.default_rng(1), groups)
    monkeypatch.setattr(resampling, "MOST_DRAWN", 100)
    found = resampled_means(values, np.random.default_rng(2), groups)
    error = drawn.std(axis=0)
    np.testing.assert_allclose(found.mean(axis=0), drawn.mean(axis=0), atol=0.1 * error.max())
    np.testing.assert_allclose(found.std(axis=0), error, rtol=0.06)
    assert np.corrcoef(found.T)[0, 1] == pytest.approx(np.corrcoef(drawn.T)[0, 1], abs=0.05)


def test_constant_values_have_equal_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "MOST_DRAWN", 100)
    for count in (50, 500):
        found = resampled_means(np.ones((count, 3)), np.random.default_rng(0), None)
        np.testing.assert_allclose(found, 1)
