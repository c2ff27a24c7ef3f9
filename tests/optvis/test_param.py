"""Images parametrised by spectra and pixels, compared with the formulas in NumPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlflow_interp.optvis.param import (
    COLOUR_CORRELATION,
    ImageParam,
    learning_rate_scale,
    neighbourhood_mean,
    noise,
    to_image,
)

SIZES = [(16, 16), (15, 17), (16, 13), (9, 24)]


def flat(size, **options):
    """A parametrisation that shows its values: grey, without a sigmoid, only (value + 1) / 2."""
    return ImageParam(size, 1, value_range="clip", **options)


def values(param, variable):
    """The image before it is mapped to 0..1."""
    return 2 * to_image(param, variable).numpy() - 1


def small_noise(param):
    """Noise far from black and white, so that nothing is clipped."""
    return noise(param, [0, 1], stddev=0.001, seed=3)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("decay_power", [0.0, 1.0, 1.5])
def test_spectrum_gives_the_image_of_the_formula(size, decay_power):
    param = flat(size, decay_power=decay_power)
    height, width = size
    variable = small_noise(param)
    down, across = np.fft.fftfreq(height)[:, np.newaxis], np.fft.rfftfreq(width)
    frequency = np.maximum(np.hypot(down, across), 1 / max(size))
    spectrum = (variable[:, 0, 0] + 1j * variable[:, 1, 0]) * np.sqrt(height * width) / frequency**decay_power
    spectrum[:, np.abs(np.fft.fftfreq(height)) == 0.5] = 0
    spectrum[:, :, across == 0.5] = 0
    expected = np.fft.irfft2(spectrum, size) / 4
    np.testing.assert_allclose(values(param, variable)[..., 0], expected, atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_energy_decreases_with_the_square_of_the_frequency(size):
    """White noise in the variable has a natural spectrum in the image: power times frequency² is flat."""
    param = flat(size)
    variable = noise(param, range(400), stddev=1e-4, seed=0)
    power = (np.abs(np.fft.fft2(values(param, variable)[..., 0])) ** 2).mean(axis=0)
    frequency = np.hypot(np.fft.fftfreq(size[0])[:, np.newaxis], np.fft.fftfreq(size[1]))
    inside = (frequency >= 1.01 / max(size)) & (power > 1e-3 * np.median(power))
    whitened = (power * frequency**2)[inside]
    assert whitened.std() / whitened.mean() < 0.15


@pytest.mark.parametrize("size", SIZES)
def test_low_frequencies_change_more(size):
    param = ImageParam(size, 3)
    scale = learning_rate_scale(param)
    assert scale.shape == param.shape[1:]
    assert (scale[:, 0, 0] == scale.max()).all()
    assert scale.min() > 0
    assert learning_rate_scale(ImageParam(size, 3, "pixel")) == 1


def test_high_frequency_colour_changes_less_than_brightness():
    size = (40, 40)
    light, *colours = learning_rate_scale(ImageParam(size, 3))
    frequency = np.hypot(np.fft.fftfreq(40)[:, np.newaxis], np.fft.rfftfreq(40))
    for colour in colours:
        np.testing.assert_allclose(
            colour / light, np.minimum(1, 0.1 / np.maximum(frequency, 1 / 40)), rtol=1e-5
        )
    for other in (ImageParam(size, 3, colours="true"), ImageParam(size, 1)):
        np.testing.assert_array_equal(learning_rate_scale(other), [light] * other.channels)


def test_neighbourhood_covers_both_parts_and_three_rows_and_columns():
    """Rows are periodic; the lowest column has neighbours on one side only."""
    param = ImageParam((30, 26), 3)
    squares = np.random.default_rng(0).random((2, *param.shape), np.float32)
    found = neighbourhood_mean(param, squares).numpy()
    assert found.shape == (2, 1, *param.shape[1:])
    np.testing.assert_allclose(found[1, 0, 2, 10, 6], squares[1, :, 2, 9:12, 5:8].mean(), rtol=1e-5)
    rows = np.arange(-1, 2) % 30
    np.testing.assert_allclose(found[0, 0, 1, 0, 0], squares[0, :, 1, rows, :2].mean(), rtol=1e-5)


def test_pixels_have_no_neighbourhood_mean():
    squares = np.ones((1, 4, 4, 3), np.float32)
    assert neighbourhood_mean(ImageParam((4, 4), 3, "pixel"), squares) is squares


@pytest.mark.parametrize("size", [(5, 6), (2, 9), (9, 2), (1, 1)])
def test_small_spectrum_has_neighbourhoods(size):
    param = ImageParam(size, 1)
    squares = np.full((1, *param.shape), 3, np.float32)
    expected = np.full((1, 1, *param.shape[1:]), 3)
    np.testing.assert_allclose(neighbourhood_mean(param, squares), expected, rtol=1e-6)


def test_colours_are_correlated_as_in_imagenet():
    """Lucid's numbers: the square root of the covariance, divided by the length of its largest column."""
    root = np.array([[0.26, 0.09, 0.02], [0.27, 0, -0.05], [0.27, -0.09, 0.03]])
    expected = root / np.sqrt(0.26**2 + 0.27**2 + 0.27**2)
    np.testing.assert_allclose(COLOUR_CORRELATION, expected, rtol=1e-6)
    param = ImageParam((1, 1), 3, "pixel", value_range="clip")
    for axis in range(3):
        variable = np.zeros((1, 1, 1, 3), np.float32)
        variable[..., axis] = 0.5
        np.testing.assert_allclose(values(param, variable)[0, 0, 0], expected[:, axis] / 2, atol=1e-6)
    true = replace(param, colours="true")
    np.testing.assert_allclose(values(true, variable), variable, atol=1e-6)


def test_image_values_stay_within_range():
    variable = np.array([-40.0, -1, 0, 0.5, 40], np.float32).reshape(5, 1, 1, 1)
    clipped = to_image(ImageParam((1, 1), 1, "pixel", value_range="clip"), variable).numpy().ravel()
    np.testing.assert_allclose(clipped, [0, 0, 0.5, 0.75, 1])
    squashed = to_image(ImageParam((1, 1), 1, "pixel"), variable).numpy().ravel()
    np.testing.assert_allclose(squashed, 1 / (1 + np.exp(-variable.ravel())), atol=1e-6)


@pytest.mark.parametrize("parametrization", ["fourier", "pixel"])
def test_noise_is_drawn_separately_for_each_input(parametrization):
    param = ImageParam((7, 6), 3, parametrization)
    together, alone = noise(param, [4, 9], stddev=0.5, seed=1), noise(param, [9], stddev=0.5, seed=1)
    np.testing.assert_array_equal(together[1], alone[0])
    assert not np.array_equal(together[0], together[1])
    assert not np.array_equal(alone, noise(param, [9], stddev=0.5, seed=2))
    assert noise(param, range(200), stddev=0.5, seed=1).std() == pytest.approx(0.5, rel=0.02)
    assert to_image(param, alone).shape == (1, 7, 6, 3)
