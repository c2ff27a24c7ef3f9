"""Saliency compared with analytic gradients, axioms, and models that must differ."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from mlflow_interp.exceptions import InapplicableError, InputsError, OptionError
from tests.running import saliency

layers = keras.layers


@pytest.fixture
def linear():
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((4, 3)),
            layers.Flatten(),
            layers.Dense(2, bias_initializer="random_normal", name="head"),
        ]
    )


@pytest.fixture
def smooth_cnn():
    """Smooth, and with biases: without biases completeness would hold for any number of steps."""
    keras.utils.set_random_seed(5)
    random = keras.initializers.RandomNormal(stddev=0.5)
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(6, 3, activation="gelu", kernel_initializer=random, bias_initializer=random),
            layers.Conv2D(6, 3, activation="gelu", kernel_initializer=random, bias_initializer=random),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax", kernel_initializer=random, bias_initializer=random),
        ]
    )


def test_maps_of_a_linear_model_are_known(linear, batch_of):
    """Gradients are the weights, their mean square the squared weights, the integral weights times path."""
    inputs = np.random.default_rng(0).normal(size=(6, 4, 3)).astype(np.float32)
    weights = linear.get_layer("head").get_weights()[0][:, 1].reshape(4, 3)
    result = saliency(linear, batch_of(linear, inputs), target=1, noise=0, baseline=0.5)
    np.testing.assert_array_equal(result.gradients, np.broadcast_to(weights, inputs.shape))
    np.testing.assert_allclose(result.smooth_gradients, np.broadcast_to(weights**2, inputs.shape), rtol=1e-6)
    np.testing.assert_allclose(result.integrated_gradients, weights * (inputs - 0.5), atol=1e-6)
    assert result.completeness_gaps.max() < 1e-3
    mean = saliency(linear, batch_of(linear, inputs), target=1, average="mean")
    np.testing.assert_allclose(mean.smooth_gradients, np.broadcast_to(weights, inputs.shape), atol=1e-6)


def test_gradient_of_a_square_is_twice_its_input(batch_of):
    """Score = Σ w·x²: gradient 2wx; SmoothGrad of noise 0 (2wx)²; the integral from 0 exactly w·x²."""
    inputs = keras.Input((5,))
    dense = layers.Dense(1, use_bias=False)
    model = keras.Model(inputs, dense(inputs * inputs))
    weights = np.array([1.0, -2.0, 0.5, 3.0, 0.0], np.float32)
    dense.set_weights([weights[:, np.newaxis]])
    values = np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32)
    result = saliency(model, batch_of(model, values), target=0, noise=0)
    np.testing.assert_allclose(result.gradients, 2 * weights * values, rtol=1e-5)
    np.testing.assert_allclose(result.smooth_gradients, (2 * weights * values) ** 2, rtol=1e-5)
    np.testing.assert_allclose(result.integrated_gradients, weights * values**2, rtol=1e-5, atol=1e-6)


def test_smoothgrad_averages_over_noise_of_the_stated_size(batch_of):
    """Score = Σ x²: the mean gradient stays 2x, the mean square rises by 4σ², σ = noise · range."""
    inputs = keras.Input((400,))
    total = layers.Dense(1, use_bias=False, kernel_initializer="ones")
    model = keras.Model(inputs, total(inputs * inputs))
    values = np.linspace(-1, 3, 400, dtype=np.float32)[np.newaxis]
    result = saliency(model, batch_of(model, values), target=0, noise_samples=200, noise=0.1, path_steps=1)
    rise = result.smooth_gradients - (2 * values) ** 2
    assert rise.mean() == pytest.approx(4 * (0.1 * 4) ** 2, rel=0.05)


@pytest.mark.parametrize(("noise", "smooth_path"), [(0.0, False), (0.15, False), (0.15, True)])
def test_completeness_gap_is_below_one_percent_at_200_steps(smooth_cnn, pixels, batch_of, noise, smooth_path):
    options = {"noise": noise, "noise_samples": 3, "path_steps": 200, "smooth_path": smooth_path}
    result = saliency(smooth_cnn, batch_of(smooth_cnn, pixels), **options)
    assert result.completeness_gaps.max() < 0.01


def test_copies_share_the_points_of_one_path(smooth_cnn, pixels, batch_of):
    """With hardly any noise, 5 copies with 4 points each are one path with 20 points."""
    batch = batch_of(smooth_cnn, pixels[:2])
    copies = saliency(smooth_cnn, batch, noise=1e-6, noise_samples=5, path_steps=4, smooth_path=True)
    path = saliency(smooth_cnn, batch, noise=0, path_steps=20, smooth_path=True)
    scale = np.abs(path.integrated_gradients).max()
    np.testing.assert_allclose(copies.integrated_gradients, path.integrated_gradients, atol=1e-4 * scale)
    np.testing.assert_allclose(copies.completeness_gaps, path.completeness_gaps, atol=1e-3)


def test_completeness_gap_equals_its_definition(smooth_cnn, pixels, batch_of):
    """The gap equals its definition, computed from the model's own logits."""
    result = saliency(smooth_cnn, batch_of(smooth_cnn, pixels), noise=0, path_steps=3, baseline=0.2)
    logits = keras.Sequential([*smooth_cnn.layers[:-1]])
    kernel, bias = smooth_cnn.layers[-1].get_weights()

    def score(inputs):
        values = logits.predict(inputs, verbose=0) @ kernel + bias
        return np.take_along_axis(values, result.explained.targets[:, np.newaxis], axis=1)[:, 0]

    rise = score(pixels) - score(np.full_like(pixels, 0.2))
    gaps = np.abs(result.integrated_gradients.sum(axis=(1, 2, 3)) - rise) / np.abs(rise)
    np.testing.assert_allclose(result.completeness_gaps, gaps, atol=1e-4)
    assert result.metrics()["completeness_gap"] == pytest.approx(float(result.completeness_gaps.mean()))


def test_points_of_gauss_and_legendre_integrate_polynomials_exactly(batch_of):
    """The gradient of Σ w·x⁷ is a polynomial of degree 6 along the path, which 4 points integrate exactly."""
    inputs = keras.Input((3,))
    dense = layers.Dense(1, use_bias=False)
    model = keras.Model(inputs, dense(inputs**7))
    weights = np.array([1.0, -2.0, 0.5], np.float32)
    dense.set_weights([weights[:, np.newaxis]])
    values = np.array([[1.0, 0.5, -1.2]], np.float32)
    found = [
        saliency(model, batch_of(model, values), target=0, path_steps=steps, baseline=0.1) for steps in (3, 4)
    ]
    assert found[0].completeness_gaps[0] > 1e-3
    assert found[1].completeness_gaps[0] < 1e-5
    expected = weights * (values**7 - np.float32(0.1) ** 7)
    # Each value contributes its own term, as the terms do not interact.
    np.testing.assert_allclose(found[1].integrated_gradients, expected, rtol=1e-4, atol=1e-5)


def test_only_inputs_whose_sum_is_off_get_more_points(batch_of):
    """A narrow step near the end of the path of the second input, which 50 points do not resolve."""
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.ops.sigmoid(4000 * (inputs - 0.5)) + 0.01 * inputs)
    values = np.array([[0.4], [1.0]], np.float32)
    batch = replace(batch_of(model, values), head="values")
    result = saliency(model, batch, noise=0)
    assert result.path_points.tolist() == [50, 250]
    given = saliency(model, batch, noise=0, path_steps=60)
    assert given.path_points.tolist() == [60, 60]
    alone = saliency(model, replace(batch_of(model, values[1:]), head="values"), noise=0)
    np.testing.assert_allclose(alone.integrated_gradients, result.integrated_gradients[1:], rtol=1e-5)


def test_the_path_ends_at_the_input_whatever_the_noise(smooth_cnn, pixels, batch_of):
    batch = batch_of(smooth_cnn, pixels)
    first, other = (saliency(smooth_cnn, batch, noise=noise) for noise in (0.0, 0.5))
    np.testing.assert_array_equal(first.integrated_gradients, other.integrated_gradients)
    smooth = saliency(smooth_cnn, batch, noise=0.5, smooth_path=True)
    assert np.abs(smooth.integrated_gradients - first.integrated_gradients).max() > 1e-3
    assert smooth.path_points.tolist() == [7 * 25] * 5


def test_gradient_times_input_sums_to_the_score_of_a_network_without_biases(pixels, batch_of):
    """A network of ReLUs without biases is linear between the input and 0."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(6, 3, activation="relu", use_bias=False),
            layers.Flatten(),
            layers.Dense(3, use_bias=False),
        ]
    )
    result = saliency(model, batch_of(model, pixels), target=1)
    sums = result.gradients_times_inputs.sum(axis=(1, 2, 3))
    np.testing.assert_allclose(sums, model.predict(pixels, verbose=0)[:, 1], rtol=1e-4)
    np.testing.assert_allclose(result.gradients_times_inputs, result.gradients * pixels, rtol=1e-5)
    # The gradient is constant along the path, so that the two agree.
    np.testing.assert_allclose(result.integrated_gradients, result.gradients_times_inputs, atol=1e-5)


def test_more_steps_reduce_the_gap(smooth_cnn, pixels, batch_of):
    gaps = [
        saliency(smooth_cnn, batch_of(smooth_cnn, pixels), noise=0, path_steps=steps).completeness_gaps.mean()
        for steps in (2, 8, 32)
    ]
    assert gaps[0] > gaps[1] > gaps[2]


def test_randomised_weights_change_the_maps(pixels, batch_of):
    """Adebayo et al. 2018: a map that does not change when the weights are shuffled explains nothing."""
    maps = []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        model = keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                layers.Conv2D(8, 3, activation="relu"),
                layers.Flatten(),
                layers.Dense(3, activation="softmax"),
            ]
        )
        maps.append(saliency(model, batch_of(model, pixels), target=0))
    for name in ("gradients", "smooth_gradients", "integrated_gradients"):
        first, second = (np.abs(getattr(each, name)).reshape(5, -1) for each in maps)
        similar = [np.corrcoef(one, two)[0, 1] for one, two in zip(first, second, strict=True)]
        assert max(similar) < 0.5, name


def test_target_is_the_class_of_the_input_without_noise(batch_of):
    """With this much noise, the copies would have another class; the target must not follow them."""
    inputs = keras.Input((2,))
    model = keras.Model(inputs, layers.Dense(2, use_bias=False, name="head")(inputs))
    model.get_layer("head").set_weights([np.array([[1.0, -1.0], [0.0, 0.0]])])
    values = np.array([[0.1, -5.0], [-0.1, 5.0]], np.float32)
    result = saliency(model, batch_of(model, values), noise=3, noise_samples=20, average="mean")
    assert result.explained.targets.tolist() == [0, 1]
    np.testing.assert_allclose(result.smooth_gradients[:, 0], [1, -1], atol=1e-6)


def test_batch_equals_single_inputs(smooth_cnn, batch_of):
    inputs = np.random.default_rng(8).random((11, 8, 8, 3), dtype=np.float32)
    together = saliency(smooth_cnn, batch_of(smooth_cnn, inputs), noise_samples=3, path_steps=4)
    alone = [
        saliency(smooth_cnn, batch_of(smooth_cnn, row[np.newaxis]), noise_samples=3, path_steps=4)
        for row in inputs
    ]
    for name in ("gradients", "smooth_gradients", "integrated_gradients"):
        found = np.concatenate([getattr(each, name) for each in alone])
        np.testing.assert_allclose(found, getattr(together, name), atol=1e-6, err_msg=name)


def test_seed_determines_the_noise(smooth_cnn, pixels, batch_of):
    first, same, other = (
        saliency(smooth_cnn, batch_of(smooth_cnn, pixels), seed=seed, path_steps=2).smooth_gradients
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 1e-4


@pytest.mark.parametrize("given", [0.25, "0.25", np.full((8, 8, 3), 0.25, np.float32), "file"])
def test_baseline_can_be_a_number_an_array_or_a_file(smooth_cnn, pixels, batch_of, given, tmp_path):
    if isinstance(given, str) and given == "file":
        given = str(tmp_path / "baseline.npy")
        np.save(given, np.full((8, 8, 3), 0.25, np.float32))
    expected = saliency(smooth_cnn, batch_of(smooth_cnn, pixels), noise=0, path_steps=3, baseline=0.25)
    found = saliency(smooth_cnn, batch_of(smooth_cnn, pixels), noise=0, path_steps=3, baseline=given)
    np.testing.assert_array_equal(found.integrated_gradients, expected.integrated_gradients)


def test_baseline_can_be_an_image(photos, batch_of):
    """An image is preprocessed like the inputs; an image as its own baseline has a path of length zero."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(2)])
    batch = batch_of(model, str(photos / "red.png"), preprocess="0..1")
    result = saliency(model, batch, noise=0, baseline=str(photos / "red.png"))
    assert np.abs(result.integrated_gradients).max() == 0
    assert np.abs(result.gradients).max() > 0


def test_signals_tables_and_grey_images_have_maps(batch_of):
    for shape in [(7,), (20, 2), (9, 9, 1), (4, 5, 6, 2)]:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(2)])
        inputs = np.random.default_rng(0).random((3, *shape), dtype=np.float32)
        result = saliency(model, batch_of(model, inputs), path_steps=2)
        assert result.gradients.shape == (3, *shape)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise_samples": 0}, "noise_samples is 0"),
        ({"path_steps": -3}, "path_steps is -3"),
        ({"noise": -0.1}, "noise is -0.1"),
        ({"noise": float("nan")}, "noise is nan"),
        ({"average": "median"}, "no average 'median'"),
        ({"baseline": float("nan")}, "give a finite number"),
        ({"baseline": np.zeros((4, 4, 3))}, r"baseline has shape \(4, 4, 3\)"),
        ({"target": 7}, "target 7 is out of range"),
    ],
)
def test_invalid_options_are_rejected(smooth_cnn, pixels, batch_of, options, message):
    with pytest.raises(OptionError, match=message):
        saliency(smooth_cnn, batch_of(smooth_cnn, pixels), **options)


def test_missing_baseline_file_is_reported(smooth_cnn, pixels, batch_of):
    with pytest.raises(InputsError, match=r"no/such/baseline\.npy"):
        saliency(smooth_cnn, batch_of(smooth_cnn, pixels), baseline="no/such/baseline.npy")


def test_results_too_large_for_memory_are_rejected_early(batch_of, monkeypatch):
    model = keras.Sequential([keras.Input((64, 64, 3)), layers.Flatten(), layers.Dense(2)])
    monkeypatch.setattr("mlflow_interp.engine.explain.MOST_BYTES", 10**6)
    inputs = np.zeros((10, 64, 64, 3), np.float32)
    with pytest.raises(OptionError, match=r"of 10 inputs need .*; use a smaller max_explained"):
        saliency(model, batch_of(model, inputs))
    assert len(saliency(model, batch_of(model, inputs), max_explained=2).gradients) == 2


def test_memory_check_counts_embedded_inputs(batch_of, monkeypatch):
    """12 numbers per input, and 12 vectors of 1,000 each in every map."""
    model = keras.Sequential(
        [keras.Input((12,), dtype="int64"), layers.Embedding(10, 1000), layers.Flatten(), layers.Dense(2)]
    )
    monkeypatch.setattr("mlflow_interp.engine.explain.MOST_BYTES", 10**6)
    words = np.random.default_rng(0).integers(0, 10, (10, 12))
    with pytest.raises(OptionError, match="the results of 10 inputs need"):
        saliency(model, batch_of(model, words), noise_samples=1, path_steps=1)


def test_integer_inputs_are_explained_by_their_embedding(batch_of):
    """A linear model after the embedding: gradients are its weights, the integral weights times input."""
    embedding, head = layers.Embedding(10, 4, name="words"), layers.Dense(2)
    model = keras.Sequential([keras.Input((6,), dtype="int64"), embedding, layers.Flatten(), head])
    words = np.random.default_rng(0).integers(0, 10, (3, 6))
    result = saliency(model, batch_of(model, words), target=1, noise=0, path_steps=2)
    weights = head.kernel.numpy()[:, 1].reshape(6, 4)
    found = embedding(words).numpy()
    np.testing.assert_allclose(result.gradients, np.tile(weights, (3, 1, 1)), atol=1e-6)
    np.testing.assert_allclose(result.smooth_gradients, np.tile(weights**2, (3, 1, 1)), atol=1e-6)
    np.testing.assert_allclose(result.integrated_gradients, weights * found, atol=1e-6)
    np.testing.assert_allclose(result.gradients_times_inputs, weights * found, atol=1e-6)
    assert result.resolved["embedding"] == "words"


def test_position_embedding_is_not_an_input_embedding(batch_of):
    words, places = layers.Embedding(10, 4, name="words"), layers.Embedding(6, 4, name="places")

    class Text(keras.Model):
        def __init__(self):
            super().__init__()
            self.places, self.words, self.head = places, words, layers.Dense(2)

        def call(self, inputs):
            at = self.places(tf.range(tf.shape(inputs)[1]))
            return self.head(tf.reduce_mean(self.words(inputs) + at, axis=1))

    model = Text()
    model(np.zeros((1, 6), np.int64))
    result = saliency(model, batch_of(model, np.arange(12).reshape(2, 6) % 10), noise_samples=1, path_steps=1)
    assert (result.resolved["embedding"], result.gradients.shape) == ("words", (2, 6, 4))


def test_two_embeddings_of_one_input_are_rejected(batch_of):
    ids = keras.Input((2,), dtype="int64")
    found = [layers.Embedding(9, 3, name=name)(ids[:, at]) for at, name in enumerate(("user", "film"))]
    model = keras.Model(ids, layers.Dense(2)(layers.Concatenate()(found)))
    with pytest.raises(
        InapplicableError, match="with respect to its input, which is looked up in user, film"
    ):
        saliency(model, batch_of(model, np.array([[1, 2], [3, 4]])))


def test_zero_gradients_give_a_warning(batch_of):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, kernel_initializer="zeros")])
    result = saliency(model, batch_of(model, np.ones((2, 4), np.float32)), path_steps=1)
    assert result.warnings() == ["the gradients of 2 inputs are all zero: the score does not depend on them"]


def test_coarse_integrals_give_a_warning(batch_of):
    """Score = x⁸ from 0 to 1 in one step: the gradient in the middle, 8/2⁷, is a sixteenth of the rise."""
    inputs = keras.Input((1,))
    model = keras.Model(inputs, inputs**8)
    result = saliency(model, batch_of(model, np.ones((1, 1), np.float32)), noise=0, path_steps=1)
    np.testing.assert_allclose(result.completeness_gaps, [1 - 8 / 2**7], rtol=1e-5)
    assert "by 94% (median); use more path_steps" in result.warnings()[0]


def test_overflowing_squares_give_a_warning(batch_of):
    """Gradients of 1e20 are finite, but their squares are not."""
    model = keras.Sequential(
        [keras.Input((1,)), layers.Dense(2, kernel_initializer=lambda *_, **__: [[1e20, 0]])]
    )
    batch = batch_of(model, np.ones((2, 1), np.float32))
    message = "SmoothGrad of 2 inputs overflows float32; use average='mean', without squares"
    assert saliency(model, batch, path_steps=1).warnings() == [message]
    assert saliency(model, batch, path_steps=1, average="mean").warnings() == []
