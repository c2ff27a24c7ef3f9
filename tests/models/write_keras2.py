"""Write models with tf_keras, which is Keras 2, and their predictions: `python write_keras2.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tf_keras as keras

layers = keras.layers


class Scale(layers.Layer):
    """A custom layer that was not registered when it was saved."""

    def __init__(self, factor=2.0, **settings):
        super().__init__(**settings)
        self.factor = factor

    def build(self, shape):
        self.shift = self.add_weight("shift", (shape[-1],))

    def call(self, inputs):
        return self.factor * inputs + self.shift

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


@keras.saving.register_keras_serializable("old")
class RegisteredScale(Scale):
    """The same layer, registered."""


def nested():
    inner = keras.Sequential(
        [
            layers.Conv2D(3, 3, activation="relu", input_shape=(8, 8, 3)),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3),
        ]
    )
    inputs = keras.Input((8, 8, 3))
    features = layers.GlobalAveragePooling2D()(inner(inputs))
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(features))


def mobilenet():
    inputs = keras.Input((32, 32, 3))
    scaled = keras.applications.mobilenet_v2.preprocess_input(inputs)
    base = keras.applications.MobileNetV2(
        weights=None, input_shape=(32, 32, 3), alpha=0.35, include_top=False
    )
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(base(scaled))))


def recurrent():
    return keras.Sequential(
        [
            layers.Embedding(10, 4, input_length=5),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.GRU(2),
            layers.Dense(2, activation="softmax"),
        ]
    )


def several_inputs():
    image, table = keras.Input((6, 6, 1), name="image"), keras.Input((3,), name="table")
    features = layers.Concatenate()([layers.Flatten()(layers.Conv2D(2, 3)(image)), table])
    return keras.Model([image, table], layers.Dense(2)(features))


def normalized():
    normalization = layers.Normalization()
    normalization.adapt(np.random.default_rng(3).normal(5, 2, (50, 4)))
    return keras.Sequential([keras.Input((4,)), normalization, layers.Dense(2)])


def custom():
    return keras.Sequential([keras.Input((4,)), Scale(3.0), layers.Dense(2)])


def registered():
    return keras.Sequential([keras.Input((4,)), RegisteredScale(3.0), layers.Dense(2)])


def main(folder: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    rows = rng.normal(size=(4, 4)).astype(np.float32)
    cases = {
        nested: rng.uniform(-1, 1, (4, 8, 8, 3)).astype(np.float32),
        mobilenet: images,
        recurrent: np.arange(10).reshape(2, 5),
        several_inputs: [images[:, :6, :6, :1], rows[:2, :3]],
        normalized: rows,
        custom: rows,
        registered: rows,
    }
    for build, inputs in cases.items():
        keras.utils.set_random_seed(0)
        model = build()
        for weight in model.trainable_weights:
            weight.assign(weight + rng.uniform(0, 0.1, weight.shape))
        outputs = model.predict(inputs, verbose=0)
        name = build.__name__
        model.save(folder / f"{name}.keras")
        model.save(folder / f"{name}.h5")
        arrays = inputs if isinstance(inputs, list) else [inputs]
        named = dict(zip(("input0", "input1"), arrays, strict=False))
        np.savez(folder / f"{name}.npz", outputs=outputs, **named)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
