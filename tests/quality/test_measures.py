"""Measures of heatmaps against values known without them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_interp.quality import measures
from mlflow_interp.quality.nulls import centre_map, edge_maps, random_maps
from mlflow_interp.quality.rankings import STEPS, areas, curves, enlarged, kept_along, ranks

rng = np.random.default_rng(0)


def test_gini_of_a_ramp_of_one_hot_value_and_of_uniform_maps():
    ramp, hot, uniform = np.arange(1.0, 11), np.eye(1, 10)[0], np.full(10, 3.0)
    found = measures.gini(np.stack([ramp, -ramp, hot, uniform, np.zeros(10)]))
    np.testing.assert_allclose(found[:4], [9 / 30, 9 / 30, 1 - 1 / 10, 0], atol=1e-12)
    assert np.isnan(found[4])


def test_rank_correlation_is_that_of_pandas_and_undefined_for_constants():
    import pandas as pd

    first, second = rng.integers(0, 5, (4, 30)), rng.normal(size=(4, 30))
    expected = [
        pd.Series(a).corr(pd.Series(b), method="spearman") for a, b in zip(first, second, strict=True)
    ]
    np.testing.assert_allclose(measures.spearman(first, second), expected)
    assert np.isnan(measures.spearman(np.ones((1, 3)), np.array([[1, 2, 3]]))).all()
    assert np.isnan(measures.spearman(np.array([[1, np.nan, 3]]), np.array([[1, 2, 3]]))).all()
    assert measures.spearman(np.array([[1, 5, 7]]), np.array([[1, 25, 49]])) == 1


def test_rank_correlation_of_random_maps_has_the_spread_known_for_it():
    """Mean 0 and standard deviation 1 / √(d − 1)."""
    found = measures.spearman(rng.random((4000, 26)), rng.random((4000, 26)))
    assert abs(found.mean()) < 4 / (5 * 4000**0.5)
    assert found.std() == pytest.approx(1 / 5, rel=0.05)


def test_overlap_of_the_strongest_fifth():
    map_ = np.arange(10.0)[np.newaxis]
    assert measures.overlap(map_, map_) == 1
    assert measures.overlap(map_, -map_) == 0
    assert measures.overlap(map_, np.array([[0, 9, 0, 0, 0, 0, 0, 0, 0, 10.0]])) == 0.5


def test_distances_between_the_maps_of_different_inputs():
    maps = np.array([[1.0, 0], [0, 1], [1, 0]])
    # From the first: √2 to the second and 0 to the third, whose median is √½.
    np.testing.assert_allclose(measures.distance_to_others(maps), [0.5**0.5, 2**0.5, 0.5**0.5])
    assert np.isnan(measures.distance_to_others(maps[:1])).all()
    np.testing.assert_allclose(measures.relative_distance(maps, 3 * maps), [2, 2, 2])
    assert np.isnan(measures.relative_distance(np.zeros((1, 2)), np.ones((1, 2)))).all()


def test_the_interval_of_a_median_holds_it_in_most_samples():
    held = 0
    for seed in range(200):
        low, high = measures.interval(np.random.default_rng(seed).normal(1, 1, 40), seed)
        held += low <= 1 <= high
    assert 180 <= held <= 199
    assert np.isnan(measures.interval(np.array([np.nan]))).all()


@given(st.integers(1, 20), st.integers(1, 12))
def test_sums_over_cells_keep_the_total_and_cells_cover_all_positions(side, cells):
    cells = min(side, cells)
    maps = np.random.default_rng(side).normal(size=(2, side, side))
    pooled = measures.pooled(maps, (cells, cells))
    np.testing.assert_allclose(pooled.sum(axis=(1, 2)), maps.sum(axis=(1, 2)))
    # What is pooled over a cell is what a mask of that cell covers.
    mask = measures.spread(np.eye(1, cells * cells, 0).reshape(1, cells, cells), (side, side))[0]
    np.testing.assert_allclose((maps * mask).sum(axis=(1, 2)), pooled[:, 0, 0])


def test_subsets_are_a_fifth_of_the_cells_and_the_same_for_a_seed():
    found = measures.subsets((7, 7), 3)
    assert found.shape == (measures.SUBSETS, 7, 7)
    assert set(found.sum(axis=(1, 2))) == {10}
    assert len({each.tobytes() for each in found}) == measures.SUBSETS
    np.testing.assert_array_equal(found, measures.subsets((7, 7), 3))
    assert not np.array_equal(found, measures.subsets((7, 7), 4))


def test_maps_are_enlarged_as_the_page_draws_them():
    """Centres at 0.25, 0.75, 1.25, 1.75 cells; those of the map are at 0.5 and 1.5."""
    np.testing.assert_allclose(enlarged(np.array([[0.0, 1.0]]), (4,)), [[0, 0.25, 0.75, 1]])
    ramp = np.arange(4.0)[np.newaxis]
    np.testing.assert_allclose(enlarged(ramp, (8,))[0, 1:-1], np.arange(6) / 2 + 0.25)
    assert enlarged(rng.random((2, 3, 5)), (6, 10)).shape == (2, 6, 10)


def test_ranks_follow_the_values_and_ties_the_seed():
    np.testing.assert_array_equal(ranks(np.array([[3.0, 1], [2, 9]]), 0), [[1, 3], [2, 0]])
    ties = [ranks(np.zeros(50), seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(ties[0], ties[1])
    assert not np.array_equal(ties[0], ties[2])
    assert sorted(ties[0]) == list(range(50))


@given(st.integers(2, 60), st.integers(0, 5))
def test_what_is_deleted_first_is_inserted_first(count, seed):
    deleted, inserted = kept_along(ranks(np.random.default_rng(seed).random(count), seed))
    np.testing.assert_array_equal(deleted, ~inserted)
    counts = inserted.sum(axis=1)
    np.testing.assert_array_equal(counts, np.rint(np.arange(1, STEPS) / STEPS * count))
    assert (np.diff(inserted.astype(int), axis=0) >= 0).all()


def test_the_area_below_a_straight_curve():
    line = np.linspace(1, 0, STEPS + 1)
    found = curves(np.stack([line[1:-1], line[::-1][1:-1]]), 1.0, 0.0)
    np.testing.assert_allclose(found, [line, line[::-1]])
    np.testing.assert_allclose(areas(found), [0.5, 0.5])


def test_one_position_that_carries_everything_is_gone_after_the_first_step():
    """The area is that of the baseline and half a step of the difference."""
    clean, baseline = 0.9, 0.2
    deletion = areas(curves(np.full((2, STEPS - 1), baseline), clean, baseline))[0]
    assert deletion == pytest.approx(baseline + (clean - baseline) / (2 * STEPS))


def test_nulls_know_the_input_or_nothing():
    image = np.zeros((1, 6, 6, 2))
    image[0, :, 3:] = 1
    edges = edge_maps(image)[0]
    assert (edges[:, 2:4] > 0).all()
    assert not edges[:, [0, 1, 4, 5]].any()
    assert edge_maps(np.ones((1, 5, 1))).max() == 0
    middle = centre_map((5, 7))
    assert np.unravel_index(middle.argmax(), middle.shape) == (2, 3)
    assert random_maps((4, 4), 0).shape == (3, 4, 4)
    np.testing.assert_array_equal(random_maps((4, 4), 0), random_maps((4, 4), 0))
