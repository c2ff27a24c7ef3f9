"""Heatmaps of stated positions of an output, such as pixels or anchors, by networks whose heat is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import mlflow_interp
from mlflow_interp.core.contrast import explained_name
from mlflow_interp.core.output_positions import OutputPositions, parse_positions, resized_masks
from mlflow_interp.exceptions import InapplicableError, InputsError, OptionError

pytestmark = pytest.mark.filterwarnings("ignore::mlflow_interp.exceptions.InterpretationWarning")

SIDE = 8
PIXELS = np.random.default_rng(0).random((3, SIDE, SIDE, 2)).astype(np.float32)
WEIGHTS = np.array([[1.0, -2.0, 0.5], [0.25, 1.0, -1.0]], np.float32)


@pytest.fixture(scope="module")
def segmentation():
    """The logits of three classes at each pixel are linear in the two channels of this pixel alone."""
    import keras

    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 2)),
            keras.layers.Activation("linear", name="same"),
            keras.layers.Conv2D(3, 1, name="logits"),
            keras.layers.Activation("softmax", name="softmax"),
        ],
        name="pixels",
    )
    model.get_layer("logits").set_weights([WEIGHTS[None, None], np.zeros(3, np.float32)])
    return model


@pytest.fixture(scope="module")
def detector():
    """Anchors on a grid of 4×4 cells that read their own cell of the image, two classes each."""
    import keras

    inputs = keras.Input((SIDE, SIDE, 2))
    same = keras.layers.Activation("linear", name="same")(inputs)
    cells = keras.layers.Conv2D(2, 2, strides=2, name="cells")(same)
    anchors = keras.layers.Reshape((16, 2))(cells)
    return keras.Model(inputs, keras.layers.Activation("sigmoid")(anchors))


def interpret(model, method="hirescam", pixels=PIXELS, **options):
    options = {"target": 0, "log": False, "quiet": True, "head": "auto"} | options
    return mlflow_interp.interpret(model, pixels, method, **options)[method].result


def linear(target, inside):
    """The heat of a class over a set of pixels: w · x at each, divided by their number."""
    return np.where(inside, (PIXELS @ WEIGHTS)[..., target], 0) / inside.sum(axis=(1, 2), keepdims=True)


def box_of(top, left, bottom, right):
    inside = np.zeros((3, SIDE, SIDE), bool)
    inside[:, top:bottom, left:right] = True
    return inside


@pytest.mark.parametrize(
    ("positions", "inside"),
    [
        ("all", box_of(0, 0, 8, 8)),
        ("2,3", box_of(2, 3, 3, 4)),
        ((2, 3, 5, 8), box_of(2, 3, 5, 8)),
        (np.array([2, 3, 5, 8]), box_of(2, 3, 5, 8)),
    ],
)
def test_heat_of_a_box_is_that_of_its_pixels(segmentation, positions, inside):
    for target in range(3):
        result = interpret(segmentation, layer="same", target=target, positions=positions)
        np.testing.assert_allclose(result.heatmaps, linear(target, inside), atol=1e-6)
        scores = linear(target, inside).sum(axis=(1, 2))
        np.testing.assert_allclose(result.explained.scores, scores, atol=1e-5)


def test_heat_of_masks_is_that_of_their_pixels(segmentation):
    """The masks of inputs differ."""
    masks = np.random.default_rng(1).random((3, SIDE, SIDE)) > 0.6
    result = interpret(segmentation, layer="same", positions=masks)
    np.testing.assert_allclose(result.heatmaps, linear(0, masks), atol=1e-6)


@pytest.mark.parametrize("name", ["class 1", "class dog"])
def test_heat_of_a_class_is_that_of_the_pixels_that_are_predicted_as_it(segmentation, name):
    predicted = (PIXELS @ WEIGHTS).argmax(axis=-1) == 1
    result = interpret(
        segmentation, layer="same", target="cat", positions=name, class_names=["cat", "dog", "eel"]
    )
    np.testing.assert_allclose(result.heatmaps, linear(0, predicted), atol=1e-6)


@pytest.mark.parametrize("order", ["softmax over the first axis", "rows and columns swapped"])
@pytest.mark.parametrize("positions", [(2, 3), (1, 2, 5, 6), "class 1"])
def test_outputs_that_are_transposed(order, positions):
    """The softmax stands before the transpose, where positions have other axes; sides differ."""
    import keras

    pixels = PIXELS[:, :, :6]
    inputs = keras.Input((SIDE, 6, 2))
    same = keras.layers.Activation("linear", name="same")(inputs)
    convolution = keras.layers.Conv2D(3, 1)
    logits = convolution(same)
    if order == "rows and columns swapped":
        outputs = keras.layers.Permute((2, 1, 3))(keras.layers.Softmax()(logits))
        box = (positions[1], positions[0], positions[3], positions[2]) if len(positions) == 4 else positions
    else:
        outputs = keras.layers.Permute((3, 1, 2))(logits)
        outputs = keras.layers.Softmax(axis=1)(outputs)
        box = positions
    convolution.set_weights([WEIGHTS[None, None], np.zeros(3, np.float32)])
    model = keras.Model(inputs, outputs)
    inside = np.zeros((3, SIDE, 6), bool)
    if positions == "class 1":
        inside = (pixels @ WEIGHTS).argmax(axis=-1) == 1
    elif order == "rows and columns swapped":
        # Rows and columns are those of the output, whose rows are columns of the input.
        mask = np.zeros((3, 6, SIDE), bool)
        top, left, bottom, right = box if len(positions) == 4 else (2, 3, 3, 4)
        mask[:, top:bottom, left:right] = True
        positions, inside = mask, mask.transpose(0, 2, 1)
    else:
        top, left, bottom, right = box if len(positions) == 4 else (2, 3, 3, 4)
        inside[:, top:bottom, left:right] = True
    result = interpret(model, pixels=pixels, layer="same", target=2, positions=positions)
    heat = np.where(inside, (pixels @ WEIGHTS)[..., 2], 0)
    expected = heat / np.maximum(inside.sum(axis=(1, 2), keepdims=True), 1)
    np.testing.assert_allclose(result.heatmaps, expected, atol=1e-6)


def test_the_scale_of_agreement_is_that_of_the_shifted_positions():
    """A pixel is shifted with its image, by one position: its heat stays the only one of the map."""
    import keras

    layers = [keras.layers.Activation("linear", name="same"), keras.layers.Conv2D(3, 1, activation="softmax")]
    model = keras.Sequential([keras.Input((64, 64, 2)), *layers])
    pixels = np.random.default_rng(0).random((2, 64, 64, 2)).astype(np.float32)
    found = mlflow_interp.compare(
        model, model, pixels, {"hirescam": {"layer": "same"}}, target=0, positions=(30, 30),
        min_inputs=1, log=False, quiet=True,
    )  # fmt: skip
    _, ceiling = found.result.paired.agreements["hirescam"].anchors.levels
    assert ceiling > 0.99


def test_versions_are_explained_at_the_same_positions(segmentation):
    with pytest.raises(OptionError, match="give a box or masks, which are the same for both"):
        mlflow_interp.compare(segmentation, segmentation, PIXELS, positions="class 1", log=False, quiet=True)


def test_a_cache_holds_predictions_of_all_positions(segmentation, tmp_path):
    with pytest.raises(OptionError, match="omit cache or positions"):
        mlflow_interp.interpret(
            segmentation, PIXELS, "nearest_examples", positions=(2, 3), cache=tmp_path, log=False, quiet=True
        )


def test_occlusion_explains_the_pixels_of_the_input_as_it_is(segmentation):
    """Without a pixel, its contribution is gone; which pixels count does not change with the copy."""
    predicted = (PIXELS @ WEIGHTS).argmax(axis=-1) == 1
    options = {"patch": 1, "stride": 1, "baseline": 0, "positions": "class 1", "target": 1}
    result = interpret(segmentation, "occlusion", **options)
    np.testing.assert_allclose(result.heatmaps, linear(1, predicted), atol=1e-5)


@pytest.mark.parametrize("method", ["hirescam", "gradcam", "layercam", "occlusion"])
@pytest.mark.parametrize("anchor", [0, 6, 15])
def test_the_heat_of_an_anchor_is_in_its_cell(detector, method, anchor):
    options = {"patch": 1, "stride": 1} if method == "occlusion" else {"layer": "same"}
    result = interpret(detector, method, positions=anchor, target=1, **options)
    row, column = 2 * (anchor // 4), 2 * (anchor % 4)
    heat = np.abs(result.heatmaps)
    if method == "gradcam":  # which weights channels, not positions
        assert heat.max() > 0
        return
    assert heat[:, row : row + 2, column : column + 2].max() > 0
    heat[:, row : row + 2, column : column + 2] = 0
    assert heat.max() < 1e-6


def test_batch_size_changes_nothing(segmentation):
    masks = np.random.default_rng(1).random((3, SIDE, SIDE)) > 0.6
    one, other = (interpret(segmentation, positions=masks, layer="same", batch_size=size) for size in (1, 3))
    np.testing.assert_allclose(one.heatmaps, other.heatmaps, atol=1e-6)


def test_quality_measures_the_stated_positions(segmentation):
    """Deletion of what a box sees lowers its score; what lies outside changes nothing."""
    pixels = np.random.default_rng(2).random((2, SIDE, SIDE, 2)).astype(np.float32)
    options = {"of": {"hirescam": {"layer": "same"}}, "positions": "0,0,4,4", "quick": True, "baseline": 0}
    result = interpret(segmentation, "quality", pixels, **options)
    assert np.isfinite(result.curves).all()
    # From half of the pixels on, nothing of the box is left, and the score stays as it is.
    deleted = result.curves[:, 0, 0]
    assert np.ptp(deleted[:, 9:], axis=1).max() < 1e-5 < np.ptp(deleted, axis=1).min()


def test_masks_in_files(segmentation, tmp_path):
    import keras

    inputs = keras.Input((SIDE, SIDE, 3))
    same = keras.layers.Activation("linear", name="same")(inputs)
    model = keras.Model(inputs, keras.layers.Softmax()(keras.layers.Conv2D(3, 1)(same)))
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    (tmp_path / "masks").mkdir()
    for name in ("a", "b"):
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), np.uint8)).save(tmp_path / "photos" / f"{name}.png")
    mask = np.zeros((16, 16), np.uint8)
    mask[:8, 8:] = 255
    Image.fromarray(mask).save(tmp_path / "masks" / "a.png")
    options = {"layer": "same", "preprocess": "0..1", "log": False, "quiet": True, "target": 0}
    options |= {"positions": str(tmp_path / "masks")}
    with pytest.raises(InputsError, match=r"no mask for input 'b.png'"):
        mlflow_interp.interpret(model, str(tmp_path / "photos"), "hirescam", **options)
    Image.fromarray(mask.T).save(tmp_path / "masks" / "b.png")
    found = mlflow_interp.interpret(model, str(tmp_path / "photos"), "hirescam", **options)["hirescam"]
    heat = np.abs(found.result.heatmaps) > 0
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / "masks" / "b.png")
    with pytest.warns(mlflow_interp.exceptions.InterpretationWarning, match="no positions in masks"):
        found = mlflow_interp.interpret(model, str(tmp_path / "photos"), "hirescam", **options)["hirescam"]
    assert not found.result.heatmaps[1].any()
    assert heat[0].any()
    assert not heat[0, 4:].any()
    assert not heat[0, :, :4].any()
    assert heat[1].any()
    assert not heat[1, :4].any()
    assert not heat[1, :, 4:].any()


def test_an_input_without_such_pixels_is_named(segmentation):
    pixels = PIXELS.copy()
    pixels[1] = [1, 0]  # class 0 everywhere
    with pytest.warns(mlflow_interp.exceptions.InterpretationWarning, match="predicted as 1, so"):
        result = interpret(segmentation, pixels=pixels, layer="same", positions="class 1")
    assert not result.heatmaps[1].any()


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        ("class", "no images in|not a folder"),
        ("class ", "names no class"),
        ("class road", "no class is named 'road'"),
        ("-1,2", "whole numbers of 0 or more"),
        ("3,3,2,5", "not inside the model's input of 8×8"),
        ("3,3,9,9", "not inside the model's input of 8×8"),
        ("1,2,3", "has 3 numbers"),
        (np.ones((2, 8, 8)), "2 positions for 3 inputs"),
        (np.ones(3), "give whole numbers"),
    ],
)
def test_positions_that_do_not_fit(segmentation, positions, message):
    with pytest.raises((OptionError, InputsError), match=message):
        interpret(segmentation, positions=positions)


def test_an_anchor_that_does_not_exist(detector):
    with pytest.raises(OptionError, match="position 16 is out of range: the output has 0–15"):
        interpret(detector, positions=16)


def test_a_classifier_has_no_positions(tiny_cnn):
    with pytest.raises(OptionError, match="no class at each of many positions"):
        interpret(tiny_cnn, pixels=np.zeros((1, *tiny_cnn.input_shape[1:]), np.float32), positions=3)


def test_saliency_names_other_methods(segmentation):
    with pytest.raises(InapplicableError, match="omit positions, or use another"):
        interpret(segmentation, "saliency", positions=(2, 3))


def test_what_is_explained_is_stated(segmentation, tmp_path):
    found = mlflow_interp.interpret(
        segmentation, PIXELS, "hirescam", layer="same", positions="2,3,5,8", log=False, quiet=True
    )["hirescam"]
    assert found.manifest["parameters"]["positions"] == "2, 3, 5, 8"
    assert explained_name(found.result.explained, 0).endswith(" (positions 2, 3, 5, 8)")
    found = mlflow_interp.interpret(
        segmentation, PIXELS, "hirescam", layer="same", positions="2,3", save=tmp_path, log=False, quiet=True
    )
    loaded = mlflow_interp.load(tmp_path / "hirescam").result
    assert explained_name(loaded.explained, 0).endswith(" (positions 2, 3)")


@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_resized_masks_keep_their_share(rows, cells, data):
    values = data.draw(st.lists(st.booleans(), min_size=rows, max_size=rows))
    mask = np.array([values], np.float32)
    found = resized_masks(mask, (cells,))
    assert found.shape == (1, cells)
    assert found.mean() == pytest.approx(mask.mean(), abs=1e-5)
    assert found.min() >= -1e-6
    assert found.max() <= 1 + 1e-5


def test_masks_are_shares_of_cells():
    """Six pixels into four cells of one and a half: the second pixel is half in each of the first two."""
    found = resized_masks(np.array([[0, 1, 0, 1, 1, 1]], np.float32), (4,))
    np.testing.assert_allclose(found, [[1 / 3, 1 / 3, 1, 1]], atol=1e-6)


def test_options_are_parsed():
    assert parse_positions(None) is parse_positions("all") is None
    assert parse_positions("3, 5") == parse_positions([3, 5]) == OutputPositions((3, 5))
    assert parse_positions(np.int64(3)) == OutputPositions((3,))
    assert parse_positions("class a road").of_class == "a road"
    assert parse_positions("./masks").with_masks
