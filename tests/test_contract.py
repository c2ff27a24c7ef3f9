"""What every method owes: finite arrays, the same again, and a user's model, inputs and process unchanged."""

from __future__ import annotations

import copy
import io

import keras
import matplotlib
import numpy as np
import pytest
import tensorflow as tf

from mlflow_interp.backend.layer_tree import walk
from mlflow_interp.core.result import HasTables
from mlflow_interp.method_registry import find_method, kind_of, method_names
from mlflow_interp.report.formats import npz, table_json

#: Options that keep a method quick enough to run several times; everything else is its default.
QUICK: dict[str, dict[str, object]] = {"caricature": {"steps": 4}}

pytestmark = pytest.mark.parametrize("method", method_names())


LABELS = [0, 1, 2, 1, 0]


@pytest.fixture
def labelled(batch_of, pixels):
    """A function of a model that makes a batch of the pixels and their labels."""
    return lambda model: batch_of(model, pixels, labels=LABELS)


def run(method, model, batch):
    return find_method(method)(model, batch, **QUICK.get(method, {}))


def per_input(result):
    """Whether a result has a row an input, which its table shows by naming the inputs."""
    return "input" in result.table()


def test_arrays_are_finite_and_plain_and_those_of_inputs_have_a_row_an_input(
    method, tiny_cnn, pixels, labelled
):
    result = run(method, tiny_cnn, labelled(tiny_cnn))
    for name, array in result.arrays().items():
        assert type(array) is np.ndarray, name
        assert np.isfinite(array).all(), name
        assert len(array) == len(pixels) or not per_input(result), name
    with np.load(io.BytesIO(npz(result.arrays())), allow_pickle=False) as saved:
        assert set(saved) == set(result.arrays())


def test_metrics_are_finite_numbers_and_tables_are_tables(method, tiny_cnn, pixels, labelled):
    result = run(method, tiny_cnn, labelled(tiny_cnn))
    assert all(isinstance(value, float) and np.isfinite(value) for value in result.metrics().values())
    tables = {"predictions.json": result.table()} | (result.tables() if isinstance(result, HasTables) else {})
    for name, table in tables.items():
        (rows,) = {len(column) for column in table.values()}
        assert rows, name
        table_json(table)
    assert len(next(iter(result.table().values()))) == len(pixels) or not per_input(result)


def test_the_same_again_is_the_same(method, tiny_cnn, labelled):
    first, second = (run(method, tiny_cnn, labelled(tiny_cnn)).arrays() for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_figure_and_page_can_be_drawn_twice_alike(method, tiny_cnn, labelled):
    from mlflow_interp.drawing.style import png

    result, drawing = run(method, tiny_cnn, labelled(tiny_cnn)), kind_of(method)
    assert png(drawing.draw(result)) == png(drawing.draw(result))
    assert drawing.page(result) == drawing.page(result)


def test_model_inputs_and_process_stay_as_they_were(method, tiny_cnn, pixels, labelled):
    tiny_cnn.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    tiny_cnn.layers[0].trainable = False
    before, kept = state(tiny_cnn), pixels.copy()
    keras.utils.set_random_seed(11)
    np.random.seed(11)
    kind_of(method).draw(run(method, tiny_cnn, labelled(tiny_cnn)))
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
