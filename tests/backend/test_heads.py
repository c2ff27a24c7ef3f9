"""Logits, probabilities and targets for every kind of head."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from mlflow_interp.backend.compile import compile_for
from mlflow_interp.backend.forward import forward
from mlflow_interp.backend.heads import class_scores
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.engine.targets import target_chooser
from mlflow_interp.exceptions import OptionError

layers = keras.layers
VALUES = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


def read(model, values=VALUES):
    kinds = []

    def function(inputs):
        found = class_scores(forward(model, inputs).outputs, model)
        kinds.append(found.head)
        return found.scores, found.probabilities

    scores, probabilities = compile_for(function, values)(values)
    return scores.numpy(), probabilities.numpy(), kinds[0]


def heads(units, activation):
    """The same head fused into a dense layer, as a layer of its own, and written by hand."""
    function = {"softmax": tf.nn.softmax, "sigmoid": tf.nn.sigmoid}[activation]

    class ByHand(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(units)

        def call(self, inputs):
            return function(self.dense(inputs))

    fused = keras.Sequential([keras.Input((4,)), layers.Dense(units, activation=activation)])
    split = keras.Sequential([keras.Input((4,)), layers.Dense(units), layers.Activation(activation)])
    by_hand = ByHand()
    by_hand(VALUES)
    half = keras.Sequential(
        [keras.Input((4,)), layers.Dense(units), layers.Activation(activation, dtype="float16")]
    )
    for model in (split, by_hand, half):
        model.set_weights(fused.get_weights())
    outer_input = keras.Input((4,))
    nested = keras.Model(outer_input, fused(outer_input))
    return {"fused": fused, "split": split, "by hand": by_hand, "nested": nested}, half


@pytest.mark.parametrize(
    ("units", "activation", "head"),
    [(3, "softmax", "softmax"), (3, "sigmoid", "sigmoid"), (1, "sigmoid", "binary")],
)
def test_every_form_of_a_head_gives_the_same_logits(units, activation, head):
    models, half = heads(units, activation)
    kernel, bias = models["fused"].get_weights()
    logits = VALUES @ kernel + bias
    expected = np.concatenate([-logits, logits], axis=1) if head == "binary" else logits
    for name, model in models.items():
        scores, probabilities, kind = read(model)
        assert kind == head, name
        np.testing.assert_allclose(scores, expected, atol=1e-6, err_msg=name)
        given = model.predict(VALUES, verbose=0)
        np.testing.assert_allclose(probabilities[:, -units:], given, atol=1e-6, err_msg=name)
    np.testing.assert_allclose(read(half)[0], expected, atol=1e-2)


def test_a_linear_head_is_taken_for_logits():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    scores, probabilities, head = read(model)
    assert head == "linear"
    np.testing.assert_allclose(scores, model.predict(VALUES, verbose=0), atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_a_single_linear_output_stays_what_it_is():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    scores, values, head = read(model)
    assert head == "linear"
    np.testing.assert_allclose(scores, values)
    np.testing.assert_allclose(values, model.predict(VALUES, verbose=0), atol=1e-6)


def test_swish_is_no_head():
    """Swish multiplies by a sigmoid; what goes into that sigmoid is not the score."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="swish")])
    scores, _, head = read(model)
    assert head == "linear"
    np.testing.assert_allclose(scores, model.predict(VALUES, verbose=0), atol=1e-6)


def test_a_map_of_classes_is_averaged_over_space():
    values = np.random.default_rng(1).random((2, 5, 5, 1), dtype=np.float32)
    model = keras.Sequential([keras.Input((5, 5, 1)), layers.Conv2D(3, 1, activation="softmax")])
    kernel, bias = model.get_weights()
    scores, _, head = read(model, values)
    assert head == "softmax"
    np.testing.assert_allclose(scores, (values @ kernel[0, 0] + bias).mean(axis=(1, 2)), atol=1e-6)


def channels_first(*head):
    """Three classes at each of 5×4 positions, in a model whose convolution has channels before space."""
    return keras.Sequential(
        [keras.Input((2, 5, 4)), layers.Conv2D(3, 1, data_format="channels_first", name="conv"), *head]
    )


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        ([], "linear"),
        ([layers.Activation("sigmoid")], "sigmoid"),
        ([layers.Softmax(axis=1)], "softmax"),
        ([layers.Permute((2, 3, 1))], "linear"),
        ([layers.Permute((2, 3, 1)), layers.Softmax()], "softmax"),
        ([layers.Reshape((3, 20)), layers.Permute((2, 1)), layers.Softmax()], "softmax"),
    ],
    ids=["linear", "sigmoid", "softmax", "permuted", "permuted softmax", "flattened softmax"],
)
def test_a_channels_first_map_of_classes_is_averaged_over_space(head, kind):
    values = np.random.default_rng(1).random((2, 2, 5, 4), dtype=np.float32)
    model = channels_first(*head)
    kernel, bias = model.get_layer("conv").get_weights()
    logits = np.einsum("nchw,ck->nkhw", values, kernel[0, 0]) + bias[:, np.newaxis, np.newaxis]
    scores, probabilities, found = read(model, values)
    assert found == kind
    assert probabilities.shape == (2, 3)
    np.testing.assert_allclose(scores, logits.mean(axis=(2, 3)), atol=1e-6)


def test_a_channels_first_map_of_one_class_is_binary():
    values = np.random.default_rng(1).random((2, 2, 5, 4), dtype=np.float32)
    model = keras.Sequential(
        [
            keras.Input((2, 5, 4)),
            layers.Conv2D(1, 1, data_format="channels_first", activation="sigmoid", name="conv"),
        ]
    )
    kernel, bias = model.get_layer("conv").get_weights()
    logits = (np.einsum("nchw,ck->nkhw", values, kernel[0, 0]) + bias).mean(axis=(2, 3))
    scores, _, found = read(model, values)
    assert found == "binary"
    np.testing.assert_allclose(scores, np.concatenate([-logits, logits], axis=1), atol=1e-6)


def chunk(labels=(0, 2, -1), start=0):
    indices = np.arange(start, start + len(labels))
    return Chunk(indices, tuple(map(str, indices)), None, np.array(labels), None)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (None, [-1, -1, -1]),
        (1, [1, 1, 1]),
        (np.int64(2), [2, 2, 2]),
        ("1", [1, 1, 1]),
        ("bee", [1, 1, 1]),
        ("label", [0, 2, -1]),
        ([2, 1, 0], [2, 1, 0]),
        ("cat,ant,1", [2, 0, 1]),
        ((0, "bee", "2"), [0, 1, 2]),
        (np.array([2, 0, 1]), [2, 0, 1]),
    ],
)
def test_targets(target, expected):
    batch = Batch("test", lambda: iter(()), 3, ("ant", "bee", "cat"))
    assert target_chooser(target, batch, 3)(chunk()).tolist() == expected


def test_targets_follow_their_inputs_over_chunks_and_gaps():
    batch = Batch("test", lambda: iter(()), None)
    choose = target_chooser([0, 1, 2, 0, 1], batch, 3)
    assert choose(chunk((-1, -1), start=3)).tolist() == [0, 1]
    with pytest.raises(OptionError, match="names only 5 classes"):
        choose(chunk((-1, -1), start=4))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (3, "out of range: the model has classes 0 to 2"),
        ("9", "target 9 is out of range"),
        ("be", "no class is called 'be'; nearest: bee"),
        ("crane", "2 classes are called 'crane'; give an index: 2, 3"),
        ([], "names 0 classes for 3 inputs"),
        (1.5, "no class is called 1.5"),
    ],
)
def test_bad_targets(target, message):
    names = ("ant", "bee", "cat") if target != "crane" else ("ant", "bee", "crane", "crane")
    with pytest.raises(OptionError, match=message):
        target_chooser(
            target, Batch("test", lambda: iter(()), 3, names), len(names) if target == "crane" else 3
        )
