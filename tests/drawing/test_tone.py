"""Optimised images as they are drawn: hardly saturated, and otherwise the same."""

from __future__ import annotations

import numpy as np
import pytest

from mlflow_interp.drawing.tone import drawn, saturation, toned

RNG = np.random.default_rng(0)


def extreme(spread, shape=(40, 30, 3)):
    """The sigmoid of normal values, as an optimisation leaves them."""
    return 1 / (1 + np.exp(-spread * RNG.normal(size=shape)))


def test_saturation_counts_values_near_black_and_white():
    """5/255 and below, 250/255 and above."""
    image = np.array([0, 5, 6, 128, 249, 250, 255, 100]).reshape(2, 4, 1) / 255
    assert saturation(image) == 4 / 8


@pytest.mark.parametrize("spread", [3, 6, 20])
def test_drawn_images_are_hardly_saturated(spread):
    image = extreme(spread)
    assert saturation(image) > 0.15
    assert saturation(toned(image)) <= 0.04
    assert saturation(drawn(image) / 255) <= 0.05


def test_an_image_that_is_not_saturated_stays_as_it_is():
    image = extreme(1)
    np.testing.assert_array_equal(toned(image), image.astype(np.float32))
    np.testing.assert_array_equal(drawn(image), np.rint(image * 255).astype(np.uint8))


def test_order_mid_grey_and_symmetry_are_kept():
    image = extreme(6)
    image[0, 0] = 0.5
    changed = toned(image)
    np.testing.assert_allclose(changed[0, 0], 0.5, atol=1e-6)
    assert (np.diff(changed.ravel()[np.argsort(image.ravel())]) >= -1e-6).all()
    np.testing.assert_allclose(toned(1 - image), 1 - changed, atol=1e-4)


def test_the_log_odds_of_all_values_are_divided_by_one_number():
    image = extreme(3)
    odds, changed = (np.log(each / (1 - each)) for each in (image, toned(image).astype(np.float64)))
    ratios = changed / odds
    assert ratios.mean() < 0.9
    np.testing.assert_allclose(ratios, ratios.mean(), rtol=1e-3)


def test_clipped_values_are_drawn_as_nearly_black_and_white():
    image = np.zeros((8, 8, 1), np.float32)
    image[:, 4:] = 1
    pixels = drawn(image)
    assert pixels.shape == (8, 8, 3)
    assert set(np.unique(pixels)) == {6, 249}
