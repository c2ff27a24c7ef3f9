"""Logits, probabilities and targets for every kind of head."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_interp.backend.bounds import bounds_of
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
    """The same head fused into a dense layer, as a separate layer, and written as arithmetic."""
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
def test_all_forms_of_a_head_give_the_same_logits(units, activation, head):
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


def test_linear_head_is_treated_as_logits():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    scores, probabilities, head = read(model)
    assert head == "linear"
    np.testing.assert_allclose(scores, model.predict(VALUES, verbose=0), atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_single_linear_output_is_unchanged():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    scores, values, head = read(model)
    assert head == "values"
    np.testing.assert_allclose(scores, values)
    np.testing.assert_allclose(values, model.predict(VALUES, verbose=0), atol=1e-6)


def test_swish_is_not_treated_as_a_head():
    """Swish multiplies by a sigmoid; the input of that sigmoid is not the score."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="swish")])
    scores, _, head = read(model)
    assert head == "linear"
    np.testing.assert_allclose(scores, model.predict(VALUES, verbose=0), atol=1e-6)


def test_class_map_is_averaged_over_space():
    values = np.random.default_rng(1).random((2, 5, 5, 1), dtype=np.float32)
    model = keras.Sequential([keras.Input((5, 5, 1)), layers.Conv2D(3, 1, activation="softmax")])
    kernel, bias = model.get_weights()
    scores, _, head = read(model, values)
    assert head == "softmax"
    np.testing.assert_allclose(scores, (values @ kernel[0, 0] + bias).mean(axis=(1, 2)), atol=1e-6)


def channels_first(*head):
    """Three classes at each of 5×4 positions, in a channels-first model."""
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
def test_channels_first_class_map_is_averaged_over_space(head, kind):
    values = np.random.default_rng(1).random((2, 2, 5, 4), dtype=np.float32)
    model = channels_first(*head)
    kernel, bias = model.get_layer("conv").get_weights()
    logits = np.einsum("nchw,ck->nkhw", values, kernel[0, 0]) + bias[:, np.newaxis, np.newaxis]
    scores, probabilities, found = read(model, values)
    assert found == kind
    assert probabilities.shape == (2, 3)
    np.testing.assert_allclose(scores, logits.mean(axis=(2, 3)), atol=1e-6)


def test_channels_first_map_of_one_class_is_binary():
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


def test_targets_stay_with_their_inputs_across_chunks_and_gaps():
    batch = Batch("test", lambda: iter(()), None)
    choose = target_chooser([0, 1, 2, 0, 1], batch, 3)
    assert choose(chunk((-1, -1), start=3)).tolist() == [0, 1]
    with pytest.raises(OptionError, match="has only 5 classes"):
        choose(chunk((-1, -1), start=4))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (3, "out of range: the model has classes 0–2"),
        ("9", "target 9 is out of range"),
        ("be", "no class is named 'be'; nearest: bee"),
        ("crane", "2 classes are named 'crane'; give an index: 2, 3"),
        ([], "has 0 classes for 3 inputs"),
        (1.5, "no class is named 1.5"),
    ],
)
def test_invalid_targets_are_rejected(target, message):
    names = ("ant", "bee", "cat") if target != "crane" else ("ant", "bee", "crane", "crane")
    with pytest.raises(OptionError, match=message):
        target_chooser(
            target, Batch("test", lambda: iter(()), 3, names), len(names) if target == "crane" else 3
        )


# Outputs that are probabilities although the model does not end in a softmax or sigmoid.


def softmax(units=3):
    return layers.Dense(units, activation="softmax")


def vector(build):
    inputs = keras.Input((4,))
    return keras.Model(inputs, build(inputs))


def image(build, *head):
    inputs = keras.Input((5, 5, 1))
    features = layers.Conv2D(3, 5, **build)(inputs)
    return keras.Model(inputs, keras.Sequential(head)(features) if head else features)


DISTRIBUTIONS = {
    "the mean of two models": lambda x: layers.Average()([softmax()(x), softmax()(x)]),
    "a weighted mean": lambda x: 0.3 * softmax()(x) + 0.7 * softmax()(x),
    "a sum of halves": lambda x: softmax()(x) / 2 + softmax()(x) * 0.5,
    "shares of what is not negative": lambda x: (
        (y := layers.Dense(3, activation="softplus")(x)) / keras.ops.sum(y, axis=-1, keepdims=True)
    ),
    "a softmax by hand": lambda x: (
        (y := keras.ops.exp(layers.Dense(3)(x))) / keras.ops.sum(y, axis=-1, keepdims=True)
    ),
    "the mean of a sequence": lambda x: keras.ops.mean(softmax()(layers.Reshape((2, 2))(x)), axis=1),
}


@pytest.mark.parametrize("build", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
def test_distributions_are_unchanged(build):
    """Applying a softmax would turn 0.99 into 0.73."""
    model = vector(build)
    scores, probabilities, head = read(model)
    given = model.predict(VALUES, verbose=0)
    np.testing.assert_allclose(given.sum(axis=1), 1, atol=1e-5)
    assert head == "probabilities"
    np.testing.assert_allclose(probabilities, given, atol=1e-6)
    np.testing.assert_allclose(scores, np.log(given), atol=1e-4)


def test_confident_mean_keeps_its_probability():
    """The mean of two models that agree: 0.993 stays 0.993."""
    model = vector(lambda x: layers.Average()([softmax(2)(x), softmax(2)(x)]))
    for layer in model.layers[1:3]:
        layer.set_weights([np.zeros((4, 2)), np.array([5.0, 0.0])])
    _, probabilities, _ = read(model)
    np.testing.assert_allclose(probabilities[:, 0], 1 / (1 + np.exp(-5)), atol=1e-6)


INDEPENDENT = {
    "the mean of sigmoids": lambda x: layers.Average()([layers.Dense(3, activation="sigmoid")(x)] * 2),
    "a hard sigmoid": lambda x: layers.Dense(3, activation="hard_sigmoid")(x),
    "clipped": lambda x: keras.ops.clip(layers.Dense(3)(x), 0, 1),
    "a sigmoid and its rest": lambda x: layers.Concatenate()(
        [1 - (y := layers.Dense(1, activation="sigmoid")(x)), y]
    ),
    "a product": lambda x: layers.Multiply()([softmax()(x), layers.Dense(3, activation="sigmoid")(x)]),
}


@pytest.mark.parametrize("build", INDEPENDENT.values(), ids=INDEPENDENT)
def test_independent_probabilities_are_unchanged(build):
    model = vector(build)
    scores, probabilities, head = read(model)
    given = model.predict(VALUES, verbose=0)
    assert head == "sigmoid"
    np.testing.assert_allclose(probabilities, given, atol=1e-6)
    inside = (given > 0.01) & (given < 0.99)
    expected = np.log(given[inside] / (1 - given[inside]))
    np.testing.assert_allclose(scores[inside], expected, atol=1e-4)


@pytest.mark.parametrize("mean", [False, True])
def test_single_probability_belongs_to_the_second_class(mean):
    def build(x):
        first = layers.Dense(1, activation="sigmoid")(x)
        return layers.Average()([first, layers.Dense(1, activation="sigmoid")(x)]) if mean else first

    model = vector(lambda x: keras.ops.squeeze(build(x), -1))
    scores, probabilities, head = read(model)
    given = model.predict(VALUES, verbose=0).reshape(-1)
    assert head == "binary"
    np.testing.assert_allclose(probabilities, np.stack([1 - given, given], axis=1), atol=1e-6)
    np.testing.assert_allclose(scores[:, 1], np.log(given / (1 - given)), atol=1e-4)


NO_PROBABILITIES = {
    "a sum of two softmaxes": lambda x: layers.Add()([softmax()(x), softmax()(x)]),
    "a difference": lambda x: softmax()(x) - softmax()(x),
    "a scaled sigmoid": lambda x: 2 * layers.Dense(3, activation="sigmoid")(x),
    "shares of what may be negative": lambda x: (
        (y := layers.Dense(3)(x)) / keras.ops.sum(y, axis=-1, keepdims=True)
    ),
}


@pytest.mark.parametrize("build", NO_PROBABILITIES.values(), ids=NO_PROBABILITIES)
def test_output_not_known_to_be_a_probability_stays_a_score(build):
    model = vector(build)
    scores, _, head = read(model)
    assert head == "linear"
    np.testing.assert_allclose(scores, model.predict(VALUES, verbose=0), atol=1e-5)


IMAGES = np.random.default_rng(3).random((4, 5, 5, 1), dtype=np.float32)


@pytest.mark.parametrize("head", [layers.Flatten(), layers.Reshape((3,)), layers.GlobalMaxPooling2D()])
@pytest.mark.parametrize(("activation", "kind"), [("softmax", "softmax"), ("sigmoid", "sigmoid")])
def test_fully_convolutional_head_is_recognised_through_reshaping(head, activation, kind):
    model = image({"activation": activation}, head.__class__.from_config(head.get_config()))
    scores, probabilities, found = read(model, IMAGES)
    np.testing.assert_allclose(probabilities, model.predict(IMAGES, verbose=0), atol=1e-6)
    if not isinstance(head, layers.GlobalMaxPooling2D):
        assert found == kind
        kernel, bias = model.get_weights()
        np.testing.assert_allclose(scores, np.einsum("nhwc,hwck->nk", IMAGES, kernel) + bias, atol=1e-5)


@pytest.mark.parametrize(("activation", "kind"), [("softmax", "softmax"), ("sigmoid", "sigmoid")])
def test_head_is_recognised_through_several_reshaping_layers(activation, kind):
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(6, activation=activation), layers.Reshape((1, 6)), layers.Flatten()]
    )
    scores, _, found = read(model, np.eye(4, dtype=np.float32))
    kernel, bias = model.get_weights()
    assert found == kind
    np.testing.assert_allclose(scores, kernel + bias, atol=1e-5)


def test_class_map_averaged_by_the_model_is_the_mean():
    inputs = keras.Input((5, 5, 1))
    maps = layers.Conv2D(3, 1, activation="softmax")(inputs)
    model = keras.Model(inputs, layers.GlobalAveragePooling2D()(maps))
    _, probabilities, head = read(model, IMAGES)
    assert head == "probabilities"
    np.testing.assert_allclose(probabilities, model.predict(IMAGES, verbose=0), atol=1e-6)


# Bounds that follow from the construction of the model.

LEAVES = st.sampled_from(["softmax", "sigmoid", "relu", "linear"])
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["add", "subtract", "multiply", "maximum", "minimum"]), inner, inner),
        st.tuples(st.sampled_from(["scale", "divide", "shift", "from"]), inner, st.floats(-3, 3)),
    ),
    max_leaves=5,
)


APPLIED = {
    "softmax": tf.nn.softmax,
    "sigmoid": tf.sigmoid,
    "relu": tf.nn.relu,
    "linear": tf.identity,
    "add": tf.add,
    "subtract": tf.subtract,
    "multiply": tf.multiply,
    "maximum": tf.maximum,
    "minimum": tf.minimum,
    "scale": tf.multiply,
    "divide": tf.divide,
    "shift": tf.add,
    "from": lambda values, number: number - values,
}


def evaluate(tree, values):
    if isinstance(tree, str):
        return APPLIED[tree](values)
    name, first, second = tree
    if isinstance(second, float):
        return APPLIED[name](evaluate(first, values), second if abs(second) > 0.01 else 1.0)
    return APPLIED[name](evaluate(first, values), evaluate(second, values))


@settings(max_examples=60, deadline=None)
@given(tree=TREES)
def test_values_are_within_bounds_and_have_the_known_sum(tree):
    found = []

    @tf.function
    def function(values):
        result = evaluate(tree, values)
        found.append(bounds_of(result))
        return result

    results = function(tf.constant(3 * VALUES)).numpy()
    (bounds,) = found
    assert (results >= bounds.low - 1e-4).all()
    assert (results <= bounds.high + 1e-4).all()
    if bounds.total is not None:
        np.testing.assert_allclose(results.sum(axis=-1), bounds.total, atol=1e-3)
