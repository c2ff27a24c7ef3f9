"""HiResCAM and LayerCAM compared with independent results."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from mlflow_interp.backend import ops
from mlflow_interp.exceptions import OptionError
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


def two_stages(first, second):
    """Maps of 4×4 and, after pooling, 2×2 positions, of one channel each; the head adds up all values.

    Every gradient is that of a sum, so that LayerCAM's maps are the activations times a constant: the input
    times `first`, and its means over 2×2 positions times `second` in place of `first`.
    """
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            layers.Conv2D(1, 1, use_bias=False, name="early"),
            layers.AveragePooling2D(2),
            layers.Conv2D(1, 1, use_bias=False, name="late"),
            layers.Flatten(),
            layers.Dense(2, activation="softmax", use_bias=False),
        ]
    )
    for index, value in ((0, first), (2, second)):
        model.layers[index].set_weights([np.full((1, 1, 1, 1), value)])
    model.layers[4].set_weights([np.repeat([[1.0, 0.0]], 4, axis=0)])
    return model


def resized(maps, height, width):
    """By tf.image.resize, which interpolates between the centres of cells."""
    return tf.image.resize(np.asarray(maps)[..., np.newaxis], (height, width), "bilinear").numpy()[..., 0]


@pytest.mark.parametrize("names", ["early,late", ["late", "early"], "late, 0"])
def test_layercam_of_several_layers_is_the_maximum_of_scaled_maps(batch_of, names):
    """The constants do not matter: each map is divided by its maximum. Only the finer one gets the tanh."""
    inputs = np.random.default_rng(0).random((3, 4, 4, 1), np.float32)
    model = two_stages(0.01, 5.0)
    found = layercam(model, batch_of(model, inputs), layer=names, target=0)
    early = inputs[..., 0]
    early = np.tanh(2 * early / early.max(axis=(1, 2), keepdims=True))
    late = resized(inputs[..., 0].reshape(3, 2, 2, 2, 2).mean(axis=(2, 4)), 4, 4)
    late /= late.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(found.heatmaps, np.maximum(early, late), rtol=1e-5)
    assert set(found.layer.split(", ")) == {"early", "late"}
    again = layercam(model, batch_of(model, inputs), layer=found.resolved["layer"], target=0)
    np.testing.assert_array_equal(again.heatmaps, found.heatmaps)


def test_layercam_of_layers_without_evidence_is_zero(batch_of):
    """A gradient of -1 gives maps without a positive value; the maximum that they are divided by is 0."""
    model = two_stages(1.0, 1.0)
    inputs = np.random.default_rng(0).random((2, 4, 4, 1), np.float32)
    model.layers[4].set_weights([np.repeat([[-1.0, 0.0]], 4, axis=0)])
    found = layercam(model, batch_of(model, inputs), layer="early,late", target=0)
    np.testing.assert_array_equal(found.heatmaps, np.zeros((2, 4, 4)))


def test_layercam_of_equally_fine_layers_has_no_tanh(batch_of):
    """Neither is earlier in the sense of the paper, whose stages differ in resolution."""
    model = one_convolution(np.ones((8, 2), np.float32))
    model = keras.Sequential([keras.Input((2, 2, 1)), layers.ReLU(name="relu"), *model.layers])
    inputs = np.random.default_rng(0).random((2, 2, 2, 1), np.float32)
    found = layercam(model, batch_of(model, inputs), layer="relu,conv", target=0)
    expected = inputs[..., 0] / inputs.max(axis=(1, 2, 3))[:, np.newaxis, np.newaxis]
    np.testing.assert_allclose(found.heatmaps, expected, rtol=1e-5)


def test_maps_are_resized_as_by_tensorflow():
    """To the largest of their sizes along each axis, though these are not known when the pass is compiled."""
    random = np.random.default_rng(0)
    wide, tall = (random.random((2, *shape)).astype(np.float32) for shape in ((3, 6), (4, 2)))
    spec = tf.TensorSpec((None, None, None))
    found = tf.function(lambda *maps: ops.enlarged(maps), input_signature=[spec, spec])(wide, tall)
    for each, maps in zip(found, (wide, tall), strict=True):
        np.testing.assert_allclose(each, resized(maps, 4, 6), rtol=1e-5)


@pytest.mark.parametrize("axes", [1, 3])
def test_layercam_fuses_signals_and_volumes(batch_of, axes):
    """Constant inputs: both maps are constant, so that the fused one is 1, the maximum of the coarser."""
    convolution, pooling = getattr(layers, f"Conv{axes}D"), getattr(layers, f"AveragePooling{axes}D")
    model = keras.Sequential(
        [
            keras.Input((4,) * axes + (1,)),
            convolution(1, 1, kernel_initializer="ones", name="early"),
            pooling(2),
            convolution(1, 1, kernel_initializer="ones", name="late"),
            layers.Flatten(),
            layers.Dense(2, activation="softmax", kernel_initializer="ones"),
        ]
    )
    inputs = np.ones((2, *(4,) * axes, 1), np.float32)
    found = layercam(model, batch_of(model, inputs), layer="early,late", target=0)
    np.testing.assert_allclose(found.heatmaps, np.ones((2, *(4,) * axes)), rtol=1e-6)


def test_layers_that_cannot_be_fused(batch_of):
    inputs = keras.Input((4, 4, 2, 1))
    volume = layers.Conv3D(2, 1, name="volume")(inputs)
    image = layers.Conv2D(2, 1, name="image")(layers.Reshape((4, 4, 4))(volume))
    output = layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling2D()(image))
    model = keras.Model(inputs, output)
    batch = batch_of(model, np.ones((1, 4, 4, 2, 1), np.float32))
    with pytest.raises(OptionError, match="3 and 2 spatial axes"):
        layercam(model, batch, layer="volume,image")
    with pytest.raises(OptionError, match="names a layer twice"):
        layercam(model, batch, layer="image,image")
    with pytest.raises(OptionError, match="no layer 'volume,image'"):
        gradcam(model, batch, layer="volume,image")
