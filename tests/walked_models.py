"""Randomly built models of many structures, with inputs, labels, and the expected values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from hypothesis import strategies as st

layers = keras.layers
Array = np.ndarray
COUNT = 9  # inputs of each model


@dataclass(frozen=True, eq=False)
class Body:
    """The part of a model before its head.

    Attributes:
        inputs: Keras tensors, one, or several by name.
        features: the feature maps of the last layer that has positions, one for each run.
        vector: (batch, features), the input of the head, computed from the features.
        arrays: random inputs.
        interpreted: the vector as computed in the interpreted model, if that differs.
    """

    inputs: Any
    features: list[Any]
    vector: Any
    arrays: Any
    interpreted: Any = None


def _random(*shape: int) -> Array:
    return np.random.default_rng(7).normal(size=(COUNT, *shape)).astype(np.float32)


def _image(channels: int, pooling: Any) -> Body:
    image = keras.Input((9, 11, channels), name="image")
    value = layers.Conv2D(4, 3, activation="relu")(image)
    value = layers.BatchNormalization()(layers.MaxPooling2D(2)(value))
    features = layers.Conv2D(5, 2, activation="tanh")(value)
    return Body(image, [features], pooling()(layers.Dropout(0.4)(features)), _random(9, 11, channels))


def _signal() -> Body:
    signal = keras.Input((20, 2), name="signal")
    features = layers.Conv1D(4, 3, activation="relu")(signal)
    return Body(signal, [features], layers.GlobalAveragePooling1D()(features), _random(20, 2))


def _recurrent() -> Body:
    signal = keras.Input((12, 3), name="signal")
    features = layers.GRU(5, return_sequences=True)(signal)
    return Body(signal, [features], layers.Flatten()(features), _random(12, 3))


def _tokens() -> Body:
    tokens = keras.Input((15,), dtype="int32", name="tokens")
    features = layers.Conv1D(4, 3, activation="relu")(layers.Embedding(30, 6)(tokens))
    numbers = np.random.default_rng(8).integers(0, 30, (COUNT, 15)).astype(np.int32)
    return Body(tokens, [features], layers.GlobalMaxPooling1D()(features), numbers)


def _table() -> Body:
    row = keras.Input((6,), name="row")
    return Body(row, [], layers.Dense(5, activation="relu")(row), _random(6))


def _volume() -> Body:
    volume = keras.Input((5, 6, 7, 1), name="volume")
    features = layers.Conv3D(3, 2, activation="relu")(volume)
    return Body(volume, [features], layers.GlobalAveragePooling3D()(features), _random(5, 6, 7, 1))


def _patches() -> Body:
    """A transformer without a class token: 2×3 patches of an image."""
    image = keras.Input((8, 12, 3), name="image")
    tokens = layers.Reshape((6, 8))(layers.Conv2D(8, 4, 4)(image))
    normed = layers.LayerNormalization()(tokens)
    tokens = layers.Add()([tokens, layers.MultiHeadAttention(2, 4)(normed, normed)])
    features = layers.LayerNormalization()(tokens)
    return Body(image, [features], layers.GlobalAveragePooling1D()(features), _random(8, 12, 3))


def _video() -> Body:
    """A convolution applied to each frame, and a recurrent layer over the frames."""
    video = keras.Input((3, 8, 8, 3), name="video")
    convolution = layers.Conv2D(4, 3, activation="tanh")
    pooling, recurrent = layers.GlobalAveragePooling2D(), layers.GRU(5)
    features = [
        convolution(layers.Lambda(lambda value, step=step: value[:, step])(video)) for step in range(3)
    ]
    vector = recurrent(layers.Lambda(tf.stack, arguments={"axis": 1})([pooling(each) for each in features]))
    by_frame = layers.TimeDistributed(pooling)(layers.TimeDistributed(convolution)(video))
    return Body(video, features, vector, _random(3, 8, 8, 3), recurrent(by_frame))


def _shared(inputs: Any, images: list[Any], arrays: Any) -> Body:
    """One convolution for all images."""
    convolution = layers.Conv2D(4, 3, activation="relu")
    features = [convolution(each) for each in images]
    vectors = [layers.GlobalAveragePooling2D()(each) for each in features]
    return Body(inputs, features, layers.Concatenate()(vectors), arrays)


def _pair() -> Body:
    left, right = keras.Input((8, 8, 3), name="left"), keras.Input((8, 8, 3), name="right")
    arrays = {"left": _random(8, 8, 3), "right": _random(8, 8, 3)[::-1].copy()}
    return _shared({"left": left, "right": right}, [left, right], arrays)


def _image_and_table() -> Body:
    image, row = keras.Input((8, 8, 1), name="image"), keras.Input((4,), name="row")
    features = layers.Conv2D(4, 3, activation="relu")(image)
    vector = layers.Concatenate()([layers.GlobalAveragePooling2D()(features), row])
    arrays = {"image": _random(8, 8, 1), "row": _random(4)}
    return Body({"image": image, "row": row}, [features], vector, arrays)


BODIES: dict[str, Callable[[], Body]] = {
    "grey": lambda: _image(1, layers.GlobalAveragePooling2D),
    "colour": lambda: _image(3, layers.Flatten),
    "channels": lambda: _image(5, layers.GlobalMaxPooling2D),
    "signal": _signal,
    "recurrent": _recurrent,
    "tokens": _tokens,
    "table": _table,
    "volume": _volume,
    "patches": _patches,
    "video": _video,
    "pair": _pair,
    "image and table": _image_and_table,
}


@dataclass(frozen=True)
class HeadKind:
    """A head of a model.

    Attributes:
        outputs: the number of its outputs.
        end: what follows its dense layer: activations and layers that only reshape.
        loss: the loss of the training.
        probabilities: the values shown for the logits of its dense layer, (n, outputs) => (n, classes).
        labels: the kind of labels: "class", "classes" (several each) or "value".
    """

    outputs: int
    end: Callable[[Any], Any]
    loss: Any
    probabilities: Callable[[Array], Array]
    labels: str = "class"


def softmax(logits: Array) -> Array:
    """Probabilities of mutually exclusive classes."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def sigmoid(logits: Array) -> Array:
    """Independent probabilities."""
    return 1 / (1 + np.exp(-logits.astype(np.float64)))


def both(logits: Array) -> Array:
    """The probabilities of classes 0 and 1 for one logit."""
    positive = sigmoid(logits)
    return np.concatenate([1 - positive, positive], axis=1)


def _same(logits: Any) -> Any:
    return logits


def _reshaped(activation: str) -> Callable[[Any], Any]:
    def end(logits: Any) -> Any:
        outputs = layers.Activation(activation)(logits)
        return layers.Flatten()(layers.Reshape((1, outputs.shape[-1]))(outputs))

    return end


_LOSSES = keras.losses
HEADS: dict[str, HeadKind] = {
    "softmax": HeadKind(3, layers.Softmax(), "sparse_categorical_crossentropy", softmax),
    "softmax, then reshaped": HeadKind(4, _reshaped("softmax"), "sparse_categorical_crossentropy", softmax),
    "many classes": HeadKind(7, layers.Activation("softmax"), "sparse_categorical_crossentropy", softmax),
    "logits": HeadKind(3, _same, _LOSSES.SparseCategoricalCrossentropy(from_logits=True), softmax),
    "sigmoid": HeadKind(1, layers.Activation("sigmoid"), "binary_crossentropy", both),
    "sigmoid, then reshaped": HeadKind(1, _reshaped("sigmoid"), "binary_crossentropy", both),
    "one logit": HeadKind(1, _same, _LOSSES.BinaryCrossentropy(from_logits=True), both),
    "several labels": HeadKind(4, layers.Activation("sigmoid"), "binary_crossentropy", sigmoid, "classes"),
    "several logits": HeadKind(3, _same, _LOSSES.BinaryCrossentropy(from_logits=True), sigmoid, "classes"),
    "value": HeadKind(1, _same, "mse", _same, "value"),
    "values": HeadKind(3, _same, "mae", _same, "value"),
}

#: The forms of labels of a single class.
LABEL_FORMS = ("integers", "column", "one-hot", "names", "none")


@dataclass(frozen=True, eq=False)
class Walked:
    """A model with inputs and labels.

    Attributes:
        model: compiled with a loss and the accuracy that Keras would use.
        body: see `Body`.
        kind: see `HeadKind`.
        logits: a model from the inputs to the feature maps and the values of the dense layer.
        truth: (n,) classes, (n, classes) zeros and ones, or (n, outputs) values.
        labels: the labels as given; None for none.
        class_names: None for none.
    """

    model: Any
    body: Body
    kind: HeadKind
    logits: Any
    truth: Array
    labels: Any
    class_names: list[str] | None

    @property
    def probabilities(self) -> Array:
        """(n, classes) the expected probabilities, from the values of the dense layer."""
        return self.kind.probabilities(np.asarray(tf.nest.flatten(self.logits(self.body.arrays))[-1]))

    @property
    def predicted(self) -> Array:
        """(n,) the most probable class."""
        return self.probabilities.argmax(axis=1)

    def accuracy(self) -> float:
        """The accuracy of Keras' own `evaluate`."""
        found = self.model.evaluate(self.body.arrays, self._keras_labels(), verbose=0, return_dict=True)
        return float(found["accuracy"])

    def _keras_labels(self) -> Array:
        return self.truth[:, np.newaxis] if self.kind.outputs == 1 else self.truth

    def heatmaps(self, targets: Array) -> Array:
        """Grad-CAM without the ReLU, by Keras' gradients: (n, …), or (n, calls, …)."""
        inputs = tf.nest.map_structure(tf.constant, self.body.arrays)
        with tf.GradientTape() as tape:
            # Watched before the head is applied, because tensors inside a model's own call can't be.
            *features, _ = self.logits(inputs)
            tape.watch(features)
            logits = self._head_of(features, inputs)
            chosen = self._scores(logits, targets)
        maps = [
            _weighted(feature.numpy(), gradient.numpy())
            for feature, gradient in zip(features, tape.gradient(chosen, features), strict=True)
        ]
        return maps[0] if len(maps) == 1 else np.stack(maps, axis=1)

    def gradients(self, targets: Array) -> Array:
        """The gradient of each score with respect to its only input, by Keras."""
        inputs = tf.constant(self.body.arrays)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            scores = self._scores(tf.nest.flatten(self.logits(inputs))[-1], targets)
        return np.asarray(tape.gradient(scores, inputs))

    def _head_of(self, features: list[Any], inputs: Any) -> Any:
        """The values of the dense layer, from feature maps."""
        rest = keras.Model([*self.body.features, *tf.nest.flatten(self.body.inputs)], self.logits.outputs[-1])
        return rest([*features, *tf.nest.flatten(inputs)])

    def _scores(self, logits: Any, targets: Array) -> Any:
        if self.kind.probabilities is both:
            return logits[:, 0] * np.where(targets == 1, 1, -1).astype(np.float32)
        return tf.gather(logits, targets, batch_dims=1)


def _weighted(features: Array, gradients: Array) -> Array:
    space = tuple(range(1, features.ndim - 1))
    return np.asarray((features * gradients.mean(axis=space, keepdims=True)).sum(axis=-1))


@dataclass(frozen=True)
class Recipe:
    """The parts of a model, by name."""

    body: str
    head: str
    seed: int = 0
    style: str = "functional"
    form: str = "integers"


#: All combinations of a body and a head: functional, nested or subclassed, with labels in any form.
RECIPES = st.builds(
    Recipe,
    body=st.sampled_from(sorted(BODIES)),
    head=st.sampled_from(sorted(HEADS)),
    seed=st.integers(0, 50),
    style=st.sampled_from(("functional", "nested", "subclassed")),
    form=st.sampled_from(LABEL_FORMS),
)


def build(recipe: Recipe) -> Walked:
    """A model built from its named parts."""
    seed, form = recipe.seed, recipe.form
    keras.utils.set_random_seed(seed)
    body, kind = BODIES[recipe.body](), HEADS[recipe.head]
    dense = layers.Dense(kind.outputs, kernel_initializer="random_normal", name="values")
    logits = keras.Model(body.inputs, [*body.features, dense(body.vector)])
    interpreted = body.vector if body.interpreted is None else body.interpreted
    functional = keras.Model(body.inputs, kind.end(dense(interpreted)), name="walked")
    _vary(functional, seed)
    model = _styled(functional, body, recipe.style)
    metric = {"class": "accuracy", "classes": "binary_accuracy", "value": "mae"}[kind.labels]
    if kind.probabilities is both and kind.end is _same:
        metric = keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)
    model.compile(loss=kind.loss, metrics=[metric])
    rng = np.random.default_rng(seed)
    classes = max(2, kind.outputs)
    if kind.labels == "value":
        truth = rng.normal(size=(COUNT, kind.outputs)).astype(np.float32)
        return Walked(model, body, kind, logits, truth, None if form == "none" else truth, None)
    if kind.labels == "classes":
        truth = rng.integers(0, 2, (COUNT, classes))
        return Walked(model, body, kind, logits, truth, None if form == "none" else truth, None)
    truth = rng.integers(0, classes, COUNT)
    names = [f"kind {index}" for index in range(classes)]
    labels = {
        "integers": truth,
        "column": truth[:, np.newaxis],
        "one-hot": np.eye(classes)[truth],
        "names": [names[index] for index in truth],
        "none": None,
    }[form]
    return Walked(model, body, kind, logits, truth, labels, names if form == "names" else None)


def _vary(model: Any, seed: int) -> None:
    """Give all weights random values, because biases and statistics are initialised to constants."""
    rng = np.random.default_rng(seed)
    model.set_weights(
        [
            np.abs(each) + rng.uniform(0, 0.5, each.shape)
            if "variance" in path
            else each + rng.normal(0, 0.2, each.shape)
            for each, path in zip(model.get_weights(), [weight.path for weight in model.weights], strict=True)
        ]
    )


class Wrapped(keras.Model):
    """A subclassed model that calls another."""

    def __init__(self, inner: Any) -> None:
        super().__init__(name="wrapped")
        self.inner = inner

    def call(self, inputs: Any) -> Any:
        """The output of the other model."""
        return self.inner(inputs)


def _styled(functional: Any, body: Body, style: str) -> Any:
    if style == "functional":
        return functional
    if style == "nested":
        inputs = tf.nest.map_structure(
            lambda each: keras.Input(each.shape[1:], dtype=each.dtype, name=each.name), body.inputs
        )
        return keras.Model(inputs, functional(inputs), name="nest")
    model = Wrapped(functional)
    model(tf.nest.map_structure(lambda array: array[:1], body.arrays))
    return model
