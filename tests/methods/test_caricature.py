"""Caricatures: the objective increases, results are reproducible and independent, errors are clear."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from mlflow_interp.drawing.tone import saturation
from mlflow_interp.exceptions import InputsError, ModelError, OptionError
from mlflow_interp.kinds.caricature.tiles import make_tiles
from tests.running import caricature

layers = keras.layers


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(4)
    return keras.Sequential(
        [
            keras.Input((24, 20, 3)),
            layers.Rescaling(1 / 127.5, offset=-1, name="rescale"),
            layers.Conv2D(8, 3, activation="relu", name="first"),
            layers.Conv2D(8, 3, strides=2, activation="relu", name="second"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(3, activation="softmax", name="head"),
        ],
        name="network",
    )


@pytest.fixture(scope="module")
def drawings():
    """Three simple images: a disc, a bar, a ramp."""
    down, across = np.mgrid[:24, :20]
    disc = ((down - 12) ** 2 + (across - 10) ** 2 < 36) * 200
    bar = ((across > 6) & (across < 12)) * 180
    ramp = down * 10
    pixels = np.stack(
        [np.stack([disc, bar, ramp], -1), np.stack([bar, ramp, disc], -1), np.stack([ramp, disc, bar], -1)]
    )
    return pixels.astype(np.uint8)


def test_objective_increases_with_steps(network, drawings, batch_of):
    """More steps give a better objective, measured on rotated and shifted views not used in optimisation."""
    few, many = (
        caricature(network, batch_of(network, drawings), layers="first", ascent_steps=steps, tolerance=0)
        for steps in (2, 64)
    )
    assert (many.objectives > few.objectives + 0.1).all()
    assert (many.cosines > 0.7).all()
    assert (many.cosines > many.baseline_cosines).all()
    np.testing.assert_allclose(
        many.objectives.mean(), (many.dots * np.maximum(0.1, many.cosines) ** 0.5).mean(), rtol=0.1
    )
    assert many.curves[..., -1].mean() > many.curves[..., 0].mean()


def test_images_have_the_size_of_the_input_for_each_layer(network, drawings, batch_of):
    result = caricature(network, batch_of(network, drawings), layers=["first", "second"], ascent_steps=8)
    assert result.images.shape == (3, 2, 24, 20, 3)
    assert result.layers == ("first", "second")
    assert 0 <= result.images.min() < result.images.max() <= 1
    assert result.steps_taken.tolist() == [[8, 8]] * 3


def test_result_does_not_depend_on_other_inputs(network, drawings, batch_of):
    """Noise and views are drawn separately for each input, so other inputs make no difference."""
    together = caricature(network, batch_of(network, drawings), layers="second", ascent_steps=8)
    alone = caricature(network, batch_of(network, drawings[:1]), layers="second", ascent_steps=8)
    np.testing.assert_allclose(alone.images[0], together.images[0], atol=2e-3)


def test_baselines_do_not_depend_on_batch_size(network, drawings, batch_of):
    features = keras.Model(network.inputs, network.get_layer("second").output)
    rows = features.predict(drawings.astype(np.float32), verbose=0).reshape(3, -1)
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    expected = ((units @ units.T).sum(axis=1) - 1) / 2
    for batch_size in (1, 2, 3):
        batch = batch_of(network, drawings, batch_size=batch_size)
        found = caricature(network, batch, layers="second", ascent_steps=1).baseline_cosines[:, 0]
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_baseline_of_a_single_input_is_itself_upside_down(network, drawings, batch_of):
    features = keras.Model(network.inputs, network.get_layer("second").output)
    pair = np.concatenate([drawings[:1], drawings[:1, ::-1]]).astype(np.float32)
    first, second = features.predict(pair, verbose=0).reshape(2, -1)
    found = caricature(
        network, batch_of(network, drawings[:1]), layers="second", ascent_steps=1
    ).baseline_cosines
    expected = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    np.testing.assert_allclose(found, [[expected]], atol=1e-5)


def test_result_is_determined_by_the_seed(network, drawings, batch_of):
    first, same, other = (
        caricature(network, batch_of(network, drawings[:1]), layers="first", ascent_steps=8, seed=seed).images
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 0.01


@pytest.mark.parametrize(
    "options",
    [{"parametrization": "pixel"}, {"colours": "true"}, {"value_range": "clip"}, {"cosine_power": 0.0}],
    ids=str,
)
def test_objective_increases_with_every_parametrisation(network, drawings, batch_of, options):
    few, many = (
        caricature(
            network,
            batch_of(network, drawings[:1]),
            layers="first",
            ascent_steps=steps,
            tolerance=0,
            **options,
        )
        for steps in (1, 48)
    )
    assert many.objectives.mean() > few.objectives.mean() + 0.05


@pytest.mark.parametrize(("preprocess", "channel"), [("vgg16", 0), ("-1..1", 2)])
def test_grey_images_use_the_channel_order_of_the_model(batch_of, preprocess, channel):
    """The layer depends on the model's last channel only: red if the model takes BGR."""
    model = keras.Sequential(
        [
            keras.Input((12, 10, 3)),
            layers.Conv2D(1, 1, use_bias=False, kernel_initializer=last_channel, name="last"),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    down, across = np.mgrid[:12, :10]
    grey = np.stack([down * 20, across * 25], axis=0)[..., np.newaxis].repeat(3, axis=-1).astype(np.uint8)
    result = caricature(
        model, batch_of(model, grey, preprocess=preprocess), layers="last", ascent_steps=24,
        parametrization="pixel", colours="true", stddev=1e-6,
    )  # fmt: skip
    moved = np.ptp(result.images[:, 0], axis=(1, 2)) > 0.1
    assert moved.tolist() == [[each == channel for each in range(3)]] * 2


def last_channel(shape, dtype=None):
    return keras.ops.convert_to_tensor(np.reshape([0, 0, 1], shape), dtype)


@pytest.mark.parametrize("shape", [(13, 17, 1), (15, 11, 3)])
def test_grey_images_and_odd_sizes(batch_of, shape):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    inputs = np.random.default_rng(0).random((2, *shape), dtype=np.float32)
    result = caricature(model, batch_of(model, inputs), ascent_steps=4)
    assert result.images.shape == (2, 1, *shape)
    assert result.layers == ("conv",)


def test_nested_layers_are_found(network, drawings, batch_of):
    inputs = keras.Input((24, 20, 3))
    outer = keras.Model(inputs, layers.Dense(2)(network(inputs)))
    nested = caricature(outer, batch_of(outer, drawings[:1]), layers="network/first", ascent_steps=4)
    flat = caricature(network, batch_of(network, drawings[:1]), layers="first", ascent_steps=4)
    np.testing.assert_allclose(nested.images, flat.images, atol=1e-4)


def test_ascent_without_progress_stops_with_a_warning(network, drawings, batch_of):
    result = caricature(
        network, batch_of(network, drawings[:1]), layers="first", ascent_steps=400, tolerance=0.5
    )
    assert result.converged.all()
    assert result.steps_taken.max() < 400
    assert result.table()["stopped"] == ["converged"]


def test_progress_is_recorded(network, drawings, batch_of):
    result = caricature(
        network,
        batch_of(network, drawings),
        layers=["first", "second"],
        ascent_steps=32,
        tolerance=0,
        snapshot_every=16,
    )
    series = result.series()
    assert set(series) == {"objective_over_steps/first", "objective_over_steps/second"}
    steps, values = zip(*series["objective_over_steps/first"], strict=True)
    assert steps[-1] == 32
    assert values[-1] > values[0]
    frames = result.frames()
    assert [step for step, _ in frames] == [16, 32]
    assert frames[0][1].shape == (3 * 24, 2 * 20, 3)
    assert frames[0][1].dtype == np.uint8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ascent_steps": 0}, "ascent_steps"),
        ({"ascent_steps": -5}, "ascent_steps"),
        ({"ascent_rate": 0.0}, "ascent_rate"),
        ({"ascent_rate": float("nan")}, "ascent_rate"),
        ({"stddev": -1.0}, "stddev"),
        ({"snapshot_every": -1}, "snapshot_every"),
        ({"parametrization": "wavelet"}, "wavelet"),
        ({"colours": "grey"}, "grey"),
        ({"value_range": "tanh"}, "tanh"),
        ({"layers": "frist"}, "no layer 'frist'.*nearest: first"),
    ],
)
def test_invalid_options_are_rejected(network, drawings, batch_of, options, message):
    with pytest.raises(OptionError, match=message):
        caricature(network, batch_of(network, drawings), **options)


def test_inputs_that_are_not_images_are_rejected(batch_of):
    model = keras.Sequential(
        [keras.Input((9,)), layers.Dense(3, activation="relu", name="hidden"), layers.Dense(2)]
    )
    with pytest.raises((InputsError, OptionError, ModelError), match=r"picture|spatial|image"):
        caricature(model, batch_of(model, np.ones((2, 9), np.float32)), layers="hidden")


def test_drawn_caricatures_are_hardly_saturated_and_stored_ones_are_unchanged(network, drawings, batch_of):
    """Also the frames over steps; the arrays hold the image that was optimised."""
    result = caricature(
        network, batch_of(network, drawings), layers="first", ascent_steps=96, tolerance=0, snapshot_every=48
    )
    assert max(saturation(image) for image in result.images[:, 0]) > 0.1
    for pixels in (tile for tiles in make_tiles(result).pixels for tile in tiles[1:]):
        assert saturation(pixels / 255) <= 0.05
    assert saturation(result.frames()[-1][1] / 255) <= 0.05
    np.testing.assert_array_equal(result.arrays()["images"], result.images)
