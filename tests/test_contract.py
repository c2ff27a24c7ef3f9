"""Requirements of every method.

Finite arrays, reproducible results, parts that merge to the whole; model, inputs and process stay unchanged.
"""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys
from dataclasses import replace
from functools import partial

import keras
import matplotlib
import numpy as np
import pytest
import tensorflow as tf

from examples.planted_patch import vision_transformer
from mlflow_interp.backend.layer_tree import walk
from mlflow_interp.core.result import HasTables
from mlflow_interp.engine import run as engine
from mlflow_interp.engine.requirements import requirements_of
from mlflow_interp.method_registry import find_method, kind_of, method_names
from mlflow_interp.report.formats import npz, table_json
from tests.running import run_method

#: Options that make a method fast enough to run several times; all others are defaults.
QUICK: dict[str, dict[str, object]] = {
    "caricature": {"ascent_steps": 4},
    "feature_visualization": {"ascent_steps": 4},
    "rise": {"random_masks": 50},
}

pytestmark = pytest.mark.parametrize("method", method_names())


LABELS = [0, 1, 2, 1, 0]


@pytest.fixture
def tiny_model(method, request):
    """A network that the method applies to, from 8×8 RGB to 3 classes."""
    if "attention" not in requirements_of(method):
        return request.getfixturevalue("tiny_cnn")
    keras.utils.set_random_seed(7)
    return vision_transformer((8, 8), patch=2, dim=4, classes=3)


@pytest.fixture
def labelled(batch_of, pixels):
    """A function of a model that returns a batch of the pixels and their labels."""
    return lambda model: batch_of(model, pixels, labels=LABELS)


def run(method, model, batch):
    return run_method(method, model, batch, **QUICK.get(method, {}))


#: Arrays that have a row for each epoch instead.
OF_EPOCHS = {"epochs", "class_right", "class_totals"}


def per_input(result):
    """Whether a result has one row per input: its table then names the inputs."""
    return "input" in result.table()


def test_arrays_are_finite_and_have_one_row_per_input(method, tiny_model, pixels, labelled):
    result = run(method, tiny_model, labelled(tiny_model))
    for name, array in result.arrays().items():
        assert type(array) is np.ndarray, name
        assert np.isfinite(array).all(), name
        assert len(array) == len(pixels) or not per_input(result) or name in OF_EPOCHS, name
    with np.load(io.BytesIO(npz(result.arrays())), allow_pickle=False) as saved:
        assert set(saved) == set(result.arrays())


def test_metrics_are_finite_numbers_and_tables_are_tables(method, tiny_model, pixels, labelled):
    result = run(method, tiny_model, labelled(tiny_model))
    assert all(isinstance(value, float) and np.isfinite(value) for value in result.metrics().values())
    tables = {"predictions.json": result.table()} | (result.tables() if isinstance(result, HasTables) else {})
    for name, table in tables.items():
        (rows,) = {len(column) for column in table.values()}
        assert rows, name
        table_json(table)
    assert len(next(iter(result.table().values()))) == len(pixels) or not per_input(result)


def test_results_are_reproducible(method, tiny_model, labelled):
    first, second = (run(method, tiny_model, labelled(tiny_model)).arrays() for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_figure_and_page_are_reproducible(method, tiny_model, labelled):
    from mlflow_interp.drawing.style import png

    result, drawing = run(method, tiny_model, labelled(tiny_model)), kind_of(method)
    assert png(drawing.draw(result)) == png(drawing.draw(result))
    assert drawing.page(result) == drawing.page(result)


def test_model_inputs_and_process_are_unchanged(method, tiny_model, pixels, labelled):
    tiny_model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    tiny_model.layers[0].trainable = False
    before, kept = state(tiny_model), pixels.copy()
    keras.utils.set_random_seed(11)
    np.random.seed(11)
    kind_of(method).draw(run(method, tiny_model, labelled(tiny_model)))
    after_draws = draws()
    keras.utils.set_random_seed(11)
    np.random.seed(11)
    assert draws() == after_draws
    np.testing.assert_array_equal(pixels, kept)
    assert_same(before, state(tiny_model))


@pytest.fixture(scope="module")
def parts_of(request):
    """A function of a method that returns the part of each chunk of twelve inputs, pickled, and the whole.

    The parts are computed once for each method.
    """
    cache: dict[str, tuple[list[bytes], object]] = {}

    def parts(method, model, batch):
        if method not in cache:
            chunks = list(batch.chunks())
            cut = [replace(batch, read=partial(iter, [chunk])) for chunk in chunks]
            cache[method] = (
                [pickle.dumps(part(method, model, each)) for each in cut],
                part(method, model, batch),
            )
        return cache[method]

    return parts


def part(method, model, batch):
    found = engine.run(model, batch, {method: find_method(method)(model, batch, **QUICK.get(method, {}))})
    assert not found.errors
    return found.parts[method]


@pytest.fixture
def twelve(batch_of):
    """A function of a model that returns a batch of twelve labelled inputs, in chunks of three."""
    inputs = np.random.default_rng(4).random((12, 8, 8, 3), np.float32)
    return lambda model, **options: batch_of(
        model, inputs, labels=np.arange(12) % 3, **{"batch_size": 3} | options
    )


ORDERS = [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]]
GROUPINGS = {
    "one by one": lambda a, b, c, d: merged(merged(merged(a, b), c), d),
    "the rest first": lambda a, b, c, d: merged(a, merged(b, merged(c, d))),
    "in pairs": lambda a, b, c, d: merged(merged(a, b), merged(c, d)),
}


def merged(one, other):
    one.merge(other)
    return pickle.loads(pickle.dumps(one))


@pytest.mark.parametrize(("order", "grouping"), zip(ORDERS, GROUPINGS, strict=True))
def test_parts_merge_to_the_whole_in_any_order_and_grouping(
    method, tiny_model, twelve, parts_of, order, grouping
):
    pickled, whole = parts_of(method, tiny_model, twelve(tiny_model))
    parts = [pickle.loads(pickled[index]) for index in order]
    assert_equal_results(GROUPINGS[grouping](*parts).result(), whole.result())


def test_results_do_not_depend_on_batch_size(method, tiny_model, twelve):
    """For a layout, only its activations are compared: rounding moves its points."""
    results = [part(method, tiny_model, twelve(tiny_model, batch_size=size)).result() for size in (3, 5, 12)]
    for other in results[1:]:
        assert_equal_results(other, results[0], but=LAYOUT)


LAYOUT = {"embeddings"}


def assert_equal_results(result, expected, *, but=()):
    assert result.table().keys() == expected.table().keys()
    assert result.metrics().keys() == expected.metrics().keys()
    assert result.arrays().keys() == expected.arrays().keys()
    for name, array in expected.arrays().items():
        if array.dtype.kind in "iub":
            np.testing.assert_array_equal(result.arrays()[name], array, err_msg=name)
        elif name not in but:
            np.testing.assert_allclose(result.arrays()[name], array, rtol=1e-3, atol=1e-4, err_msg=name)
    examples = result.examples, expected.examples
    assert examples[0].names == examples[1].names
    for name in ("images", "thumbnails", "shown"):
        one, other = (getattr(each, name) for each in examples)
        assert (one is None) == (other is None)
        assert one is None or np.array_equal(one, other), name


def test_results_can_be_pickled(method, tiny_model, labelled):
    result = run(method, tiny_model, labelled(tiny_model))
    assert_equal_results(pickle.loads(pickle.dumps(result)), result)


def test_importing_a_method_imports_neither_tensorflow_nor_keras(method):
    code = (
        f"import mlflow_interp.methods.{method}, mlflow_interp.engine.run, sys; "
        f"from mlflow_interp.method_registry import kind_of; kind_of({method!r}); "
        "print([name for name in ('tensorflow', 'keras') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def draws():
    """The next values of the global random generators."""
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
    # Reading "backend" as an item would select one.
    settings = {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"}
    return matplotlib.get_backend(auto_select=False), settings


def assert_same(before, after):
    for name in before:
        if name == "weights":
            assert all(map(np.array_equal, before[name], after[name]))
        else:
            assert before[name] == after[name], name
