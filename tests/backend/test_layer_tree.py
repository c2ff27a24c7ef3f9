"""Finding and tapping layers in models built in any way."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from mlflow_interp.backend.compile import compile_for
from mlflow_interp.backend.forward import forward
from mlflow_interp.backend.layer_tree import find_layer, is_channels_first, walk
from mlflow_interp.exceptions import ModelError, OptionError

layers = keras.layers


@pytest.fixture(scope="module")
def nested():
    body = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(2, 3, name="conv"), layers.ReLU(name="relu")], name="body"
    )
    inputs = keras.Input((8, 8, 1), name="pixels")
    return keras.Model(
        inputs, layers.Dense(2, name="head")(layers.Flatten(name="flat")(body(inputs))), name="outer"
    )


def test_walk_lists_every_layer_once_with_path_and_index(nested):
    assert [(place.index, place.path) for place in walk(nested)] == [
        ("0", "pixels"),
        ("1", "body"),
        ("1/0", "body/conv"),
        ("1/1", "body/relu"),
        ("2", "flat"),
        ("3", "head"),
    ]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        (0, "pixels"), (-1, "head"), ("3", "head"), ("body/conv", "body/conv"), ("conv", "body/conv"),
        ("1/0", "body/conv"), ("body/-1", "body/relu"), ("-3/relu", "body/relu"), ("body", "body"),
    ],
)  # fmt: skip
def test_find_layer(nested, given, path):
    assert find_layer(nested, given).path == path


@pytest.mark.parametrize("given", [4, -5, "body/flat", "conve/relu", "", "/", "body/", "１"])
def test_find_layer_rejects_unknown_layers(nested, given):
    with pytest.raises(OptionError, match="no layer"):
        find_layer(nested, given)


def test_ambiguous_name_requires_an_index():
    class SameNames(keras.Model):
        def __init__(self):
            super().__init__()
            self.one, self.two = layers.Dense(2, name="same"), layers.Dense(2, name="same")

    with pytest.raises(OptionError, match="ambiguous: 2 layers have this name; use an index: 0, 1"):
        find_layer(SameNames(), "same")


def test_taps_return_layer_outputs_and_leave_no_trace(nested):
    values = np.random.default_rng(0).random((3, 8, 8, 1), dtype=np.float32)
    before = {place.path: dict(place.layer.__dict__) for place in walk(nested)}

    def taps(inputs):
        return forward(nested, inputs).tapped

    found = compile_for(taps, values)(values)
    body = nested.get_layer("body")
    np.testing.assert_allclose(found["body/conv"], body.layers[0](values), atol=1e-6)
    np.testing.assert_allclose(found["body"], body(values), atol=1e-6)
    np.testing.assert_allclose(found["head"], nested(values), atol=1e-6)
    assert list(found) == sorted(
        found, key=["pixels", "body/conv", "body/relu", "body", "flat", "head"].index
    )
    assert {place.path: dict(place.layer.__dict__) for place in walk(nested)} == before


def test_taps_are_removed_when_the_forward_pass_fails(nested):
    with pytest.raises(ModelError, match="can't take inputs of shape"):
        compile_for(lambda inputs: forward(nested, inputs).outputs, np.zeros((1, 5, 5, 7), np.float32))
    assert all("call" not in place.layer.__dict__ for place in walk(nested))


def test_custom_call_is_restored():
    layer = layers.Dense(2, name="dense")
    model = keras.Sequential([keras.Input((3,)), layer])
    own = layer.call
    object.__setattr__(layer, "call", own)
    compile_for(lambda inputs: forward(model, inputs).outputs, np.zeros((1, 3), np.float32))
    assert layer.__dict__["call"] is own


def test_recurrent_layers_are_tapped_from_outside():
    """Outputs of a recurrent cell belong to the graph of the loop and must not leak out of it."""
    model = keras.Sequential([keras.Input((5, 3)), layers.LSTM(4, name="lstm"), layers.Dense(2, name="head")])
    values = np.random.default_rng(0).random((2, 5, 3), dtype=np.float32)
    found = compile_for(lambda inputs: forward(model, inputs).tapped, values)(values)
    assert set(found) == {"lstm", "head"}
    np.testing.assert_allclose(found["lstm"], model.layers[0](values), atol=1e-6)


def test_layers_with_several_outputs_are_rejected(nested):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, [layers.Dense(1)(inputs), layers.Dense(2)(inputs)], name="two")
    with pytest.raises(ModelError, match="'two' has 2 outputs"):
        compile_for(lambda values: forward(model, values).outputs, np.zeros((1, 4), np.float32))


def test_two_threads_can_tap_one_model(nested):
    import concurrent.futures

    values = np.random.default_rng(0).random((2, 8, 8, 1), dtype=np.float32)

    def trace(_):
        return compile_for(lambda inputs: forward(nested, inputs).tapped["body/relu"], values)(values).numpy()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = list(pool.map(trace, range(8)))
    assert all(np.array_equal(found[0], each) for each in found)
    assert all("call" not in place.layer.__dict__ for place in walk(nested))


def test_channels_first_is_recognised_from_the_layers(nested):
    first = keras.Sequential([keras.Input((1, 8, 8)), layers.Conv2D(2, 3, data_format="channels_first")])
    assert is_channels_first(first)
    assert not is_channels_first(nested)
