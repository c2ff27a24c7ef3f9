"""Grad-CAM++ against answers known without it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.running import gradcam_plus_plus

layers = keras.layers


def linear_head(weights, shape):
    """A feature map equal to the input, whose values count with the given weights in the first class."""
    channels = shape[-1]
    model = keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(channels, 1, use_bias=False, name="conv"),
            layers.Flatten(),
            layers.Dense(2, activation="softmax", use_bias=False),
        ]
    )
    kernel = np.stack([np.ravel(weights), np.zeros(np.size(weights))], axis=1)
    model.layers[0].set_weights([np.eye(channels)[np.newaxis, np.newaxis]])
    model.layers[2].set_weights([kernel])
    return model


def heatmaps(batch_of, weights, inputs):
    model = linear_head(weights, inputs.shape[1:])
    return gradcam_plus_plus(model, batch_of(model, inputs), target=0, layer="conv").heatmaps


@pytest.mark.parametrize("gradient", [1e-20, 0.25, 3.0])
def test_constant_gradient(batch_of, gradient):
    """α = 1 / (2 + g ΣA) at every position, also for gradients whose square is 0 in float32."""
    inputs = np.random.default_rng(0).random((2, 3, 4, 1), np.float32)
    total = inputs.sum(axis=(1, 2), keepdims=True)
    expected = 12 * gradient / (2 + gradient * total) * inputs
    found = heatmaps(batch_of, np.full((3, 4, 1), gradient), inputs)
    np.testing.assert_allclose(found, expected[..., 0], rtol=1e-5)


def test_by_hand(batch_of):
    """Activations 1 and 2, ΣA = 3.

    Gradients 1 and -5: α = 1/5 at the first, and the second, negative, does not count: the weight is 1/5.
    Gradients 2 and 4: 2/8 + 4/14.
    """
    inputs = np.array([[[[1.0], [2.0]]]], np.float32)
    np.testing.assert_allclose(heatmaps(batch_of, [1.0, -5.0], inputs)[0], [[0.2, 0.4]], rtol=1e-6)
    weight = 2 / 8 + 4 / 14
    np.testing.assert_allclose(heatmaps(batch_of, [2.0, 4.0], inputs)[0], [[weight, 2 * weight]], rtol=1e-6)


@pytest.mark.parametrize("gradient", [1.0, 2.0])
def test_denominator_that_is_not_positive(batch_of, gradient):
    """ΣA = -2: the denominator is 2 - 2 = 0 and 2 - 4 < 0, so that the channel does not count."""
    inputs = np.array([[[[1.0], [-3.0]]]], np.float32)
    np.testing.assert_array_equal(heatmaps(batch_of, [gradient, gradient], inputs), 0)


def test_channel_without_gradient_does_not_count(batch_of):
    inputs = np.ones((1, 1, 2, 2), np.float32)
    # Of two channels, one with gradient 1 at both positions: 2 · 1 / (2 + 2).
    found = heatmaps(batch_of, [[1.0, 0.0], [1.0, 0.0]], inputs)
    np.testing.assert_allclose(found, [[[0.5, 0.5]]], rtol=1e-6)


def formula_of_the_authors(features, gradients):
    """https://github.com/adityac94/Grad_CAM_plus_plus: misc/utils.py, without scaling to 0..1, in NumPy.

    It differentiates exp(score): the second and third derivatives are then exp(score) times G² and G³. Its
    alphas are divided by their sum over space, which the paper does not do; left out here.
    """
    maps = []
    for feature, gradient in zip(features.astype(np.float64), gradients.astype(np.float64), strict=True):
        second, third = gradient**2, gradient**3
        sums = feature.reshape(-1, feature.shape[-1]).sum(axis=0)
        denominators = second * 2.0 + third * sums
        alphas = second / np.where(denominators != 0, denominators, 1.0)
        weights = (np.maximum(gradient, 0) * alphas).sum(axis=(0, 1))
        maps.append((weights * feature).sum(axis=-1))
    return np.array(maps)


@pytest.mark.parametrize("layer", ["first", "second"])
def test_equals_the_formula_of_the_authors(tiny_cnn, pixels, batch_of, layer):
    """On feature maps after a ReLU, where no denominator is negative."""
    targets = [0, 1, 2, 1, 0]
    found = gradcam_plus_plus(tiny_cnn, batch_of(tiny_cnn, pixels), layer=layer, target=targets)
    position = [each.name for each in tiny_cnn.layers].index(layer)
    features = tf.constant(pixels)
    for each in tiny_cnn.layers[: position + 1]:
        features = each(features)
    assert (features.numpy() >= 0).all()
    head = tiny_cnn.layers[-1]
    with tf.GradientTape() as tape:
        tape.watch(features)
        values = features
        for each in tiny_cnn.layers[position + 1 : -1]:
            values = each(values)
        scores = tf.gather(values @ head.kernel + head.bias, targets, batch_dims=1)
    expected = formula_of_the_authors(features.numpy(), tape.gradient(scores, features).numpy())
    np.testing.assert_allclose(found.heatmaps, expected, rtol=1e-4, atol=1e-6)


def test_volume(batch_of):
    """Three spatial axes: ΣA = 8 · 0.5, so that each of 8 positions adds 1 / (2 + 4)."""
    model = keras.Sequential(
        [
            keras.Input((2, 2, 2, 1)),
            layers.Conv3D(1, 1, use_bias=False, name="conv"),
            layers.Flatten(),
            layers.Dense(2, activation="softmax", use_bias=False),
        ]
    )
    model.layers[0].set_weights([np.ones((1, 1, 1, 1, 1))])
    model.layers[2].set_weights([np.stack([np.ones(8), np.zeros(8)], axis=1)])
    inputs = np.full((2, 2, 2, 2, 1), 0.5, np.float32)
    found = gradcam_plus_plus(model, batch_of(model, inputs), target=0)
    np.testing.assert_allclose(found.heatmaps, np.full((2, 2, 2, 2), 8 / 6 * 0.5), rtol=1e-6)
