"""Heat is drawn over the image and the frame that it belongs to."""

from __future__ import annotations

import numpy as np
import pytest

from mlflow_interp.core.calls import Call
from mlflow_interp.core.image_arrays import ImagePart
from mlflow_interp.drawing.sheet import count_layers, labelled, lay_heat, scaled_parts

PAIR = (ImagePart(0, "left", (0, 0, 8, 8)), ImagePart(2, "right", (0, 10, 8, 8)))
FRAMES = tuple(ImagePart(0, "", (0, 10 * at, 8, 8), frame, 5) for at, frame in enumerate((0, 2, 4)))
SIZE = (8, 28)


def means(layer, parts):
    return [round(float(layer[part.area].mean()), 6) for part in parts]


def test_heatmap_covers_its_image():
    (layer,) = lay_heat([(Call(), np.full((2, 2), 0.5))], (), (6, 6))
    assert (layer == 0.5).all()


def test_heatmap_of_a_run_is_over_its_input():
    heats = [(Call(0, (0,)), np.full((2, 2), 0.25)), (Call(1, (2,)), np.full((2, 2), -0.5))]
    (layer,) = lay_heat(heats, PAIR, SIZE)
    assert means(layer, PAIR) == [0.25, -0.5]
    assert layer[:, 8:10].max() == 0


@pytest.mark.parametrize(
    ("inputs", "expected"), [((0, 2), [0.5, 0.5]), ((2,), [0, 0.5]), ((), [0.5, 0.5]), ((0, 1), [0.5, 0])]
)
def test_heatmap_of_a_run_is_over_every_input_it_depends_on(inputs, expected):
    (layer,) = lay_heat([(Call(0, inputs), np.full((2, 2), 0.5))], PAIR, SIZE)
    assert means(layer, PAIR) == expected


def test_run_without_an_image_has_no_overlay():
    assert count_layers([(Call(0, (1,)), np.ones((2, 2)))], PAIR) == 0
    assert lay_heat([(Call(0, (1,)), np.ones((2, 2)))], PAIR, SIZE) == []


def test_each_frame_has_its_own_heat():
    heats = [(Call(frame, (0,), frame), np.full((2, 2), 0.1 * frame)) for frame in range(5)]
    (layer,) = lay_heat(heats, FRAMES, SIZE)
    np.testing.assert_allclose(means(layer, FRAMES), [0, 0.2, 0.4], atol=1e-6)


def test_slices_of_a_volume_have_their_heat():
    volume = np.broadcast_to(np.array([0.0, 0.4, 0.8])[:, np.newaxis, np.newaxis], (3, 2, 2))
    (layer,) = lay_heat([(Call(0, (0,)), volume)], FRAMES, SIZE)
    np.testing.assert_allclose(means(layer, FRAMES), [0, 0.4, 0.8], atol=1e-6)


def test_several_runs_over_one_image_are_drawn_separately():
    heats = [(Call(0, (0,)), np.full((2, 2), 0.25)), (Call(1, (0,)), np.full((4, 4), 0.75))]
    layers = lay_heat(heats, (), (6, 6))
    assert [round(float(each.mean()), 6) for each in layers] == [0.25, 0.75]
    assert count_layers(heats, ()) == 2


def test_signals_have_no_overlay():
    assert count_layers([(Call(), np.ones(4))], ()) == 0


def test_captions_are_drawn_only_on_several_images():
    sheet = np.zeros((80, 280, 3), np.uint8)
    parts = scaled_parts(PAIR, 10)
    written = labelled(sheet, parts)
    for part in parts:
        assert written[part.area].max() == 255
    assert sheet.max() == 0
    np.testing.assert_array_equal(labelled(sheet, parts[:1]), sheet)
