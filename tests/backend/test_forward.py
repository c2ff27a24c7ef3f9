"""Tapping layers, whichever method Keras runs them by; errors say why a model can't be run."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest

from mlflow_interp.backend.compile import compile_for
from mlflow_interp.backend.forward import forward
from mlflow_interp.engine.layer_table import describe_layers
from mlflow_interp.exceptions import ModelError
from tests.running import run_method

layers = keras.layers
INPUTS = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)


def dense_model(mode=None):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(5, activation="relu", name="first"),
            layers.Dense(4, activation="relu", name="last"),
            layers.Dense(3, activation="softmax", name="head"),
        ],
        name="dense",
    )
    if mode is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an input layer can't be quantized
            model.quantize(mode)
    return model


@pytest.mark.parametrize("mode", ["int8", "float8"])
def test_quantized_layers_are_tapped(mode):
    model = dense_model(mode)

    def tapped(inputs):
        passed = forward(model, inputs)
        return {name: passed.tapped[name] for name in ("first", "last", "head")}

    found = compile_for(tapped, INPUTS)(INPUTS)
    for name in found:
        expected = keras.Model(model.inputs, model.get_layer(name).output).predict(INPUTS, verbose=0)
        np.testing.assert_allclose(found[name], expected, atol=1e-5, err_msg=name)


def test_quantization_keeps_the_layers_and_the_default_layer(batch_of):
    """UMAP uses the last layer before the head of either model, with nearly the same activations."""
    plain, quantized = dense_model(), dense_model("int8")
    rows = {model: [row[1] for row in describe_layers(model)[1:]] for model in (plain, quantized)}
    assert rows[plain] == rows[quantized]
    usable = [row[4] for row in describe_layers(quantized)[1:4]]
    assert all("umap" in methods for methods in usable)
    results = [run_method("umap", model, batch_of(model, INPUTS)) for model in (plain, quantized)]
    assert [result.layers for result in results] == [("last",), ("last",)]


def test_tapping_leaves_the_layer_unchanged():
    model = dense_model("int8")
    compile_for(lambda inputs: forward(model, inputs).outputs, INPUTS)
    assert not any({"call", "quantized_call"} & set(vars(layer)) for layer in model.layers)


def test_error_gives_the_reason_without_the_location():
    class Refusing(layers.Layer):
        def call(self, inputs):
            raise ValueError("the moon is in the wrong phase")

        def compute_output_shape(self, shape):
            return shape

    model = keras.Sequential([Refusing(name="refusing")])
    with pytest.raises(ModelError, match=r"can't take inputs of shape .*: the moon is in the wrong phase"):
        compile_for(lambda inputs: forward(model, inputs).outputs, INPUTS)
