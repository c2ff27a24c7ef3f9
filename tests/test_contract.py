"""What every method owes: finite arrays, the same again, and a user's model, inputs and process unchanged."""

from __future__ import annotations

import copy
import io

import keras
import matplotlib
import numpy as np
import pytest
import tensorflow as tf

from mlflow_interp.core import find_method, method_names
from mlflow_interp.layers import walk
from mlflow_interp.manifest import npz, table_json
from mlflow_interp.options import figure_module

#: Options that keep a method quick enough to run several times; everything else is its default.
QUICK: dict[str, dict[str, object]] = {"caricature": {"steps": 4}}

pytestmark = pytest.mark.parametrize("method", method_names())


def run(method, model, batch):
    return find_method(method)(model, batch, **QUICK.get(method, {}))


def test_arrays_are_finite_plain_and_a_row_an_input(method, tiny_cnn, pixels, batch_of):
    result = run(method, tiny_cnn, batch_of(tiny_cnn, pixels))
    for name, array in result.arrays().items():
        assert type(array) is np.ndarray, name
        assert np.isfinite(array).all(), name
        assert len(array) == len(pixels), name
    with np.load(io.BytesIO(npz(result.arrays())), allow_pickle=False) as saved:
        assert set(saved) == set(result.arrays())


def test_metrics_are_finite_numbers_and_tables_have_a_row_an_input(method, tiny_cnn, pixels, batch_of):
    result = run(method, tiny_cnn, batch_of(tiny_cnn, pixels))
    assert all(isinstance(value, float) and np.isfinite(value) for value in result.metrics().values())
    assert {len(column) for column in result.table().values()} == {len(pixels)}
    table_json(result.table())


def test_the_same_again_is_the_same(method, tiny_cnn, pixels, batch_of):
    first, second = (run(method, tiny_cnn, batch_of(tiny_cnn, pixels)).arrays() for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_figure_and_page_can_be_drawn_twice_alike(method, tiny_cnn, pixels, batch_of):
    from mlflow_interp.figures.style import png

    result, drawing = run(method, tiny_cnn, batch_of(tiny_cnn, pixels)), figure_module(method)
    assert png(drawing.draw(result)) == png(drawing.draw(result))
    assert drawing.page(result) == drawing.page(result)


def test_model_inputs_and_process_stay_as_they_were(method, tiny_cnn, pixels, batch_of):
    tiny_cnn.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    tiny_cnn.layers[0].trainable = False
    before, kept = state(tiny_cnn), pixels.copy()
    keras.utils.set_random_seed(11)
    np.random.seed(11)
    figure_module(method).draw(run(method, tiny_cnn, batch_of(tiny_cnn, pixels)))
    after_draws = draws()
    keras.utils.set_random_seed(11)
    np.random.seed(11)
    assert draws() == after_draws
    np.testing.assert_array_equal(pixels, kept)
    assert_same(before, state(tiny_cnn))


def draws():
    """What the global random generators give next."""
    return (float(np.random.random()), float(tf.random.uniform(())), float(keras.random.uniform(())))


def state(model):
    return {
        "weights": [np.array(weight) for weight in model.weights],
        "trainable": [place.layer.trainable for place in walk(model)],
        "own calls": ["call" in place.layer.__dict__ for place in walk(model)],
        "attributes": [sorted(place.layer.__dict__) for place in walk(model)],
        "compiled": (model.compiled, id(model.optimizer), model.loss, len(model.metrics)),
        "train function": model.train_function,
        "config": copy.deepcopy(model.get_config()),
        "keras": (keras.config.floatx(), keras.config.dtype_policy().name, keras.config.image_data_format()),
        "matplotlib": _matplotlib(),
    }


def _matplotlib():
    # Reading "backend" as an item would choose one.
    settings = {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"}
    return matplotlib.get_backend(auto_select=False), settings


def assert_same(before, after):
    for name in before:
        if name == "weights":
            assert all(map(np.array_equal, before[name], after[name]))
        else:
            assert before[name] == after[name], name
