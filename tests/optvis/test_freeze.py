"""Frozen weights give the same gradients, from a graph without variables."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from mlflow_interp.optvis import freeze
from mlflow_interp.optvis.freeze import frozen

layers = keras.layers


@pytest.fixture
def model():
    """A convolution and a BatchNorm with non-trivial statistics."""
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.ReLU(6),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    norm = network.layers[1]
    norm.set_weights(
        [np.array(values, np.float32) for values in ([1, 2, 3, 4], [0, 1, 0, 1], [1, 0, 1, 0], [4, 3, 2, 1])]
    )
    return network


def gradient_of(model, *, freezing):
    def gradient(inputs):
        if freezing:
            with frozen(model):
                outputs = model(inputs, training=False)
        else:
            outputs = model(inputs, training=False)
        return tf.gradients(outputs, inputs)[0]

    return tf.function(gradient, autograph=False).get_concrete_function(tf.TensorSpec([None, 8, 8, 3]))


def test_gradients_are_equal_and_no_variable_is_read(model):
    inputs = tf.constant(np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32))
    bare, constant = gradient_of(model, freezing=False), gradient_of(model, freezing=True)
    np.testing.assert_allclose(constant(inputs), bare(inputs), rtol=1e-4, atol=1e-6)
    reads = [{operation.type for operation in each.graph.get_operations()} for each in (bare, constant)]
    assert ["ReadVariableOp" in types for types in reads] == [True, False]


def test_model_is_unchanged(model):
    before = model.get_weights()
    gradient_of(model, freezing=True)
    for was, value in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(was, value)
    model.set_weights([2 * value for value in before])
    assert np.abs(model(np.ones((1, 8, 8, 3), np.float32))).max() > 0


def test_large_weights_are_not_copied(model, monkeypatch):
    monkeypatch.setattr(freeze, "MOST_FROZEN", 100)
    large = gradient_of(model, freezing=True)
    assert "ReadVariableOp" in {operation.type for operation in large.graph.get_operations()}
