"""Grad-CAM compared with independent results."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from mlflow_interp.exceptions import ModelError, OptionError
from mlflow_interp.kinds.heatmap.result import focus
from tests.running import gradcam

layers = keras.layers


def by_hand(model, layer, inputs, target):
    """Grad-CAM of a Sequential model by the formula of the paper, without the ReLU, in NumPy."""
    maps = []
    position = [each.name for each in model.layers].index(layer)
    for row, wanted in zip(inputs[:, np.newaxis], target, strict=True):
        feature = row
        for each in model.layers[: position + 1]:
            feature = each(feature)
        head = model.layers[-1]
        with tf.GradientTape() as tape:
            tape.watch(feature)
            value = feature
            for each in model.layers[position + 1 : -1]:
                value = each(value)
            logit = tf.linalg.matvec(head.kernel, value[0], transpose_a=True)[wanted] + head.bias[wanted]
        gradient = tape.gradient(logit, feature).numpy()[0]
        weights = gradient.mean(axis=(0, 1))
        maps.append((feature.numpy()[0] * weights).sum(axis=-1))
    return np.stack(maps)


@pytest.mark.parametrize("layer", ["first", "second"])
def test_equals_the_formula_of_the_paper(tiny_cnn, pixels, batch_of, layer):
    target = [0, 1, 2, 1, 0]
    result = gradcam(tiny_cnn, batch_of(tiny_cnn, pixels), layer=layer, target=target)
    np.testing.assert_allclose(result.heatmaps, by_hand(tiny_cnn, layer, pixels, target), atol=1e-6)
    assert result.heatmaps.max() > 0
    assert result.explained.targets.tolist() == target


def test_one_pixel_by_hand(batch_of):
    """Feature maps 1 and 2 times the input, head weights 3 and -1 over 4 positions: (3·1 - 1·2)/4 = 1/4."""
    model = keras.Sequential(
        [
            keras.Input((2, 2, 1)),
            layers.Conv2D(2, 1, name="conv"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.layers[0].set_weights([np.array([[[[1.0, 2.0]]]]), np.zeros(2)])
    model.layers[2].set_weights([np.array([[3.0, 0.0], [-1.0, 0.0]]), np.array([0.5, 0.0])])
    inputs = np.array([[[[4.0], [0.0]], [[-4.0], [8.0]]]], np.float32)
    result = gradcam(model, batch_of(model, inputs), target=0)
    np.testing.assert_allclose(result.heatmaps[0], [[1, 0], [-1, 2]], atol=1e-6)
    # Class activation mapping: without the ReLU, the map sums to the logit minus its bias.
    np.testing.assert_allclose(result.explained.scores, [0.5 + (3 - 2) * 2.0], atol=1e-6)


def test_map_sums_to_the_logit_minus_bias(batch_of):
    """With global average pooling and a dense head, Grad-CAM is CAM over the number of positions."""
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(3, 3, activation="relu", name="conv"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, bias_initializer="ones"),
        ]
    )
    kernel = np.abs(np.random.default_rng(0).normal(size=(3, 2))).astype(np.float32)
    model.layers[2].set_weights([kernel, np.array([0.3, -0.2])])
    inputs = np.random.default_rng(1).random((4, 6, 6, 2), dtype=np.float32)
    result = gradcam(model, batch_of(model, inputs), target=1)
    np.testing.assert_allclose(result.heatmaps.sum(axis=(1, 2)), result.explained.scores + 0.2, atol=1e-5)


def test_logits_are_used_for_confident_predictions(batch_of):
    """At p = 1, the gradient of the softmax vanishes; the map must be that of the model without it."""
    inputs = np.random.default_rng(5).random((2, 6, 6, 1), dtype=np.float32)
    maps = []
    for activation in ("softmax", None):
        keras.utils.set_random_seed(1)
        model = keras.Sequential(
            [
                keras.Input((6, 6, 1)),
                layers.Conv2D(3, 3, activation="relu"),
                layers.GlobalAveragePooling2D(),
                layers.Dense(2, activation=activation),
            ]
        )
        kernel, bias = model.layers[-1].get_weights()
        model.layers[-1].set_weights([kernel, bias + np.array([40.0, 0.0])])
        result = gradcam(model, batch_of(model, inputs), target=0)
        assert result.explained.probabilities.min() > 0.9999
        maps.append(result.heatmaps)
    assert maps[0].max() > 1e-3
    np.testing.assert_allclose(maps[0], maps[1], atol=1e-7)


def test_batch_equals_single_inputs(tiny_cnn, pixels, batch_of):
    together = gradcam(tiny_cnn, batch_of(tiny_cnn, pixels)).heatmaps
    chunked = gradcam(tiny_cnn, batch_of(tiny_cnn, pixels, batch_size=2)).heatmaps
    alone = [gradcam(tiny_cnn, batch_of(tiny_cnn, row[np.newaxis])).heatmaps[0] for row in pixels]
    np.testing.assert_allclose(chunked, together, atol=1e-6)
    np.testing.assert_allclose(np.stack(alone), together, atol=1e-6)


def test_scales_with_the_head(tiny_cnn, pixels, batch_of):
    """Twice the weights of the head give twice the map: Grad-CAM is linear in the gradient."""
    once = gradcam(tiny_cnn, batch_of(tiny_cnn, pixels), target=1).heatmaps
    kernel, bias = tiny_cnn.layers[-1].get_weights()
    tiny_cnn.layers[-1].set_weights([2 * kernel, bias])
    np.testing.assert_allclose(
        gradcam(tiny_cnn, batch_of(tiny_cnn, pixels), target=1).heatmaps, 2 * once, atol=1e-6
    )


def test_binary_head_explains_both_classes(batch_of):
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(3, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.layers[-1].set_weights([np.array([[1.0], [1.0], [1.0]]), np.array([-0.1])])
    inputs = np.random.default_rng(2).random((3, 6, 6, 1), dtype=np.float32)
    positive = gradcam(model, batch_of(model, inputs), target=1)
    negative = gradcam(model, batch_of(model, inputs), target=0)
    assert positive.explained.head == "binary"
    assert positive.heatmaps.max() > 0
    assert negative.heatmaps.max() <= 0
    np.testing.assert_allclose(negative.heatmaps, -positive.heatmaps, atol=1e-6)
    np.testing.assert_allclose(positive.explained.scores, -negative.explained.scores)
    np.testing.assert_allclose(
        positive.explained.probabilities, model.predict(inputs, verbose=0)[:, 0], atol=1e-6
    )
    assert "3 of 3 heatmaps are empty" in negative.warnings()[0]


@pytest.mark.parametrize("depth", [1, 2])
def test_nested_model_equals_the_flat_model(tiny_cnn, pixels, batch_of, depth):
    flat = gradcam(tiny_cnn, batch_of(tiny_cnn, pixels))
    inputs = keras.Input((8, 8, 3))
    body = keras.Sequential([keras.Input((8, 8, 3)), *tiny_cnn.layers[:2]], name="body")
    for level in range(depth - 1):
        body = keras.Sequential([keras.Input((8, 8, 3)), body], name=f"around{level}")
    value = tiny_cnn.layers[3](tiny_cnn.layers[2](body(inputs)))
    outer = keras.Model(inputs, value)
    nested = gradcam(outer, batch_of(outer, pixels))
    assert nested.layer == {1: "body/second", 2: "around0/body/second"}[depth]
    np.testing.assert_allclose(nested.heatmaps, flat.heatmaps, atol=1e-6)


def test_subclassed_model_equals_the_flat_model(tiny_cnn, pixels, batch_of):
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.pool, self.head = tiny_cnn.layers

        def call(self, inputs):
            return tf.nn.softmax(self.logits(self.pool(self.second(self.first(inputs)))))

        def logits(self, features):
            return tf.matmul(features, self.head.kernel) + self.head.bias

    flat = gradcam(tiny_cnn, batch_of(tiny_cnn, pixels))
    subclassed = gradcam(Subclassed(), batch_of(Subclassed(), pixels))
    assert (subclassed.layer, subclassed.explained.head) == ("second", "softmax")
    np.testing.assert_allclose(subclassed.heatmaps, flat.heatmaps, atol=1e-6)


def test_channels_first_equals_channels_last(batch_of):
    """If neither the processor nor Keras supports channels first, the error says so."""
    inputs = np.random.default_rng(4).random((2, 3, 9, 7), dtype=np.float32)

    def build(data_format):
        first = data_format == "channels_first"
        return keras.Sequential(
            [
                keras.Input((3, 9, 7) if first else (9, 7, 3)),
                layers.Conv2D(4, 3, activation="relu", data_format=data_format, name="conv"),
                layers.GlobalAveragePooling2D(data_format=data_format),
                layers.Dense(2, activation="softmax"),
            ]
        )

    first, last = build("channels_first"), build("channels_last")
    first.set_weights(last.get_weights())
    expected = gradcam(last, batch_of(last, np.moveaxis(inputs, 1, -1)), target=1)
    try:
        first.predict(inputs, verbose=0)
    except tf.errors.UnimplementedError:
        with pytest.raises(ModelError, match="can't run this model on these inputs here: The Conv2D op"):
            gradcam(first, batch_of(first, inputs), target=1)
        return
    found = gradcam(first, batch_of(first, inputs), target=1)
    assert expected.heatmaps.shape == (2, 7, 5)
    np.testing.assert_allclose(found.heatmaps, expected.heatmaps, atol=1e-6)


def test_shared_layer_is_explained_at_its_last_run(batch_of):
    conv = layers.Conv2D(2, 3, padding="same", activation="relu", name="shared")
    inputs = keras.Input((6, 6, 2))
    pooled = layers.GlobalAveragePooling2D()(conv(conv(inputs)))
    model = keras.Model(inputs, layers.Dense(2)(pooled))
    values = np.random.default_rng(6).random((2, 6, 6, 2), dtype=np.float32)
    result = gradcam(model, batch_of(model, values), layer="shared", target=0)
    twice = conv(conv(values)).numpy()
    weights = model.layers[-1].kernel.numpy()[:, 0] / 36
    np.testing.assert_allclose(result.heatmaps, twice @ weights, atol=1e-6)


def test_focus_is_the_share_of_positions_with_half_of_the_heat():
    spot, flat, empty = np.zeros((4, 4)), np.ones((4, 4)), np.zeros((4, 4))
    spot[1, 2] = 5
    np.testing.assert_allclose(focus(np.stack([spot, flat, empty])), [1 / 16, 0.5, np.nan])


def test_metrics_and_table_count_correct_predictions(tiny_cnn, pixels, batch_of):
    predicted = tiny_cnn.predict(pixels, verbose=0).argmax(axis=1)
    labels = predicted.copy()
    labels[0] = (labels[0] + 1) % 3
    batch = batch_of(tiny_cnn, pixels, labels=labels, class_names=["ant", "bee", "cat"])
    result = gradcam(tiny_cnn, batch, target="label")
    assert result.metrics()["accuracy"] == pytest.approx(0.8)
    assert result.explained.targets.tolist() == labels.tolist()
    assert result.table()["label"] == [["ant", "bee", "cat"][label] for label in labels]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "secnod"}, r"no layer 'secnod'.*nearest: second"),
        ({"layer": 17}, r"no layer 17"),
        (
            {"layer": "pool"},
            r"'pool' has output shape \(None, 5\), but the method needs a spatial",
        ),
        ({"target": 3}, r"target 3 is out of range: the model has classes 0–2"),
        ({"target": -1}, r"target -1 is out of range"),
        ({"target": "bird"}, r"no class is named 'bird'"),
        ({"target": [0, 1]}, r"has 2 classes for 5 inputs"),
    ],
)
def test_invalid_options_are_rejected(tiny_cnn, pixels, batch_of, options, message):
    with pytest.raises(OptionError, match=message):
        gradcam(tiny_cnn, batch_of(tiny_cnn, pixels), **options)


def test_model_without_feature_maps_is_rejected(batch_of):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(2, activation="softmax")])
    with pytest.raises(ModelError, match="no layer with a spatial feature map"):
        gradcam(model, batch_of(model, np.zeros((1, 4), np.float32)))


def test_layer_that_does_not_affect_the_score_is_rejected(batch_of):
    inputs = keras.Input((6, 6, 1))
    main = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3, name="main")(inputs))
    aside = layers.Conv2D(2, 3, name="aside")(inputs)
    out = layers.Dense(2)(main) + 0 * keras.ops.stop_gradient(layers.Dense(2)(layers.Flatten()(aside)))
    model = keras.Model(inputs, out)
    with pytest.raises(OptionError, match="does not depend on layer 'aside'"):
        gradcam(model, batch_of(model, np.zeros((1, 6, 6, 1), np.float32)), layer="aside")


@pytest.mark.parametrize("target", [None, [0, 1, 2, 1, 0]])
def test_maps_of_the_next_most_probable_classes(tiny_cnn, pixels, batch_of, target):
    """They are those that a call with these classes as target gives, without the explained class."""
    batch = batch_of(tiny_cnn, pixels)
    result = gradcam(tiny_cnn, batch, target=target)
    ranked = np.argsort(-tiny_cnn.predict(pixels, verbose=0), axis=1, kind="stable")
    explained = ranked[:, 0] if target is None else np.array(target)
    # The three most probable ones, the explained class taken out.
    expected = [
        [each for each in row[:3] if each != at][:2] for row, at in zip(ranked, explained, strict=True)
    ]
    assert result.others.targets.tolist() == expected
    for rank in range(2):
        of_class = gradcam(tiny_cnn, batch, target=[row[rank] for row in expected])
        np.testing.assert_allclose(result.others.heatmaps[:, rank], of_class.heatmaps, atol=1e-6)


def test_earlier_layers_have_no_maps_of_other_classes(tiny_cnn, pixels, batch_of):
    """There, each would cost a backward pass."""
    assert gradcam(tiny_cnn, batch_of(tiny_cnn, pixels), layer="first").others is None


def test_two_classes_have_one_other(batch_of):
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(3, 3, activation="relu", name="conv"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    inputs = np.random.default_rng(1).random((4, 6, 6, 2), dtype=np.float32)
    result = gradcam(model, batch_of(model, inputs))
    assert result.others.targets[:, 0].tolist() == (1 - result.explained.targets).tolist()
    np.testing.assert_allclose(result.others.heatmaps[:, 0], -result.heatmaps, atol=1e-6)
