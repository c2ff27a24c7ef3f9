"""What occlusion and RISE share: baselines, kinds of inputs, scores, progress, storing and drawing."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import gaussian_filter

import mlflow_interp
from mlflow_interp.core.batch import Batch
from mlflow_interp.engine.baselines import baselines_of, blurred
from mlflow_interp.engine.explain import explain
from mlflow_interp.exceptions import InapplicableError, InputsError, OptionError
from mlflow_interp.method_registry import find_method, kind_of
from mlflow_interp.report.formats import npz
from tests.running import run_method

layers = keras.layers
METHODS = ("occlusion", "rise")
#: Independent positions, so that values are known: each position is a patch, or a cell of its own.
EXACT = {"occlusion": {"patch": 1, "stride": 1}, "rise": {"random_masks": 4000, "cells": 99}}


def linear(*shape, values=1, between=(), first=None):
    """A model with the score w·x + b for each of its values, and w in the shape of the input."""
    model = keras.Sequential(
        [keras.Input(shape), *between, first or layers.Flatten(), layers.Dense(values, name="linear")]
    )
    weights = np.random.default_rng(1).normal(size=(int(np.prod(shape)), values)).astype(np.float32)
    model.get_layer("linear").set_weights([weights, np.full(values, 0.7, np.float32)])
    return model, weights.reshape(*shape, values)


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def assert_contributions(method, found, contributions):
    """Occlusion gives contributions; RISE half of them, within its standard errors."""
    assert found.heatmaps.shape == contributions.shape
    assert found.heatmaps.dtype == np.float32
    if method == "occlusion":
        np.testing.assert_allclose(found.heatmaps, contributions, rtol=1e-4, atol=1e-5)
        assert found.standard_errors is None
    else:
        assert found.standard_errors.shape == contributions.shape
        errors = (found.heatmaps - contributions / 2) / found.standard_errors
        assert np.abs(errors).max() < 5
        # Noise alone would not be this close.
        assert np.corrcoef(found.heatmaps.ravel(), contributions.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((2, 2, 1), (0, 1)),  # an image
        ((3, 4, 3), (0, 1)),  # all channels at once
        ((3, 4, 6), (0, 1)),  # more channels than colours
        ((8, 9), (0, 1)),  # an image without a channels axis
        ((6, 2), (0,)),  # a signal: windows along time
        ((7,), (0,)),  # a table: its columns
        ((2, 3, 2, 1), (0, 1, 2)),  # a volume
        ((2, 3, 2, 3), (0, 1, 2)),  # a video
    ],
)
def test_linear_scores_on_every_kind_of_input(batch_of, method, shape, axes):
    model, weights = linear(*shape)
    inputs = random(5, *shape)
    found = run_method(method, model, batch_of(model, inputs), baseline=0.25, **EXACT[method])
    contributions = weights[..., 0] * (inputs - 0.25)
    channels = tuple(1 + axis for axis in range(len(shape)) if axis not in axes)
    assert_contributions(method, found, contributions.sum(axis=channels))
    assert found.is_table == (len(shape) == 1)
    kind = kind_of(method)
    assert kind.page(found).count(found.title)
    assert kind.view(found).title == found.title


@pytest.mark.parametrize("method", METHODS)
def test_channels_first(batch_of, method):
    model, weights = linear(3, 4, 5, first=layers.Flatten(data_format="channels_first"))
    # Keras' Flatten moves the channels last, so the weights are in the order of (4, 5, 3).
    weights = np.moveaxis(weights.reshape(4, 5, 3), -1, 0)
    inputs = random(2, 3, 4, 5)
    found = run_method(method, model, batch_of(model, inputs), baseline=0.0, **EXACT[method])
    assert_contributions(method, found, (weights * inputs).sum(axis=1))


class Rounded(layers.Layer):
    """Cuts off to quarters, so that there is no gradient."""

    def call(self, inputs):
        return keras.ops.cast(keras.ops.cast(inputs * 4, "int32"), "float32") / 4


@pytest.mark.parametrize("method", METHODS)
def test_model_without_gradient(batch_of, method):
    """Scores are multiples of a quarter, which cutting off leaves as they are."""
    inner, _ = linear(2, 3, 1)
    weights = np.float32([[1, -2, 3], [0, 5, -3]]) / 4
    inner.get_layer("linear").set_weights([weights.reshape(6, 1), np.full(1, 20.0)])
    model = keras.Sequential([inner, Rounded()])
    inputs = np.random.default_rng(3).integers(1, 9, (3, 2, 3, 1)).astype(np.float32)
    with tf.GradientTape() as tape:
        points = tf.constant(inputs)
        tape.watch(points)
        score = model(points)
    assert tape.gradient(score, points) is None
    found = run_method(method, model, batch_of(model, inputs), baseline=0.0, **EXACT[method])
    assert_contributions(method, found, weights * inputs[..., 0])


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize("method", METHODS)
def test_tokens_are_replaced_by_zero_one_by_one(batch_of, method, dtype):
    """The score is the sum of a number for each token, and padding has the number 0."""
    inputs = keras.Input((5,), dtype=dtype)
    embedding = layers.Embedding(20, 1, name="embedding")
    model = keras.Model(
        inputs, layers.Dense(1, kernel_initializer="ones")(layers.Flatten()(embedding(inputs)))
    )
    model.layers[-1].set_weights([np.ones((5, 1), np.float32), np.zeros(1, np.float32)])
    numbers = random(20, 1)
    numbers[0] = 0
    embedding.set_weights([numbers])
    tokens = np.random.default_rng(0).integers(1, 20, (3, 5))
    found = run_method(method, model, batch_of(model, tokens), **EXACT[method])
    assert_contributions(method, found, numbers[tokens][..., 0])
    assert not found.is_table
    assert found.resolved["baseline"] == 0.0
    with pytest.raises(OptionError, match="baseline is 'blur', which needs positions that belong together"):
        run_method(method, model, batch_of(model, tokens), baseline="blur")


@pytest.mark.parametrize("method", METHODS)
def test_refusals(batch_of, method):
    two = [keras.Input((2,)), keras.Input((2,))]
    model = keras.Model(two, layers.Dense(1)(layers.Concatenate()(two)))
    with pytest.raises(InapplicableError, match="explains models with one input; this one takes several"):
        run_method(method, model, batch_of(model, (random(2, 2), random(2, 2))))
    text = layers.TextVectorization(output_sequence_length=3, vocabulary=["a", "b"])
    inputs = keras.Input((1,), dtype="string")
    model = keras.Model(inputs, layers.Dense(1)(layers.Embedding(5, 1)(text(inputs))[..., 0]))
    with pytest.raises(InapplicableError, match="takes string values"):
        run_method(method, model, batch_of(model, np.array([["a b"], ["b"]], object)))


class Reciprocal(layers.Layer):
    def call(self, inputs):
        return 1 / inputs


@pytest.mark.parametrize("method", METHODS)
def test_values_that_are_not_finite_name_the_input(batch_of, method):
    model, _ = linear(3, between=[Reciprocal()])
    with pytest.raises(InputsError, match="perturbed copies of input '#0'; choose another baseline"):
        run_method(method, model, batch_of(model, np.ones((2, 3), np.float32)), baseline=0.0)


# --- baselines -----------------------------------------------------------------------------------------


def test_blur_is_a_normalised_gaussian_of_a_tenth_of_each_side():
    inputs = random(2, 20, 30, 3)
    sigmas = (0, 2, 3, 0)
    settings = {"mode": "constant", "truncate": 12}
    weights = gaussian_filter(np.ones_like(inputs, np.float64), sigmas, **settings)
    expected = gaussian_filter(inputs.astype(np.float64), sigmas, **settings) / weights
    np.testing.assert_allclose(blurred(inputs, (0, 1)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_an_even_input_equals_its_blurred_copy_and_its_mean(batch_of, method):
    model, _ = linear(9, 9, 3)
    inputs = np.broadcast_to(np.float32([0.2, -1, 3]), (2, 9, 9, 3))
    for options in ({}, {"baseline": "blur"}, {"baseline": "mean"}):
        found = run_method(method, model, batch_of(model, inputs), **options)
        np.testing.assert_allclose(found.heatmaps, 0, atol=1e-5)
    assert "baseline" not in found.resolved
    assert run_method(method, model, batch_of(model, inputs)).resolved["baseline"] == "blur"


def test_mean_is_that_of_each_channel_of_each_input():
    inputs = random(2, 4, 5, 3)
    means = baselines_of("mean", inputs, (0, 1), Batch("array", lambda: iter(())))
    np.testing.assert_allclose(means[:, 2, 3], inputs.mean(axis=(1, 2)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("preprocess", "black"),
    [
        ("none", (0, 0, 0)),
        ("0..1", (0, 0, 0)),
        ("-1..1", (-1, -1, -1)),
        ("vgg16", (-103.939, -116.779, -123.68)),  # blue, green, red: the means of ImageNet
    ],
)
def test_black_is_what_a_black_pixel_becomes(batch_of, preprocess, black):
    model, weights = linear(4, 4, 3)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)
    batch = batch_of(model, pixels, preprocess=preprocess)
    (chunk,) = batch.chunks()
    found = run_method("occlusion", model, batch, baseline="black", patch=1)
    expected = (weights[..., 0] * (chunk.inputs - np.float32(black))).sum(axis=-1)
    np.testing.assert_allclose(found.heatmaps, expected, rtol=1e-3, atol=1e-3)


def test_black_of_a_model_with_channels_first(batch_of):
    model, _ = linear(3, 4, 5, first=layers.Flatten(data_format="channels_first"))
    batch = batch_of(model, np.zeros((1, 3, 4, 5), np.uint8), preprocess="vgg16")
    (chunk,) = batch.chunks()
    black = baselines_of("black", chunk.inputs, (1, 2), batch)
    np.testing.assert_allclose(black, chunk.inputs)
    assert chunk.inputs[0, :, 0, 0] == pytest.approx([-103.939, -116.779, -123.68])


def test_black_is_not_guessed_for_numbers_that_are_used_unchanged(batch_of):
    model, _ = linear(4, 4, 3)
    batch = batch_of(model, random(2, 4, 4, 3))
    with pytest.raises(OptionError, match="not known which value of these inputs is black"):
        run_method("occlusion", model, batch, baseline="black")
    scaled = batch_of(model, np.full((1, 4, 4, 3), 255, np.float32), preprocess="-1..1")
    (chunk,) = scaled.chunks()
    assert (baselines_of("black", chunk.inputs, (0, 1), scaled) == -1).all()
    table, _ = linear(4)
    with pytest.raises(OptionError, match="'black', but the inputs are not images"):
        run_method("occlusion", table, batch_of(table, random(2, 4)), baseline="black")


@pytest.mark.parametrize("form", ["array", "text", "file"])
def test_numbers_arrays_and_files(batch_of, tmp_path, form):
    model, weights = linear(2, 2, 1)
    inputs = random(2, 2, 2, 1)
    array = random(2, 2, 1, seed=5)
    np.save(tmp_path / "baseline.npy", array)
    given = {"array": array, "text": "0.5", "file": str(tmp_path / "baseline.npy")}[form]
    found = run_method("occlusion", model, batch_of(model, inputs), baseline=given, patch=1)
    expected = weights[..., 0] * (inputs - (0.5 if form == "text" else array))
    np.testing.assert_allclose(found.heatmaps, expected[..., 0], rtol=1e-4, atol=1e-5)


# --- scores, batches, progress -------------------------------------------------------------------------


@pytest.mark.parametrize("target", [None, 1])
def test_scores_are_logits_or_probabilities_of_the_class_of_the_whole_input(batch_of, target):
    """Against `predict` of Keras on inputs occluded by hand."""
    model, _ = linear(3, values=3)
    softmax = keras.Sequential([model, layers.Softmax()])
    inputs = random(6, 3) * 2
    probabilities = softmax.predict(inputs, verbose=0)
    targets = np.full(6, 1) if target == 1 else probabilities.argmax(axis=1)
    rows = np.arange(6)
    for score, reference in (("logit", model), ("probability", softmax)):
        found = run_method("occlusion", softmax, batch_of(softmax, inputs), target=target, score=score)
        clean = reference.predict(inputs, verbose=0)[rows, targets]
        for column in range(3):
            occluded = inputs.copy()
            occluded[:, column] = 0
            fall = clean - reference.predict(occluded, verbose=0)[rows, targets]
            np.testing.assert_allclose(found.heatmaps[:, column], fall, rtol=1e-3, atol=1e-5)
        np.testing.assert_array_equal(found.explained.targets, targets)


def test_segmentation_is_explained_by_its_mean(batch_of):
    """The fall of the mean logit of a class over all pixels, against `predict` of Keras."""
    convolutions = [layers.Conv2D(3, 3, padding="same", activation="relu"), layers.Conv2D(2, 1)]
    logits = keras.Sequential([keras.Input((4, 4, 3)), *convolutions])
    model = keras.Sequential([logits, layers.Softmax()])
    inputs = random(2, 4, 4, 3)
    found = run_method("occlusion", model, batch_of(model, inputs), target=1, patch=2, stride=2, baseline=0)
    occluded = inputs.copy()
    occluded[:, 2:, :2] = 0
    clean, without = (
        logits.predict(each, verbose=0)[..., 1].mean(axis=(1, 2)) for each in (inputs, occluded)
    )
    np.testing.assert_allclose(found.heatmaps[:, 3, 1], clean - without, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_rows_batches_and_order_change_nothing_but_rounding(batch_of, tiny_cnn, method):
    inputs = np.random.default_rng(4).random((9, 8, 8, 3), np.float32)
    options = {"rise": {"random_masks": 50}}.get(method, {})
    whole = run_method(method, tiny_cnn, batch_of(tiny_cnn, inputs), **options)
    for size, rows in ((1, slice(None)), (5, slice(None)), (64, slice(None, None, -1)), (4, slice(7, 8))):
        batch = batch_of(tiny_cnn, inputs[rows], batch_size=size)
        found = run_method(method, tiny_cnn, batch, **options).arrays()
        for name in {"heatmaps", "standard_errors"} & set(found):
            np.testing.assert_allclose(found[name], whole.arrays()[name][rows], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_progress_counts_every_pass_and_no_batch_is_larger_than_stated(
    batch_of, tiny_cnn, monkeypatch, method
):
    reported = []
    totals = []

    def track(items, *, total, label, unit):
        totals.append((total, unit))
        for item in items:
            reported.append(item)
            yield item

    monkeypatch.setattr("mlflow_interp.engine.explain.track", track)
    inputs = np.random.default_rng(4).random((11, 8, 8, 3), np.float32)
    batch = batch_of(tiny_cnn, inputs, batch_size=10)
    explain(tiny_cnn, find_method(method)(tiny_cnn, batch), batch)
    assert totals == [(sum(reported), "pass")]
    assert max(reported) <= 10


# --- the result ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def interpreted(tmp_path_factory):
    """Occlusion and RISE of a small network, and of a table, saved."""
    folder = tmp_path_factory.mktemp("perturbed")
    model, _ = linear(8, 8, 3, values=3)
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    options = {"preprocess": "0..1", "head": "logits", "log": False, "quiet": True}
    found = mlflow_interp.interpret(
        model, images, METHODS, random_masks=4000, save=folder / "images", **options
    )
    table, _ = linear(4)
    columns = mlflow_interp.interpret(
        table, random(3, 4), METHODS, random_masks=4000, save=folder / "table", log=False, quiet=True
    )
    return folder, found, columns


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["images", "table"])
def test_loaded_again_with_its_fields(interpreted, method, kind):
    folder, images, table = interpreted
    found = (images if kind == "images" else table)[method]
    loaded = mlflow_interp.load(folder / kind / method)
    for name, array in found.result.arrays().items():
        np.testing.assert_array_equal(loaded.result.arrays()[name], array)
    assert ("standard_errors" in loaded.result.arrays()) == (method == "rise")
    assert dict(loaded.result.resolved) == dict(found.result.resolved)
    assert (loaded.result.relu, loaded.result.is_table) == (False, kind == "table")
    assert loaded.result.metrics() == pytest.approx(found.result.metrics())
    assert "layer" not in found.manifest["parameters"]
    assert found.manifest["parameters"]["baseline"] == ("blur" if kind == "images" else 0.0)
    difference = loaded - found
    assert not difference.heatmaps.any()
    assert difference.title == f"Difference of {found.result.title}"
    kind_of(method).draw(difference)


@pytest.mark.parametrize("method", METHODS)
def test_titles_name_no_layer_and_colours_have_both_signs(interpreted, method):
    _, images, table = interpreted
    title = {"occlusion": "Occlusion", "rise": "RISE"}[method]
    for found in (images[method], table[method]):
        texts = [each.get_text() for each in found.figure.texts] + [
            axes.get_title() for axes in found.figure.axes
        ]
        assert any(text.startswith(title) for text in texts), texts
        assert not any(" at " in text and title in text for text in texts), texts
        view = kind_of(method).view(found.result)
        assert view.title == title
    assert kind_of(method).view(images[method].result).heat["signed"]


def test_relative_error_and_noise_are_reported(interpreted):
    _, images, _ = interpreted
    result = images["rise"].result
    expected = result.standard_errors.mean(axis=(1, 2)) / np.abs(result.heatmaps).max(axis=(1, 2))
    assert result.metrics()["relative_error"] == pytest.approx(float(expected.mean()))
    assert "relative_error" not in images["occlusion"].result.metrics()


def test_noise_is_warned_of(batch_of):
    """A score that depends on one of 196 cells hardly at all, and two masks more than cells."""
    model, _ = linear(4, 4, 1)
    inputs = random(2, 4, 4, 1)
    noisy = run_method("rise", model, batch_of(model, inputs), random_masks=12, baseline=0.0)
    assert any("can't be distinguished from noise" in each for each in noisy.warnings())
    clear = run_method("rise", model, batch_of(model, inputs), random_masks=4000, baseline=0.0)
    assert clear.warnings() == []


@pytest.mark.parametrize("method", METHODS)
def test_constant_scores_give_empty_maps(batch_of, method):
    model, _ = linear(3)
    model.get_layer("linear").set_weights([np.zeros((3, 1), np.float32), np.ones(1, np.float32)])
    found = run_method(method, model, batch_of(model, random(2, 3)))
    assert found.warnings() == [
        "2 of 2 heatmaps are empty: no change of the input changes the score of the target (#0, #1)"
    ]
    assert found.metrics()["empty_heatmaps"] == 2


@pytest.mark.parametrize("method", METHODS)
def test_maps_are_reduced_without_images(batch_of, method):
    model, _ = linear(16, 16, 1)
    batch = batch_of(model, random(2, 16, 16, 1), log_images=False)
    found = run_method(method, model, batch, **({"random_masks": 32} if method == "rise" else {}))
    assert found.heatmaps.shape == (2, 4, 4)
    assert any("are reduced from 16 × 16 to 4 × 4" in each for each in found.warnings())
    for array in found.arrays().values():
        npz({"array": array})
        assert array.shape[1:] in ((), (4, 4), (1,), (16,))
