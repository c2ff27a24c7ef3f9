"""HiResCAM and LayerCAM compared with independent results."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.running import gradcam, hirescam, layercam

layers = keras.layers


def features_and_gradients(model, layer, inputs, targets):
    """The feature map of a layer of a Sequential model, and the gradient of each target's logit."""
    position = [each.name for each in model.layers].index(layer)
    features = tf.constant(inputs)
    for each in model.layers[: position + 1]:
        features = each(features)
    head = model.layers[-1]
    with tf.GradientTape() as tape:
        tape.watch(features)
        values = features
        for each in model.layers[position + 1 : -1]:
            values = each(values)
        logits = values @ head.kernel + head.bias
        scores = tf.gather(logits, targets, batch_dims=1)
    return features.numpy(), tape.gradient(scores, features).numpy()


PAPERS = {
    "hirescam": (hirescam, lambda features, gradients: (features * gradients).sum(axis=-1)),
    "layercam": (layercam, lambda features, gradients: (features * np.maximum(gradients, 0)).sum(axis=-1)),
}


@pytest.mark.parametrize("layer", ["first", "second"])
@pytest.mark.parametrize("name", PAPERS)
def test_equals_the_formula_of_the_paper(tiny_cnn, pixels, batch_of, name, layer):
    method, formula = PAPERS[name]
    targets = [0, 1, 2, 1, 0]
    result = method(tiny_cnn, batch_of(tiny_cnn, pixels), layer=layer, target=targets)
    expected = formula(*features_and_gradients(tiny_cnn, layer, pixels, targets))
    np.testing.assert_allclose(result.heatmaps, expected, atol=1e-6)
    assert result.explained.targets.tolist() == targets
    assert result.layer == layer


def one_convolution(kernel):
    """Feature maps 1 and 2 times the input, flattened into a head with the given weights (8, 2)."""
    model = keras.Sequential(
        [
            keras.Input((2, 2, 1)),
            layers.Conv2D(2, 1, name="conv"),
            layers.Flatten(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.layers[0].set_weights([np.array([[[[1.0, 2.0]]]]), np.zeros(2)])
    model.layers[2].set_weights([kernel, np.array([0.25, 0.0])])
    return model


def test_hirescam_sums_to_the_logit_minus_bias_with_a_linear_head(batch_of):
    kernel = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
    inputs = np.random.default_rng(1).normal(size=(3, 2, 2, 1)).astype(np.float32)
    model = one_convolution(kernel)
    result = hirescam(model, batch_of(model, inputs), target=0)
    np.testing.assert_allclose(result.heatmaps.sum(axis=(1, 2)), result.explained.scores - 0.25, atol=1e-5)


def test_position_without_weight_is_zero_in_hirescam_but_not_in_gradcam(batch_of):
    """The failure of Grad-CAM that motivated HiResCAM: the head depends on the first position only."""
    kernel = np.zeros((8, 2), np.float32)
    kernel[:2, 0] = [1.0, 1.0]
    inputs = np.ones((1, 2, 2, 1), np.float32)
    model = one_convolution(kernel)
    batch = batch_of(model, inputs)
    # 1·1 + 2·1 at the first position; Grad-CAM's weights are a quarter of the gradient, at all positions.
    np.testing.assert_allclose(hirescam(model, batch, target=0).heatmaps[0], [[3, 0], [0, 0]], atol=1e-6)
    np.testing.assert_allclose(gradcam(model, batch, target=0).heatmaps[0], np.full((2, 2), 0.75), atol=1e-6)


def test_layercam_ignores_negative_gradients(batch_of):
    """Weights 1 and -1 on channels 1 and 2 times the input: only the first channel contributes."""
    kernel = np.zeros((8, 2), np.float32)
    kernel[0::2, 0] = 1.0
    kernel[1::2, 0] = -1.0
    inputs = np.array([[[[4.0], [0.0]], [[1.0], [8.0]]]], np.float32)
    model = one_convolution(kernel)
    result = layercam(model, batch_of(model, inputs), target=0)
    np.testing.assert_allclose(result.heatmaps[0], [[4, 0], [1, 8]], atol=1e-6)
    np.testing.assert_allclose(
        hirescam(model, batch_of(model, inputs), target=0).heatmaps[0], [[-4, 0], [-1, -8]], atol=1e-6
    )


def test_hirescam_equals_gradcam_with_global_average_pooling(tiny_cnn, pixels, batch_of):
    """There, the gradient is equal at all positions and equals its mean."""
    batch = batch_of(tiny_cnn, pixels)
    np.testing.assert_allclose(
        hirescam(tiny_cnn, batch).heatmaps, gradcam(tiny_cnn, batch).heatmaps, atol=1e-6
    )
