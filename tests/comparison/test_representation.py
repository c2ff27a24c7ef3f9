"""Alignment of representations: equal, rotated, independent."""

from __future__ import annotations

import numpy as np
import pytest

from mlflow_interp.comparison.representation import debiased_cka, neighbour_overlap


def test_equal_up_to_rotation_and_scale() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 20))
    rotation, _ = np.linalg.qr(rng.normal(size=(20, 20)))
    assert debiased_cka(vectors, vectors) == pytest.approx(1)
    assert debiased_cka(vectors, 3 * vectors @ rotation + 5) == pytest.approx(1)
    assert neighbour_overlap(vectors, vectors) == 1


def test_independent_vectors() -> None:
    """Fifty of 500 features: the biased estimator would give 0.91."""
    rng = np.random.default_rng(0)
    pairs = [(rng.normal(size=(50, 500)), rng.normal(size=(50, 500))) for _ in range(20)]
    found = [debiased_cka(*pair) for pair in pairs]
    assert np.mean(found) == pytest.approx(0, abs=0.01)
    centred = [[each - each.mean(axis=0) for each in pair] for pair in pairs]
    biased = [
        np.linalg.norm(one.T @ two) ** 2 / (np.linalg.norm(one.T @ one) * np.linalg.norm(two.T @ two))
        for one, two in centred
    ]
    assert np.mean(biased) > 0.85
    assert neighbour_overlap(*pairs[0]) == pytest.approx(10 / 49, abs=0.06)


def test_vectors_that_are_all_equal() -> None:
    assert np.isnan(debiased_cka(np.ones((10, 3)), np.random.default_rng(0).normal(size=(10, 3))))
