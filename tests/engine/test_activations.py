"""Activations equal the layers' outputs; the cache returns them for the same model and inputs only."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from mlflow_interp.backend.compile import compile_for
from mlflow_interp.backend.fingerprint import graph_digest
from mlflow_interp.core.examples import Examples
from mlflow_interp.engine import model_pass
from mlflow_interp.engine.growing_array import GrowingArray
from mlflow_interp.engine.row_store import RowStore
from mlflow_interp.engine.run import run
from mlflow_interp.exceptions import InputsError, ModelError, OptionError
from mlflow_interp.methods.umap import umap

layers = keras.layers


@pytest.fixture
def runs(monkeypatch):
    """The number of chunks that the model was run on, one element per call."""
    counted = []

    class Counting:
        def __init__(self, function):
            self.function = function
            counted.append(0)

        def __call__(self, *args):
            counted[-1] += 1
            return self.function(*args)

        def __getattr__(self, name):
            return getattr(self.function, name)

    monkeypatch.setattr(model_pass, "compile_for", lambda *args: Counting(compile_for(*args)))
    return counted


class Found(NamedTuple):
    """Result of a pass: the examples, and whether everything was read from the cache."""

    examples: Examples
    reused: bool


def collect(model, batch, asked=None, pooling="mean", cache=None):
    method = umap(model, batch, layers=asked, pooling=pooling, cache=cache)
    found = run(model, batch, {"umap": method})
    for error in found.errors.values():
        raise error
    part = found.parts["umap"]
    rows = {path: np.array(values) for path, values in part.accumulator._activations.rows().items()}
    return rows, Found(part.examples.result(), method._cache is not None and method._cache.is_complete)


def truncated(model, name, inputs):
    return keras.Model(model.inputs, model.get_layer(name).output).predict(inputs, verbose=0)


def test_activations_equal_predictions_of_a_truncated_model(tiny_cnn, pixels, batch_of):
    rows, found = collect(tiny_cnn, batch_of(tiny_cnn, pixels, batch_size=2), ["pool", "head"])
    assert list(rows) == ["pool", "head"]
    for name, values in rows.items():
        np.testing.assert_allclose(values, truncated(tiny_cnn, name, pixels), atol=1e-6)
        assert values.dtype == np.float32
    np.testing.assert_allclose(
        found.examples.probabilities, -np.sort(-tiny_cnn.predict(pixels, verbose=0), axis=1), atol=1e-6
    )
    assert len(found.examples.thumbnails) == 5
    assert not found.reused


def test_default_is_the_layer_before_the_head(tiny_cnn, pixels, batch_of):
    assert list(collect(tiny_cnn, batch_of(tiny_cnn, pixels))[0]) == ["pool"]


@pytest.mark.parametrize(
    ("pooling", "pooled"),
    [
        ("mean", lambda maps: maps.mean(axis=(1, 2))),
        ("max", lambda maps: maps.max(axis=(1, 2))),
        ("flatten", lambda maps: maps.reshape(len(maps), -1)),
    ],
)
def test_feature_maps_are_pooled(tiny_cnn, pixels, batch_of, pooling, pooled):
    rows, _ = collect(tiny_cnn, batch_of(tiny_cnn, pixels), "second,input", pooling)
    np.testing.assert_allclose(rows["second"], pooled(truncated(tiny_cnn, "second", pixels)), atol=1e-6)
    np.testing.assert_allclose(rows["input"], pooled(pixels), atol=1e-6)


def test_sequences_are_pooled_over_time(batch_of):
    model = keras.Sequential(
        [keras.Input((6, 3)), layers.LSTM(4, return_sequences=True, name="lstm"), layers.Flatten(),
         layers.Dense(2, activation="softmax")]
    )  # fmt: skip
    inputs = np.random.default_rng(0).random((5, 6, 3), np.float32)
    rows, _ = collect(model, batch_of(model, inputs), "lstm", "max")
    np.testing.assert_allclose(rows["lstm"], truncated(model, "lstm", inputs).max(axis=1), atol=1e-6)


def test_layers_of_a_nested_model(tiny_cnn, pixels, batch_of):
    outer = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.Model(tiny_cnn.inputs, tiny_cnn.get_layer("pool").output, name="body"),
         layers.Dense(2, activation="softmax", name="top")]
    )  # fmt: skip
    rows, _ = collect(outer, batch_of(outer, pixels), "body/second")
    np.testing.assert_allclose(
        rows["body/second"], truncated(tiny_cnn, "second", pixels).mean(axis=(1, 2)), atol=1e-6
    )
    assert list(collect(outer, batch_of(outer, pixels))[0]) == ["body/pool"]


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(6, activation="relu", name="hidden")
        self.head = layers.Dense(3, activation="softmax", name="head")

    def call(self, inputs):
        return self.head(self.hidden(inputs))


def test_layers_of_a_subclassed_model(batch_of):
    inputs = np.random.default_rng(0).random((7, 4), np.float32)
    model = Subclassed()
    model(inputs)
    rows, _ = collect(model, batch_of(model, inputs))
    np.testing.assert_allclose(rows["hidden"], model.hidden(inputs).numpy(), atol=1e-6)


def test_second_call_reads_the_cache(tiny_cnn, pixels, batch_of, tmp_path, runs):
    first, was = collect(tiny_cnn, batch_of(tiny_cnn, pixels, batch_size=2), "pool,second", cache=tmp_path)
    # Other chunks, labels and names, but the same inputs.
    other = batch_of(tiny_cnn, pixels, batch_size=5, labels=[0, 1, 2, 0, 1])
    second, found = collect(tiny_cnn, other, "pool,second", cache=tmp_path)
    assert (was.reused, found.reused) == (False, True)
    assert runs == [3]
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])
    np.testing.assert_array_equal(was.examples.probabilities, found.examples.probabilities)
    np.testing.assert_array_equal(was.examples.thumbnails, found.examples.thumbnails)
    assert found.examples.labels.tolist() == [0, 1, 2, 0, 1]


def with_other_weight(model, inputs):
    model.layers[0].set_weights([weight + 0.1 for weight in model.layers[0].get_weights()])
    return model, inputs, "pool", "mean"


def with_other_activation(model, inputs):
    model.layers[0].activation = keras.activations.tanh
    return model, inputs, "pool", "mean"


def with_other_inputs(model, inputs):
    changed = inputs.copy()
    changed[4, 3, 3, 1] += 1e-3
    return model, changed, "pool", "mean"


@pytest.mark.parametrize(
    "changed",
    [
        with_other_weight,
        with_other_activation,
        with_other_inputs,
        lambda model, inputs: (model, inputs, "second", "mean"),
        lambda model, inputs: (model, inputs, "second", "max"),
        lambda model, inputs: (model, inputs, "pool,second", "flatten"),
    ],
    ids=["weight", "activation", "inputs", "layer", "pooling", "one of two"],
)
def test_other_models_inputs_and_layers_are_computed(tiny_cnn, pixels, batch_of, tmp_path, changed):
    collect(tiny_cnn, batch_of(tiny_cnn, pixels), "pool", cache=tmp_path)
    model, inputs, asked, pooling = changed(tiny_cnn, pixels)
    rows, found = collect(model, batch_of(model, inputs), asked, pooling, cache=tmp_path)
    assert not found.reused
    expected, _ = collect(model, batch_of(model, inputs), asked, pooling)
    for name, values in expected.items():
        np.testing.assert_array_equal(rows[name], values)
    assert collect(model, batch_of(model, inputs), asked, pooling, cache=tmp_path)[1].reused


@pytest.mark.parametrize("rows", [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 2, 0, 1, 1, 3]])
def test_cached_inputs_are_found_individually(tiny_cnn, pixels, batch_of, tmp_path, rows):
    """Order and duplicates do not matter."""
    stored, _ = collect(tiny_cnn, batch_of(tiny_cnn, pixels), "pool", cache=tmp_path)
    recalled, found = collect(
        tiny_cnn, batch_of(tiny_cnn, pixels[rows], batch_size=3), "pool", cache=tmp_path
    )
    assert found.reused
    np.testing.assert_array_equal(recalled["pool"], stored["pool"][rows])


def test_only_chunks_with_new_inputs_are_run(tiny_cnn, pixels, batch_of, tmp_path, runs):
    collect(tiny_cnn, batch_of(tiny_cnn, pixels), "pool", cache=tmp_path)
    more = np.concatenate([pixels[:4], 1 - pixels[:2], pixels[4:]])
    rows, _ = collect(tiny_cnn, batch_of(tiny_cnn, more, batch_size=2), "pool", cache=tmp_path)
    assert runs == [1, 1]
    np.testing.assert_allclose(rows["pool"], truncated(tiny_cnn, "pool", more), atol=1e-6)


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"\x93NUMPY nonsense"),
        lambda file: file.write_bytes(file.read_bytes()[:-7]),
        lambda file: np.save(file, np.zeros((3, 5), np.float32)),
        lambda file: np.save(file, np.zeros((5, 5), np.float16)),
        lambda file: file.unlink(),
    ],
    ids=["empty", "garbage", "cut", "rows", "type", "gone"],
)
def test_damaged_cache_files_are_computed_again(tiny_cnn, pixels, batch_of, tmp_path, damage):
    rows, _ = collect(tiny_cnn, batch_of(tiny_cnn, pixels), cache=tmp_path)
    files = list(tmp_path.glob("*/*/*.npy"))
    assert len(files) == 3
    for file in files:
        kept = file.read_bytes()
        damage(file)
        again, found = collect(tiny_cnn, batch_of(tiny_cnn, pixels), cache=tmp_path)
        assert not found.reused
        np.testing.assert_array_equal(again["pool"], rows["pool"])
        assert file.read_bytes() == kept


def test_no_temporary_files_remain(tiny_cnn, pixels, batch_of, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(OptionError):
        collect(tiny_cnn, batch_of(tiny_cnn, pixels), "nothing")
    collect(tiny_cnn, batch_of(tiny_cnn, pixels))
    assert list(tmp_path.iterdir()) == []
    collect(tiny_cnn, batch_of(tiny_cnn, pixels), cache=tmp_path / "kept")
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".npy"}


SCRIPT = """
import sys, numpy as np
from mlflow_interp import load_inputs, load_model
from mlflow_interp.engine.run import run
from mlflow_interp.methods.umap import umap
model = load_model(sys.argv[1])
batch = load_inputs(np.load(sys.argv[2]), model)
method = umap(model.keras, batch, cache=sys.argv[3])
run(model.keras, batch, {"umap": method})
print("reused" if method._cache.is_complete else "computed")
"""


def test_another_process_reads_the_cache(tmp_path, runs, batch_of):
    """Keras numbers swish gradients and recurrent functions differently in each process."""
    model = keras.Sequential(
        [keras.Input((5, 4)), layers.Dense(4, activation="silu"), layers.GRU(4, name="recurrent"),
         layers.Dense(2, activation="softmax")]
    )  # fmt: skip
    inputs = np.random.default_rng(0).random((6, 5, 4), np.float32)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "inputs.npy", inputs)
    model = keras.models.load_model(tmp_path / "model.keras")
    assert not collect(model, batch_of(model, inputs), cache=tmp_path / "cache")[1].reused
    assert collect(model, batch_of(model, inputs), cache=tmp_path / "cache")[1].reused
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "model.keras", "inputs.npy", "cache"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "reused"


def digest(function, inputs):
    return graph_digest(compile_for(function, inputs))


def test_digests_cover_what_a_graph_does_not_contain():
    """A graph omits large constants and the choice of variables; branches are functions inside it."""
    inputs = np.zeros((2, 200), np.float32)
    zeros, ones = tf.zeros(200), tf.ones(200)
    assert digest(lambda rows: rows + zeros, inputs) != digest(lambda rows: rows + ones, inputs)
    first, second = tf.Variable(tf.zeros(200)), tf.Variable(tf.ones(200))
    assert digest(lambda rows: rows * first - second, inputs) != digest(
        lambda rows: rows * second - first, inputs
    )

    def branched(yes, no):
        return lambda rows: tf.cond(tf.reduce_sum(rows) > 0, lambda: yes(rows), lambda: no(rows))

    there, back = (digest(branched(*pair), inputs) for pair in ((tf.sin, tf.cos), (tf.cos, tf.sin)))
    assert there != back
    assert there == digest(branched(tf.sin, tf.cos), inputs)


def test_model_with_a_lookup_table_is_not_cached(tmp_path):
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer([1], [2]), 0)
    with pytest.raises(OptionError, match="leave cache out"):
        digest(lambda rows: table.lookup(rows), np.zeros((2,), np.int32))


def test_unwritable_cache_is_rejected(tiny_cnn, pixels, batch_of, tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below", "/proc/none"):
        with pytest.raises(OptionError, match=r"can't be used: .*give a writable folder"):
            collect(tiny_cnn, batch_of(tiny_cnn, pixels), cache=place)


def test_full_disk_is_reported(tmp_path):
    file = tmp_path / "full"
    file.symlink_to("/dev/full")
    with (
        pytest.raises(OptionError, match=r"can't be written .*No space left"),
        GrowingArray(file, (3,)) as column,
    ):
        column.append(np.zeros((100_000, 3)))


def test_nan_names_the_layer_and_the_input(batch_of):
    """The input and the output are finite; the weights of the layer make it overflow."""
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(3, kernel_initializer=keras.initializers.Constant(1e38), name="hidden"),
            layers.ReLU(max_value=1.0),
            layers.Dense(2, activation="softmax"),
        ]
    )
    inputs = np.zeros((6, 2), np.float32)
    inputs[3] = 1000
    with pytest.raises(InputsError, match=r"layer 'hidden' gives NaN or infinite values for input '#3'"):
        collect(model, batch_of(model, inputs, batch_size=2), "hidden")


@pytest.mark.parametrize(
    ("asked", "pooling", "message"),
    [
        ("nothing", "mean", "no layer 'nothing'"),
        ("pool,pool", "mean", "names a layer twice"),
        ("", "mean", "names none"),
    ],
)
def test_wrong_options_are_rejected(tiny_cnn, pixels, batch_of, asked, pooling, message):
    with pytest.raises(OptionError, match=message):
        collect(tiny_cnn, batch_of(tiny_cnn, pixels), asked, pooling)


def test_layer_without_a_vector_for_each_input_is_rejected(batch_of):
    class Total(layers.Layer):
        def call(self, inputs):
            return tf.reduce_sum(inputs)

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.total = Total(name="total")
            self.head = layers.Dense(2, activation="softmax")

        def call(self, inputs):
            return self.head(inputs + self.total(inputs))

    model, inputs = Model(), np.ones((5, 4), np.float32)
    model(inputs)
    with pytest.raises(OptionError, match=r"layer 'total' gives shape \(\), but a vector for each input"):
        collect(model, batch_of(model, inputs), "total")


def test_model_with_only_a_head_needs_layers(batch_of):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, activation="softmax")])
    inputs = np.ones((5, 4), np.float32)
    with pytest.raises(ModelError, match="no layer before its head"):
        collect(model, batch_of(model, inputs))
    assert list(collect(model, batch_of(model, inputs), "input")[0]) == ["input"]


def test_varying_sizes_can_be_pooled_but_not_flattened(batch_of):
    model = keras.Sequential(
        [keras.Input((None, None, 3)), layers.Conv2D(4, 3, name="conv"), layers.GlobalMaxPooling2D(),
         layers.Dense(2, activation="softmax")]
    )  # fmt: skip
    inputs = np.random.default_rng(0).random((5, 9, 7, 3), np.float32)
    assert collect(model, batch_of(model, inputs), "conv")[0]["conv"].shape == (5, 4)
    assert collect(model, batch_of(model, inputs), "conv", "flatten")[0]["conv"].shape == (5, 7 * 5 * 4)


def test_row_store_is_pickled_with_its_rows_and_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = RowStore()
    rows = np.random.default_rng(0).random((5, 3), np.float32)
    store.append(rows[:2])
    again = pickle.loads(pickle.dumps(store))
    again.append(rows[2:])
    store.append(rows[2:4])
    np.testing.assert_array_equal(again.rows(), rows)
    np.testing.assert_array_equal(store.rows(), rows[:4])
    del store, again
    assert list(tmp_path.iterdir()) == []
