"""Tiles of inputs that are not images: heat and signs are at the right positions in every drawing."""

from __future__ import annotations

import time

import matplotlib
import numpy as np
import pytest

from mlflow_interp.drawing.input_tiles import draw_bars, draw_input

INFERNO = matplotlib.colormaps["inferno"]


def warm(tile):
    """How much redder than blue each pixel is: the heat of inferno."""
    return tile[..., 0].astype(int) - tile[..., 2]


def halves(tile):
    middle = tile.shape[1] // 2
    return warm(tile[:, :middle]).mean(), warm(tile[:, middle:]).mean()


@pytest.mark.parametrize("values", [np.zeros((40, 2)), np.arange(8.0), None])
def test_heat_of_signals_and_texts_is_at_its_position(values):
    heat = np.tile([0.0, 0.0, 0.0, 0.0, 0.6, 0.6, 0.6, 0.6], 1)
    # A text of eight tokens has two rows of four: the second is the warm one.
    tile = draw_input(values, heat, INFERNO, opacity=0.8)
    first, second = halves(np.swapaxes(tile, 0, 1) if values is not None and values.ndim == 1 else tile)
    assert second > first + 50


def test_bars_point_in_the_direction_of_their_sign():
    shares = np.array([1.0, -1.0, 0.0])
    tile = draw_bars(np.array([3.0, 4.0, 5.0]), shares, INFERNO)
    third = tile.shape[0] // 3
    places = [np.argwhere(warm(tile[row * third : (row + 1) * third]) > 40)[:, 1] for row in range(3)]
    # From above: 3 to the right, 4 to the left, 5 without a bar.
    assert places[0].mean() > tile.shape[1] * 0.6 > places[1].mean()
    assert len(places[2]) == 0


def test_only_the_largest_of_many_bars_are_drawn():
    shares = np.linspace(0, 1, 1000)
    assert draw_bars(None, shares, INFERNO).shape == draw_bars(None, shares[:3], INFERNO).shape


def test_volume_is_drawn_as_slices():
    """Eight slices in three columns; only the last is warm."""
    heat = np.zeros((8, 6, 6))
    heat[-1] = 0.6
    tile = draw_input(np.zeros((8, 6, 6, 1)), heat, INFERNO, opacity=0.8)
    side = tile.shape[0] // 3
    cells = [warm(tile[row * side : (row + 1) * side, column * side : (column + 1) * side]).mean()
             for row in range(3) for column in range(3)]  # fmt: skip
    assert np.argmax(cells) == 7


def test_image_of_many_channels_is_grey_under_its_heat():
    values = np.zeros((10, 20, 5))
    values[:, 10:] = 1
    tile = draw_input(values, np.zeros((5, 10)), INFERNO, opacity=0.5)
    assert tile.shape[:2] == (224, 448)
    assert np.ptp(tile, axis=-1).max() == 0
    assert (tile[:, 40].mean(), tile[:, -40].mean()) == (0, 255)


def test_zero_opacity_shows_colours_only():
    values, heat = np.ones((4, 4, 5)), np.full((4, 4), 0.5)
    tile = draw_input(values, heat, INFERNO, opacity=None)
    assert tile[0, 0].tolist() == list(INFERNO(0.5, bytes=True)[:3])


def test_line_follows_the_values_and_keeps_peaks():
    """One peak among 20,000 values, after a quarter of them."""
    values = np.zeros((20_000, 1))
    values[5000] = 1
    tile = draw_input(values, np.zeros(4), INFERNO, opacity=0.5).astype(int)
    ink = np.argwhere(tile[:158, :, 2] - tile[:158, :, 0] > 60)
    low, high = ink[ink[:, 0] > 79], ink[ink[:, 0] < 79]
    assert set(low[:, 1]) == set(range(360))
    assert set(high[:, 1]) <= {89, 90, 91}
    assert high[:, 0].min() == pytest.approx(0.06 * 158, abs=4)
    assert np.median(low[:, 0]) == pytest.approx(0.94 * 158, abs=2)


def test_every_drawing_takes_milliseconds():
    """A figure of 64 inputs has 192 of them, and so has its page."""
    rng, heat = np.random.default_rng(0), np.linspace(0, 1, 40)
    signal, text = rng.random((1000, 2)), rng.integers(0, 9999, 200)
    started = time.process_time()
    for _ in range(10):
        draw_input(signal, heat, INFERNO, opacity=0.7)
        draw_input(text, heat, INFERNO, opacity=0.7)
        draw_bars(signal[:, 0], signal[:, 1], INFERNO)
    assert time.process_time() - started < 30 * 0.04
