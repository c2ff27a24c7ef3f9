"""Embeddings that start from an earlier one are aligned with it."""

from __future__ import annotations

import numpy as np
import pytest

from mlflow_interp.core.batch import Batch
from mlflow_interp.exceptions import OptionError
from mlflow_interp.kinds.embedding.alignment import Earlier, moved_onto, read_earlier


def batch(arrays=None):
    return Batch("array", iter, read_arrays=None if arrays is None else lambda _: arrays)


@pytest.fixture
def points():
    return np.random.default_rng(0).normal(0, 3, (40, 2)).astype(np.float32)


@pytest.mark.parametrize("mirrored", [1, -1])
def test_rotated_mirrored_scaled_and_shifted_copy_is_aligned(points, mirrored):
    turn = np.array([[np.cos(2), -np.sin(2)], [np.sin(2), np.cos(2)]]) * [1, mirrored]
    np.testing.assert_allclose(moved_onto(points, 0.2 * points @ turn + [9, -4]), points, atol=1e-5)


def test_one_and_three_components_are_aligned(points):
    np.testing.assert_allclose(moved_onto(points[:, :1], 5 - 2 * points[:, :1]), points[:, :1], atol=1e-5)
    three = np.random.default_rng(1).normal(size=(20, 3))
    np.testing.assert_allclose(moved_onto(three, three[:, [2, 0, 1]] + 1), three, atol=1e-5)


def test_identical_points_move_to_the_centre(points):
    moved = moved_onto(points, np.ones((40, 2), np.float32))
    np.testing.assert_allclose(moved, np.tile(points.mean(axis=0), (40, 1)), atol=1e-5)


def test_inputs_start_at_earlier_positions_and_new_ones_at_neighbours():
    earlier = Earlier(np.float32([[[0, 0]], [[5, 5]], [[9, 0]]]), np.array([10, 11, 12]))
    rows = np.float32([[1.0], [2.1], [0.9], [2.0]])
    start = earlier.start(0, 1, np.array([12, 99, 98, 11]), rows)
    np.testing.assert_array_equal(start, [[9, 0], [5, 5], [9, 0], [5, 5]])


def test_each_layer_starts_from_its_earlier_layout():
    earlier = Earlier(np.float32([[[0], [1]], [[2], [3]]]), np.arange(2))
    rows = np.zeros((2, 1), np.float32)
    np.testing.assert_array_equal(earlier.start(1, 2, np.arange(2), rows), [[1], [3]])


@pytest.mark.parametrize(
    ("layers", "indices", "message"),
    [(2, [0, 1], "align has 1 layers, but layers= selects 2"), (1, [5, 6], "no input in common")],
)
def test_unsuitable_alignments_are_rejected(layers, indices, message):
    earlier = Earlier(np.zeros((2, 1, 2), np.float32), np.arange(2))
    with pytest.raises(OptionError, match=message):
        earlier.start(0, layers, np.array(indices), np.zeros((2, 3), np.float32))


def test_array_can_hold_one_layer_or_several(points):
    assert read_earlier(None, batch(), 2) is None
    found = read_earlier(points, batch(), 2)
    assert found.embeddings.shape == (40, 1, 2)
    np.testing.assert_array_equal(found.indices, np.arange(40))
    assert read_earlier(points.reshape(10, 4, 2), batch(), 2).embeddings.shape == (10, 4, 2)


def test_folder_provides_names_of_inputs(points):
    found = read_earlier("runs:/x", batch({"embeddings": points, "indices": np.arange(40) * 2}), 2)
    np.testing.assert_array_equal(found.indices, np.arange(40) * 2)


@pytest.mark.parametrize(
    ("align", "arrays", "message"),
    [
        (np.zeros((5, 3)), None, r"shape \(5, 1, 3\), but .* \(inputs, 2\)"),
        (np.zeros(5), None, r"shape \(5,\)"),
        (np.full((5, 2), np.nan), None, "but finite numbers of shape"),
        ("runs:/x", {"heatmaps": np.zeros(3)}, "'runs:/x' has no embedding"),
        ("runs:/x", None, "give an array"),
    ],
)
def test_other_results_are_rejected(align, arrays, message):
    with pytest.raises(OptionError, match=message):
        read_earlier(align, batch(arrays), 2)
