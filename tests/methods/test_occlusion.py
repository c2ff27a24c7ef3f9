"""Occlusion against values known without it; what it shares with RISE is in test_perturbation."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from mlflow_interp.exceptions import OptionError
from tests.running import occlusion

layers = keras.layers


def summing(*shape):
    """A model whose score is the sum of its values plus 5, so that the values are the contributions."""
    model = keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(1)])
    model.layers[-1].set_weights([np.ones((int(np.prod(shape)), 1), np.float32), np.full(1, 5.0)])
    return model


def test_by_hand(batch_of):
    """Patches of one pixel, and of rows of two: 1 + 2 and 3 + 4 (with a baseline of 1: less 2)."""
    model = summing(2, 2, 1)
    inputs = np.float32([[1, 2], [3, 4]]).reshape(1, 2, 2, 1)
    batch = batch_of(model, inputs)
    found = occlusion(model, batch, patch=1, baseline=0)
    np.testing.assert_allclose(found.heatmaps, [[[1, 2], [3, 4]]], atol=1e-5)
    for patch in ("1,2", [1, 2], (1, 2)):
        found = occlusion(model, batch, patch=patch, baseline=1)
        np.testing.assert_allclose(found.heatmaps, [[[1, 1], [5, 5]]], atol=1e-5)


def test_overlapping_patches_are_averaged_by_hand(batch_of):
    """Windows of two of the signal 1, 2, 4: falls of 3 and 6, of which the middle has both."""
    model = summing(3, 1)
    batch = batch_of(model, np.float32([1, 2, 4]).reshape(1, 3, 1))
    found = occlusion(model, batch, patch=2, stride=1, baseline=0)
    np.testing.assert_allclose(found.heatmaps, [[3, 4.5, 6]], atol=1e-5)


def test_last_patch_ends_with_the_input(batch_of):
    """Patches start at 0, 2 and 3 of five positions 1, 2, 4, 8, 16: falls of 3, 12 and 24."""
    model = summing(5, 1)
    batch = batch_of(model, np.float32([1, 2, 4, 8, 16]).reshape(1, 5, 1))
    found = occlusion(model, batch, patch=2, stride=2, baseline=0)
    np.testing.assert_allclose(found.heatmaps, [[3, 3, 12, 18, 24]], atol=1e-5)


def test_patches_side_by_side_sum_to_the_contributions(batch_of):
    random = np.random.default_rng(0)
    model = keras.Sequential([keras.Input((6, 8, 3)), layers.Flatten(), layers.Dense(1)])
    weights = random.normal(size=(6, 8, 3)).astype(np.float32)
    model.layers[-1].set_weights([weights.reshape(-1, 1), np.full(1, -2.0)])
    inputs, baseline = (random.normal(size=(count, 6, 8, 3)).astype(np.float32) for count in (4, 1))
    found = occlusion(model, batch_of(model, inputs), patch=2, stride=2, baseline=baseline[0])
    contributions = (weights * (inputs - baseline)).reshape(4, 3, 2, 4, 2, 3)
    expected = contributions.sum(axis=(2, 4, 5))
    np.testing.assert_allclose(found.heatmaps[:, ::2, ::2], expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(found.heatmaps[:, ::2, ::2], found.heatmaps[:, 1::2, 1::2])
    rise = model.predict(inputs, verbose=0)[:, 0] - model.predict(baseline, verbose=0)[:, 0]
    np.testing.assert_allclose(expected.sum(axis=(1, 2)), rise, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("shape", "patch", "stride"),
    [
        ((64, 32, 3), [8, 4], [4, 2]),
        ((9, 8, 1), [2, 1], [1, 1]),
        ((100, 4), [13], [7]),
        ((20,), [1], [1]),
        ((16, 16, 8, 1), [2, 2, 1], [2, 2, 1]),
    ],
)
def test_default_sizes(batch_of, shape, patch, stride):
    model = summing(*shape)
    found = occlusion(model, batch_of(model, np.ones((1, *shape), np.float32)), baseline=0.0)
    assert found.resolved == {"head": "values", "patch": patch, "stride": stride}
    half = occlusion(model, batch_of(model, np.ones((1, *shape), np.float32)), patch=1, baseline=0.0)
    assert half.resolved["stride"] == [1] * len(patch)
    assert "patch" not in half.resolved


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patch": 9}, "patch 9×9 is larger than the input, 8×8; give less"),
        ({"patch": 2, "stride": 3}, "stride 3×3 is larger than patch 2×2, so some positions would never"),
        ({"patch": "2,2,2"}, "patch has 3 numbers, but positions of the inputs have 2 axes"),
        ({"patch": 0}, "patch is 0; give a whole number of at least 1, or one for each axis"),
        ({"patch": "2,x"}, "patch is '2,x'; give a whole number"),
        ({"stride": 1.5}, "stride is 1.5; give a whole number"),
        ({"patch": []}, "patch is .*; give a whole number"),
        ({"patch": float("inf")}, "patch is inf; give"),
    ],
)
def test_sizes_that_do_not_fit(batch_of, options, message):
    model = summing(8, 8, 1)
    with pytest.raises(OptionError, match=message):
        occlusion(model, batch_of(model, np.ones((1, 8, 8, 1), np.float32)), **options)
