"""EigenCAM against answers known without it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import mlflow_interp
from mlflow_interp.backend import ops
from mlflow_interp.exceptions import OptionError
from mlflow_interp.method_registry import find_method
from tests.running import eigencam

layers = keras.layers


def by_svd(features):
    """The projection on the first right singular vector of each input, with a mean that is not negative."""
    maps = []
    for each in features.astype(np.float64):
        matrix = each.reshape(-1, each.shape[-1])
        projected = matrix @ np.linalg.svd(matrix, full_matrices=False)[2][0]
        maps.append((projected * (-1 if projected.mean() < 0 else 1)).reshape(each.shape[:-1]))
    return np.array(maps)


#: More positions than channels and fewer, with one, two and three spatial axes.
SHAPES = [(4, 3, 2), (2, 3, 9), (3, 3, 9), (7, 2), (3, 8), (2, 3, 2, 5), (2, 2, 2, 30)]


@pytest.mark.parametrize("is_static", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_the_singular_value_decomposition(shape, is_static):
    features = np.random.default_rng(0).normal(0.3, 1, (4, *shape)).astype(np.float32)
    space = shape[:-1] if is_static else [None] * (len(shape) - 1)
    function = tf.function(ops.first_component, input_signature=[tf.TensorSpec((None, *space, shape[-1]))])
    found = function(features).numpy()
    np.testing.assert_allclose(found, by_svd(features), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scale", [1e-25, 1.0, 1e25])
@pytest.mark.parametrize("channels", [2, 40])
def test_map_times_a_vector_gives_the_map(channels, scale):
    """Rank 1: every channel is a multiple of the map, also for values whose squares are not in float32."""
    random = np.random.default_rng(1)
    maps = random.random((3, 4, 5)) + 0.1
    vector = random.normal(size=channels)
    vector /= np.linalg.norm(vector)
    features = np.float32(maps[..., np.newaxis] * vector * scale)
    np.testing.assert_allclose(ops.first_component(tf.constant(features)), maps * scale, rtol=1e-5)


def test_zeros_and_values_that_are_not_finite_stay_in_their_input():
    features = np.random.default_rng(2).random((4, 3, 3, 2), np.float32)
    expected = by_svd(features)
    features[1] = 0
    features[2, 0, 0, 0] = np.nan
    features[3, 0, 0, 0] = np.inf
    found = ops.first_component(tf.constant(features)).numpy()
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5)
    np.testing.assert_array_equal(found[1], 0)
    assert np.isnan(found[2:]).all()


def test_uses_the_activations_of_the_layer(tiny_cnn, pixels, batch_of):
    features = pixels
    for layer in ("first", "second"):
        features = tiny_cnn.get_layer(layer)(features).numpy()
        found = eigencam(tiny_cnn, batch_of(tiny_cnn, pixels), layer=layer)
        np.testing.assert_allclose(found.heatmaps, by_svd(features), atol=1e-5)
    np.testing.assert_array_equal(eigencam(tiny_cnn, batch_of(tiny_cnn, pixels)).heatmaps, found.heatmaps)


def test_half_precision(batch_of, pixels):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, activation="relu", name="conv", dtype="mixed_float16"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax", dtype="float32"),
        ]
    )
    features = np.float32(model.get_layer("conv")(pixels))
    found = eigencam(model, batch_of(model, pixels)).heatmaps
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_svd(features), rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def explained():
    """EigenCAM beside Grad-CAM in one call, with labels."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.layers[-1].set_weights([np.arange(12.0).reshape(4, 3) / 12, np.zeros(3)])  # no map is empty
    inputs = np.random.default_rng(0).random((5, 8, 8, 3), np.float32)
    methods = {"gradcam": {"target": 1}, "eigencam": {}}
    options = {"preprocess": "none", "labels": [0, 1, 2, 1, 0], "log": False, "quiet": True}
    return model, inputs, mlflow_interp.interpret(model, inputs, methods, **options)


def test_names_no_class(explained):
    """There is no target, no map of another class, and nothing that is drawn states a class."""
    _, _, found = explained
    assert found["gradcam"].others is not None
    assert found["eigencam"].others is None
    assert {"targets", "scores", "target_probabilities"} <= set(found["gradcam"].result.arrays())
    assert not {"targets", "scores", "target_probabilities"} & set(found["eigencam"].result.arrays())
    assert "target_probability" not in found["eigencam"].result.metrics()
    assert "target" not in found["eigencam"].result.table()
    assert "accuracy" in found["eigencam"].result.metrics()
    texts = {name: texts_of(found[name].draw()) for name in found}
    assert "explains" in texts["gradcam"]
    assert "explains" not in texts["eigencam"]
    assert "whatever the class" in texts["eigencam"]
    assert "label" in texts["eigencam"]


def texts_of(figure):
    return " ".join(text.get_text() for axes in figure.axes for text in axes.texts) + " ".join(
        text.get_text() for text in figure.texts
    )


def test_page_of_the_run_names_no_class(explained):
    from mlflow_interp.kinds.heatmap.view import view

    *_, found = explained
    by_method = {name: view(each.result) for name, each in found.items()}
    assert all(row["target"] for row in by_method["gradcam"].inputs)
    assert not any(row.get("target") for row in by_method["eigencam"].inputs)
    assert set(by_method["eigencam"].heat["targets"]) == {""}
    assert by_method["eigencam"].heat["others"] is None


def test_has_no_target(explained):
    model, inputs, _ = explained
    with pytest.raises(OptionError, match="target"):
        mlflow_interp.visualize_eigencam(model, inputs, target=1, preprocess="none", log=False)
    with pytest.raises(TypeError, match="target"):
        find_method("eigencam")(model, None, target=1)


def test_is_saved_loaded_and_subtracted_without_a_class(explained, tmp_path):
    _, _, found = explained
    folder = found["eigencam"].save(tmp_path)
    loaded = mlflow_interp.load(folder)
    np.testing.assert_array_equal(loaded.heatmaps, found["eigencam"].heatmaps)
    assert not loaded.explained.has_target
    difference = loaded - found["eigencam"]
    assert not np.asarray(difference.heatmaps).any()
    assert not any("target" in name for name in difference.result.table())
    assert "evidence" not in texts_of(difference.draw())
