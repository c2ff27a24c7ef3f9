"""Random views transform images as specified; the mapping to model inputs is found for any preprocessing."""

from __future__ import annotations

import numpy as np
import pytest

from mlflow_interp.core.image_arrays import shown_as_images
from mlflow_interp.data.preprocessing import find_function
from mlflow_interp.optvis.transform import (
    crop,
    draw_crops,
    draw_views,
    feed,
    find_mapping,
    pixel_transforms,
    warp,
)

IDENTITY = np.array([[[1.0, 0, 0], [0, 1, 0]]])


def shifted(down, across):
    view = IDENTITY.copy()
    view[0, :, 2] = across, down
    return view


def test_identity_view_changes_nothing():
    images = np.random.default_rng(0).random((2, 7, 9, 3), dtype=np.float32)
    np.testing.assert_allclose(warp(images, pixel_transforms(IDENTITY, (7, 9))), images, atol=1e-6)


def test_shift_is_a_fraction_of_the_longer_side():
    images = np.random.default_rng(0).random((1, 8, 16, 1), dtype=np.float32)
    seen = warp(images, pixel_transforms(shifted(2 / 16, -3 / 16), (8, 16))).numpy()
    np.testing.assert_allclose(seen[:, :-2, 3:], images[:, 2:, :-3], atol=1e-5)
    half = warp(images[:, ::2, ::2], pixel_transforms(shifted(1 / 8, 0), (4, 8))).numpy()
    np.testing.assert_allclose(half[:, :-1], images[:, 2::2, ::2], atol=1e-5)


def test_crop_shows_its_box_and_grey_outside():
    images = np.random.default_rng(0).random((2, 9, 5, 3), dtype=np.float32)
    whole = np.array([[0, 0, 1, 1]], np.float32)
    np.testing.assert_allclose(crop(images, whole, outside=0.5), images, atol=1e-6)
    moved = crop(images, whole + np.float32(1 / 4), outside=0.5).numpy()
    np.testing.assert_allclose(moved[:, :-2, :-1], images[:, 2:, 1:], atol=1e-5)
    np.testing.assert_array_equal(moved[:, -2:], 0.5)


def test_crops_stay_within_their_bounds():
    boxes = draw_crops(np.random.default_rng(0), 500, zoom=0.05, shift=0.02)
    zoom = 1 / (boxes[:, 2:] - boxes[:, :2]) - 1
    shift = (boxes[:, 2:] + boxes[:, :2]) / 2 - 0.5
    for measured, most in ((zoom, 0.05), (shift, 0.02)):
        assert -most * 1.001 <= measured.min() < -0.9 * most
        assert 0.9 * most < measured.max() <= most * 1.001


def test_rotation_and_zoom_keep_the_centre():
    views = draw_views(np.random.default_rng(0), 5, rotation=20, zoom=0.3, shift=0)
    images = np.zeros((5, 9, 9, 1), np.float32)
    images[:, 4, 4] = 1
    np.testing.assert_allclose(warp(images, pixel_transforms(views, (9, 9)))[:, 4, 4, 0], 1, atol=1e-5)
    assert np.abs(views[:, :, :2] - IDENTITY[:, :, :2]).max() > 0.1


def test_views_stay_within_their_bounds():
    views = draw_views(np.random.default_rng(0), 500, rotation=5, zoom=0.05, shift=0.02)
    scale = 1 / np.sqrt(np.linalg.det(views[:, :, :2]))
    turn = np.rad2deg(np.arctan2(views[:, 1, 0], views[:, 0, 0]))
    for measured, most in ((scale - 1, 0.05), (turn, 5), (views[:, 0, 2], 0.02), (views[:, 1, 2], 0.02)):
        assert -most <= measured.min() < -0.9 * most
        assert 0.9 * most < measured.max() <= most


def fed_back(pictures, inputs, **options):
    """The images, passed through the mapping that was found."""
    mapping = find_mapping(pictures, inputs, **({"channels_first": False} | options))
    images = pictures[..., : mapping.span.shape[1]] / np.float32(255)
    return np.asarray(feed(images, mapping.span, mapping.black, mapping)), mapping


@pytest.mark.parametrize("name", ["none", "0..1", "-1..1", "mobilenet_v2", "densenet", "vgg16", "resnet"])
def test_mapping_is_found_for_every_preprocessing(name):
    """vgg16 and resnet take BGR images, densenet scales each channel differently."""
    pictures = np.random.default_rng(0).integers(0, 256, (3, 6, 5, 3)).astype(np.uint8)
    inputs = np.asarray(find_function(name)(pictures.astype(np.float32)))
    again, mapping = fed_back(pictures, inputs)
    np.testing.assert_allclose(again, inputs, rtol=1e-4, atol=1e-3)
    assert mapping.reverse == (name in ("vgg16", "resnet"))


@pytest.mark.parametrize("blue_first", [False, True])
def test_given_channel_order_is_used_for_grey_images(blue_first):
    grey = np.repeat(np.random.default_rng(0).integers(0, 256, (2, 6, 5, 1)), 3, axis=-1).astype(np.uint8)
    inputs = np.asarray(find_function("vgg16")(grey.astype(np.float32)))
    again, mapping = fed_back(grey, inputs, blue_first=blue_first)
    np.testing.assert_allclose(again, inputs, rtol=1e-4, atol=1e-3)
    assert mapping.reverse == blue_first


def test_grey_and_channels_first():
    grey = np.random.default_rng(0).integers(0, 256, (2, 6, 5, 1)).astype(np.uint8)
    again, _ = fed_back(shown_as_images(grey), grey / np.float32(255))
    np.testing.assert_allclose(again, grey / 255, atol=1e-5)
    inputs = np.random.default_rng(0).random((2, 3, 6, 5), dtype=np.float32)
    pictures = shown_as_images(inputs, channels_first=True)
    again, _ = fed_back(pictures, inputs, channels_first=True)
    np.testing.assert_allclose(again, inputs, atol=0.01)


def test_mapping_of_floats_is_found_row_by_row():
    inputs = np.random.default_rng(0).normal(size=(2, 6, 5, 3)).astype(np.float32)
    inputs[1] = 7 * inputs[1] + 20
    again, mapping = fed_back(shown_as_images(inputs), inputs)
    np.testing.assert_allclose(again, inputs, atol=0.2)
    alone = find_mapping(shown_as_images(inputs)[1:], inputs[1:], channels_first=False)
    np.testing.assert_allclose(alone.span[0], mapping.span[1])


@pytest.mark.parametrize("colour", [(200, 0, 0), (0, 0, 0), (90, 90, 90)])
def test_image_of_one_colour_is_mapped(colour):
    pictures = np.full((1, 4, 4, 3), colour, np.uint8)
    again, mapping = fed_back(pictures, pictures / np.float32(255))
    np.testing.assert_allclose(again, pictures / 255, atol=1e-6)
    assert mapping.span.min() > 0
