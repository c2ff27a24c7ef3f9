"""Agreement of heatmaps that are known, and its scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlflow_interp.comparison.agreement import Anchors, agreement


def test_of_a_map_with_itself() -> None:
    maps = np.random.default_rng(0).normal(size=(5, 7, 7))
    found = agreement(maps, maps)
    np.testing.assert_allclose(found.correlation, 1)
    np.testing.assert_allclose(found.overlap, 1)
    np.testing.assert_allclose(found.moved, 0, atol=1e-12)
    assert not found.empty.any()


def test_by_hand() -> None:
    """Ten cells, of which the strongest two are compared: one is in both. 3 of 10 heat moved."""
    old = np.array([[5.0, 3.0, 2.0, 0, 0, 0, 0, 0, 0, 0]])
    new = np.array([[5.0, 0.0, 2.0, 3.0, 0, 0, 0, 0, 0, 0]])
    found = agreement(old, new)
    assert found.overlap[0] == 0.5
    assert found.moved[0] == pytest.approx(0.3)


def test_negative_heat_does_not_move() -> None:
    found = agreement(np.array([[1.0, -5.0, 0.5]]), np.array([[1.0, 0.0, 0.5]]))
    assert found.moved[0] == 0


def test_empty_maps_are_counted_and_left_out() -> None:
    maps = np.random.default_rng(0).normal(size=(40, 3, 3))
    other = maps.copy()
    other[:10] = 0
    found = agreement(maps, other)
    assert np.isnan(found.correlation[:10]).all()
    assert np.isfinite(found.correlation[10:]).all()
    assert found.broken().value == 0.25


def test_empty_maps_are_a_share_of_the_inputs_that_were_explained() -> None:
    """A method of many passes explains some inputs: 10 of 40 empty maps are a quarter, of however many."""
    maps = np.random.default_rng(0).normal(size=(40, 3, 3))
    other = maps.copy()
    other[:10] = 0
    found = agreement(maps, other).spread(np.arange(40) * 5, 2_000).broken()
    assert (found.value, found.count) == (0.25, 40)
    none_explained = replace(agreement(maps, other), explained=np.zeros(40, bool))
    assert np.isnan(none_explained.broken().value)


def test_maps_of_other_grids_are_resampled() -> None:
    """A linear ramp stays a linear ramp."""
    ramps = [np.tile(np.arange(side) / side, (1, side, 1)) for side in (7, 10)]
    assert agreement(*ramps).correlation[0] == pytest.approx(1, abs=1e-3)


def test_kept_is_the_place_between_floor_and_ceiling() -> None:
    anchors = Anchors(ceiling=np.full(50, 0.9), floor=np.full(50, 0.1))
    assert anchors.kept(np.full(30, 0.5)).value == pytest.approx(0.5)
    assert anchors.kept(np.full(30, 0.95)).value == 1
    assert anchors.kept(np.full(30, 0.0)).value == 0
    assert anchors.correlation_at(0.3) == pytest.approx(0.34)


def test_nothing_is_said_if_ceiling_and_floor_are_close() -> None:
    anchors = Anchors(ceiling=np.full(50, 0.5), floor=np.full(50, 0.4))
    assert np.isnan(anchors.kept(np.full(30, 0.5)).value)
    assert np.isnan(anchors.correlation_at(0.3))


def test_classes_whose_heatmaps_changed() -> None:
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(90, 5, 5))
    other = maps + 0.05 * rng.normal(size=maps.shape)
    labels = np.repeat([0, 1, 2], 30)
    other[labels == 1] = rng.normal(size=(30, 5, 5))
    found = agreement(maps, other)
    scaled = type(found)(
        found.correlation,
        found.overlap,
        found.moved,
        found.empty,
        Anchors(np.full(50, 1.0), np.full(50, 0.0)),
    )
    classes = scaled.of_classes(labels, np.ones(90, bool), 0.3)
    assert classes[1].p_value < 1e-3
    assert classes[0].p_value == classes[2].p_value == 1
    assert classes[0].correlation.value > 0.9
