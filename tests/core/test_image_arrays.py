"""Images shown for a model's inputs: one image, several side by side, frames in rows."""

from __future__ import annotations

import numpy as np
import pytest

from mlflow_interp.core.image_arrays import MOST_FRAMES, show

GREY = np.random.default_rng(0).integers(0, 256, (2, 10, 12, 1), np.uint8)
COLOURS = np.random.default_rng(1).integers(0, 256, (2, 20, 16, 3), np.uint8)
TABLE = np.zeros((2, 7), np.float32)


def test_single_image_is_unchanged():
    images, parts = show({"": COLOURS})
    np.testing.assert_array_equal(images, COLOURS)
    assert parts == ()


def test_every_image_is_at_the_position_of_its_part():
    images, parts = show({"scan": GREY, "table": TABLE, "photo": COLOURS})
    assert [(part.input, part.name) for part in parts] == [(0, "scan"), (2, "photo")]
    for part, expected in zip(parts, (np.repeat(GREY, 3, axis=-1), COLOURS), strict=True):
        np.testing.assert_array_equal(images[(slice(None), *part.area)], expected)
    covered = np.zeros(images.shape[1:3], int)
    for part in parts:
        covered[part.area] += 1
    assert covered.max() == 1
    assert (images[:, covered == 0] == 255).all()


@pytest.mark.parametrize(("frames", "columns"), [(1, 1), (3, 3), (4, 4), (5, 3), (6, 3), (16, 4), (40, 4)])
@pytest.mark.parametrize("channels", [1, 3])
def test_frames_are_in_rows_of_equal_length_in_order(frames, columns, channels):
    videos = np.random.default_rng(2).integers(0, 256, (2, frames, 6, 8, channels), np.uint8)
    images, parts = show({"": videos})
    shown = [part.frame for part in parts]
    assert len(parts) == min(frames, MOST_FRAMES)
    assert shown[0] == 0
    assert shown[-1] == frames - 1
    assert shown == sorted(set(shown))
    assert len({part.box[1] for part in parts}) == columns
    for part in parts:
        frame = np.broadcast_to(videos[:, part.frame], (2, 6, 8, 3))
        np.testing.assert_array_equal(images[(slice(None), *part.area)], frame)


def test_large_frames_are_reduced_by_averaging():
    video = np.zeros((1, 2, 300, 400, 3), np.uint8)
    video[:, :, :, ::2] = 200
    _, parts = show({"": video})
    assert max(parts[0].box[2:]) <= 128
    images, _ = show({"": video})
    assert set(np.unique(images[(0, *parts[0].area)])) <= {100, 150, 75, 50, 133, 67}


def test_floats_keep_the_contrast_between_frames():
    video = np.zeros((1, 2, 4, 4, 1), np.float32)
    video[0, 1] = 1.0
    images, parts = show({"": video})
    assert images[(0, *parts[0].area)].max() == 0
    assert images[(0, *parts[1].area)].min() == 255


@pytest.mark.parametrize(
    "array", [TABLE, np.zeros((2, 50, 3)), np.zeros((2, 4, 8, 8, 5)), np.zeros((2, 1, 1, 1, 1))]
)
def test_arrays_that_are_not_images_are_not_shown(array):
    assert show({"": array}) == (None, ())
