"""The loop over inputs: shared computations run once, and errors of one method do not affect the others."""

from __future__ import annotations

import pickle
from collections import Counter
from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import split
from mlflow_interp.engine.explain import limit
from mlflow_interp.engine.method import Explaining
from mlflow_interp.engine.parts import Parts
from mlflow_interp.engine.run import run
from mlflow_interp.exceptions import InputsError
from mlflow_interp.method_registry import find_method

layers = keras.layers

CAMS = ("gradcam", "hirescam", "layercam", "gradcam_plus_plus", "eigencam")
STREAMING = (*CAMS, "confusion_matrix", "umap")


class Counting(layers.Layer):
    """A layer that counts its forward and backward passes, one per input, whenever the function is run."""

    def __init__(self, counts, **settings):
        super().__init__(**settings)
        self.count = lambda way, number: counts.update({way: number})

    def call(self, inputs):
        @tf.custom_gradient
        def counted(values):
            return self._counted("forward", values), lambda upstream: self._counted("backward", upstream)

        return counted(inputs)

    def _counted(self, way, values):
        def add(array):
            self.count(way, len(array))
            return array

        counted = tf.numpy_function(add, [values], tf.float32)
        counted.set_shape(values.shape)
        return counted


@pytest.fixture
def counting():
    """A model whose passes are counted, and the counts."""
    keras.utils.set_random_seed(2)
    counts = Counter()
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            Counting(counts, name="counting"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(3, activation="softmax", name="head"),
        ]
    )
    return model, counts


def methods(model, batch, names, *, max_explained=None, **options):
    made = {name: find_method(name)(model, batch, **options.get(name, {})) for name in names}
    limits = max_explained if isinstance(max_explained, dict) else dict.fromkeys(made, max_explained)
    return {
        name: limit(each, max_explained=limits.get(name)) if isinstance(each, Explaining) else each
        for name, each in made.items()
    }


@pytest.fixture
def many(batch_of):
    """A function of a model that returns a batch of 23 labelled inputs, in chunks of 5."""
    inputs = np.random.default_rng(5).random((23, 8, 8, 3), np.float32)
    labels = np.arange(23) % 3
    return lambda model: batch_of(model, inputs, labels=labels, batch_size=5)


def test_all_methods_need_one_forward_and_one_backward_pass_per_input(counting, many):
    model, counts = counting
    batch = many(model)
    options = {name: {"layer": "conv"} for name in CAMS}
    found = run(model, batch, methods(model, batch, STREAMING, **options))
    assert not found.errors
    assert counts == {"forward": 23, "backward": 23}
    assert [len(found.parts[name].result().examples) for name in ("gradcam", "umap")] == [23, 23]


def test_merged_parts_equal_the_whole(tiny_cnn, many):
    batch = many(tiny_cnn)
    chunks = list(batch.chunks())
    names = ("gradcam", "confusion_matrix")
    whole = run(tiny_cnn, batch, methods(tiny_cnn, batch, names))
    merged = Parts()
    for part in (chunks[3:], chunks[:2], chunks[2:3]):
        some = Batch("part", partial(iter, part), class_names=batch.class_names)
        merged.merge(pickle.loads(pickle.dumps(run(tiny_cnn, some, methods(tiny_cnn, some, names)))))
    assert merged.inputs.as_dict() == whole.inputs.as_dict()
    for name in names:
        for key, array in whole.parts[name].result().arrays().items():
            np.testing.assert_allclose(merged.parts[name].result().arrays()[key], array, atol=1e-6)


def test_method_that_failed_on_one_part_has_failed(tiny_cnn, many):
    batch = many(tiny_cnn)
    parts = run(tiny_cnn, batch, methods(tiny_cnn, batch, ["gradcam", "umap"]))
    parts.merge(Parts(errors={"umap": InputsError("one part is damaged")}))
    assert list(parts.parts) == ["gradcam"]
    assert list(parts.errors) == ["umap"]


def test_inputs_are_read_once(tiny_cnn, many):
    batch = many(tiny_cnn)
    reads = []
    original = batch.read

    def read():
        reads.append(1)
        return original()

    batch.read = read
    run(tiny_cnn, batch, methods(tiny_cnn, batch, (*STREAMING, "saliency")))
    assert reads == [1]


@pytest.mark.parametrize("name", STREAMING)
def test_method_gives_the_same_result_alone_and_with_others(tiny_cnn, many, name):
    alone = run(tiny_cnn, many(tiny_cnn), methods(tiny_cnn, many(tiny_cnn), [name])).parts[name].result()
    together = (
        run(tiny_cnn, many(tiny_cnn), methods(tiny_cnn, many(tiny_cnn), STREAMING)).parts[name].result()
    )
    for array, expected in alone.arrays().items():
        np.testing.assert_allclose(together.arrays()[array], expected, atol=1e-5)


def test_methods_can_explain_different_layers_and_classes(tiny_cnn, many):
    batch = many(tiny_cnn)
    asked = {
        "gradcam": {"layer": "first", "target": 0},
        "hirescam": {"layer": "second", "target": 2},
        "layercam": {"target": "label"},
    }
    found = run(tiny_cnn, batch, methods(tiny_cnn, batch, asked, **asked))
    results = {name: part.result() for name, part in found.parts.items()}
    assert {name: result.layer for name, result in results.items()} == {
        "gradcam": "first", "hirescam": "second", "layercam": "second",
    }  # fmt: skip
    assert set(results["gradcam"].explained.targets) == {0}
    assert set(results["hirescam"].explained.targets) == {2}
    assert results["layercam"].explained.targets.tolist() == (np.arange(23) % 3).tolist()
    for name, options in asked.items():
        alone = run(tiny_cnn, many(tiny_cnn), methods(tiny_cnn, many(tiny_cnn), [name], **{name: options}))
        np.testing.assert_allclose(results[name].heatmaps, alone.parts[name].result().heatmaps, atol=1e-6)


def test_error_of_one_method_does_not_affect_others(tiny_cnn, many):
    batch = many(tiny_cnn)
    wrong = {"gradcam": {"layer": "pool"}, "hirescam": {"target": 7}}
    found = run(tiny_cnn, batch, methods(tiny_cnn, batch, STREAMING, **wrong))
    assert set(found.parts) == {*STREAMING} - {*wrong}
    assert "needs a spatial feature map" in str(found.errors["gradcam"])
    assert "target 7 is out of range" in str(found.errors["hirescam"])
    assert len(found.parts["layercam"].result().heatmaps) == 23


def test_error_of_the_inputs_is_raised_once(tiny_cnn, batch_of):
    inputs = np.ones((6, 8, 8, 3), np.float32)
    inputs[4] = np.nan
    batch = batch_of(tiny_cnn, inputs, labels=[0] * 6, batch_size=2)
    with pytest.raises(InputsError, match=r"^input '#4' contains NaN"):
        run(tiny_cnn, batch, methods(tiny_cnn, batch, STREAMING))


def test_error_of_the_model_is_raised_once(batch_of):
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(2)])
    model.layers[-1].bias.assign([np.nan, 0])
    batch = batch_of(model, np.ones((6, 8, 8, 3), np.float32), labels=[0] * 6)
    with pytest.raises(InputsError, match="the model gives NaN or infinite values for input '#0'"):
        run(model, batch, methods(model, batch, ("gradcam", "confusion_matrix", "saliency")))


def test_expensive_methods_explain_a_selection_unless_called_alone(tiny_cnn, batch_of):
    inputs = np.random.default_rng(1).random((80, 8, 8, 3), np.float32)
    quick = {"saliency": {"noise_samples": 1, "path_steps": 1}}
    batch = batch_of(tiny_cnn, inputs, labels=np.arange(80) % 3)

    def explained(names, **options):
        found = run(tiny_cnn, batch, methods(tiny_cnn, batch, names, **quick, **options))
        return found.parts["saliency"].result().examples.indices.tolist()

    assert explained(["saliency"]) == list(range(80))
    beside = explained(["saliency", "gradcam"])
    assert len(beside) == 64
    found = run(tiny_cnn, batch, methods(tiny_cnn, batch, ["saliency", "gradcam"], **quick))
    assert found.parts["saliency"].notes[0].startswith("64 of 80 inputs are explained: errors, uncertain")
    assert not found.parts["gradcam"].notes
    assert len(explained(["saliency"], max_explained=8)) == 8
    assert set(explained(["saliency", "gradcam"], max_explained=8)) < set(range(80))


def test_several_expensive_methods_explain_the_same_selection(tiny_cnn, batch_of):
    inputs = np.random.default_rng(1).random((70, 8, 8, 3), np.float32)
    quick = {"saliency": {"noise_samples": 1, "path_steps": 1}, "caricature": {"ascent_steps": 2}}
    batch = batch_of(tiny_cnn, inputs)
    found = run(tiny_cnn, batch, methods(tiny_cnn, batch, quick, **quick, max_explained=9))
    explained = [part.result().examples.indices.tolist() for part in found.parts.values()]
    assert explained[0] == explained[1]
    assert len(explained[0]) == 9
    limits = {"saliency": 3, "caricature": 5}
    found = run(tiny_cnn, batch, methods(tiny_cnn, batch, quick, **quick, max_explained=limits))
    assert {name: len(part.result().examples) for name, part in found.parts.items()} == limits


def test_during_training_the_selection_does_not_depend_on_predictions(tiny_cnn, batch_of):
    inputs = np.random.default_rng(1).random((90, 8, 8, 3), np.float32)
    batch = batch_of(tiny_cnn, inputs, labels=np.arange(90) % 3)
    quick = {"saliency": {"noise_samples": 1, "path_steps": 1}}
    seen = []
    for bias in (0, 9):
        tiny_cnn.layers[-1].bias.assign([bias, 0, 0])
        found = run(
            tiny_cnn, batch, methods(tiny_cnn, batch, ["saliency", "gradcam"], **quick), while_training=True
        )
        results = {name: part.result() for name, part in found.parts.items()}
        seen.append(
            (results["saliency"].examples.indices.tolist(), results["gradcam"].examples.shown_rows.tolist())
        )
        assert "accuracy" in results["saliency"].metrics()
    assert seen[0] == seen[1]
    assert "the same at each epoch" in found.parts["saliency"].notes[0]


def test_selection_that_prefers_errors_has_no_accuracy(tiny_cnn, batch_of):
    inputs = np.random.default_rng(1).random((90, 8, 8, 3), np.float32)
    batch = batch_of(tiny_cnn, inputs, labels=np.arange(90) % 3)
    quick = {"saliency": {"noise_samples": 1, "path_steps": 1}}
    found = run(tiny_cnn, batch, methods(tiny_cnn, batch, ["saliency", "gradcam"], **quick))
    metrics = {name: part.result().metrics() for name, part in found.parts.items()}
    assert {"accuracy", "target_probability"} <= set(metrics["gradcam"])
    assert not {"accuracy", "target_probability"} & set(metrics["saliency"])
    assert metrics["saliency"]["inputs"] == 64


def test_errors_and_uncertain_predictions_are_explained(tiny_cnn, batch_of):
    inputs = np.random.default_rng(1).random((300, 8, 8, 3), np.float32)
    probabilities = tiny_cnn.predict(inputs, verbose=0)
    labels = probabilities.argmax(axis=1)
    wrong = [7, 150, 299]
    labels[wrong] = (labels[wrong] + 1) % 3
    batch = batch_of(tiny_cnn, inputs, labels=labels)
    result = run(tiny_cnn, batch, methods(tiny_cnn, batch, ["gradcam"])).parts["gradcam"].result()
    shown = set(result.examples.indices[result.examples.shown_rows].tolist())
    assert len(shown) == len(result.examples.images) == 64
    assert set(wrong) < shown
    least = np.argsort(np.round(probabilities.max(axis=1).astype(float), 5), kind="stable")[:12]
    assert set(least.tolist()) <= shown
    for row, image in zip(result.examples.shown_rows, result.examples.images, strict=True):
        np.testing.assert_array_equal(
            image, next(batch_of(tiny_cnn, inputs[row : row + 1]).chunks()).images[0]
        )


def test_predictions_option_does_not_run_the_model(counting, many):
    model, counts = counting
    batch = many(model)
    given = {"confusion_matrix": {"predictions": np.zeros(23, int)}}
    found = run(model, batch, methods(model, batch, ["confusion_matrix"], **given))
    assert found.parts["confusion_matrix"].result().counts[:, 0].tolist() == [8, 8, 7]
    assert not counts


def test_parts_are_pickled_without_the_model(tiny_cnn, many):
    batch = many(tiny_cnn)
    found = run(tiny_cnn, batch, methods(tiny_cnn, batch, STREAMING))
    for name, part in found.parts.items():
        assert b"keras" not in pickle.dumps(part), name


def test_chunk_is_split_without_losing_rows(tiny_cnn, many):
    (chunk, *_) = many(tiny_cnn).chunks()
    parts = list(split(chunk, 2))
    assert [len(part) for part in parts] == [2, 2, 1]
    assert np.concatenate([part.digests for part in parts]).tolist() == chunk.digests.tolist()


def test_five_cams_compute_no_gradient_twice(tiny_cnn, many, monkeypatch):
    """Three, as for Grad-CAM alone: of the explained class and of the two others whose maps are kept."""
    original, calls = tf.gradients, []

    def counted(*arguments, **options):
        calls.append(arguments)
        return original(*arguments, **options)

    monkeypatch.setattr(tf, "gradients", counted)
    batch = many(tiny_cnn)
    numbers = []
    for names in (("gradcam",), CAMS, ("eigencam",)):
        calls.clear()
        found = run(tiny_cnn, batch, methods(tiny_cnn, batch, names))
        assert not found.errors
        numbers.append(len(calls))
    assert numbers == [3, 3, 0]
