"""The whole image is shown, with the frame of what the model sees of it where the crop was cut."""

from __future__ import annotations

import base64
import io
import json
import pickle
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageOps

from mlflow_interp.core.chunk import Chunk, join, some
from mlflow_interp.core.whole_image import LARGEST, WholeImage, crop_box, leaves_out
from mlflow_interp.data.images import read_image
from mlflow_interp.data.resizing import Resizing
from mlflow_interp.drawing.whole import frame_of, within_wholes
from mlflow_interp.method_registry import kind_of
from tests.interpretations import examples, results


@pytest.mark.parametrize(
    ("size", "target", "box"),
    [
        ((400, 200), (224, 224), (0.25, 0, 0.5, 1)),  # a portrait: the middle half
        ((200, 400), (224, 224), (0, 0.25, 1, 0.5)),
        ((300, 300), (224, 224), (0, 0, 1, 1)),
        ((300, 300), (100, 200), (0.25, 0, 0.5, 1)),
        ((300, 400), (224, 224), (0, 0.125, 1, 0.75)),
    ],
)
def test_the_box_of_a_centre_crop(size, target, box):
    assert crop_box(size, target) == pytest.approx(box)
    assert leaves_out(crop_box(size, target)) == (box != (0, 0, 1, 1))


@pytest.fixture
def portrait(tmp_path):
    """A file of 200 × 400 pixels: red above, green in the middle half, blue below."""
    pixels = np.zeros((400, 200, 3), np.uint8)
    pixels[:100, :, 0] = pixels[100:300, :, 1] = pixels[300:, :, 2] = 255
    Image.fromarray(pixels).save(tmp_path / "portrait.png")
    return tmp_path / "portrait.png"


@pytest.mark.parametrize("interpolation", ["lanczos", "tf-bilinear"])
def test_the_box_holds_what_the_crop_holds(portrait, interpolation):
    """Read as the model takes it: only green. In the whole image, all colours, and green in the box."""
    read = read_image(portrait, size=(64, 64), channels=3, resizing=Resizing("crop", interpolation))
    assert read.pixels[2:-2, :, 1].min() > 250
    whole = read.whole.reduced()
    assert whole.pixels.shape == (LARGEST, LARGEST // 2, 3)
    top, left, height, width = (round(LARGEST * each) for each in whole.box)
    assert (top, left, height, width) == (80, 0, 160, LARGEST)
    column = whole.pixels[:, 80]
    assert column[78].tolist() == [255, 0, 0]
    assert column[82].tolist() == column[237].tolist() == [0, 255, 0]
    assert column[242].tolist() == [0, 0, 255]


@pytest.mark.parametrize("resize", ["pad", "stretch"])
def test_nothing_is_left_out_where_nothing_is_cropped(portrait, resize):
    assert read_image(portrait, size=(64, 64), channels=3, resizing=Resizing(resize)).whole is None
    assert read_image(portrait, size=(400, 200), channels=3).whole is None
    assert read_image(portrait, size=None, channels=3).whole is None


def test_a_photograph_that_was_turned_is_shown_upright(tmp_path):
    """Orientation 6: stored lying, 400 × 200; to be turned by 90 degrees."""
    image = Image.fromarray(np.zeros((200, 400, 3), np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif)
    whole = read_image(tmp_path / "turned.jpg", size=(64, 64), channels=1).whole.reduced()
    with Image.open(tmp_path / "turned.jpg") as stored:
        assert ImageOps.exif_transpose(stored).size == (200, 400)
    assert whole.pixels.shape == (LARGEST, LARGEST // 2, 3)
    assert whole.box == pytest.approx((0.25, 0, 0.5, 1))


def whole_of(height, width, box, value=200):
    return WholeImage(np.full((height, width, 3), value, np.uint8), box)


def test_wholes_stay_with_their_images():
    numbers = np.arange(3)
    wholes = (whole_of(8, 4, (0.25, 0, 0.5, 1)), None, whole_of(4, 8, (0, 0.25, 1, 0.5)))
    chunk = Chunk(numbers, ("a", "b", "c"), numbers, numbers, np.zeros((3, 4, 4, 3), np.uint8), wholes=wholes)
    assert some(chunk, np.array([2, 1])).wholes == (wholes[2], None)
    uncropped = replace(some(chunk, np.array([1])), wholes=())
    assert join([some(chunk, np.array([0])), uncropped]).wholes == (wholes[0], None)
    assert join([uncropped, uncropped]).wholes == ()
    assert pickle.loads(pickle.dumps(chunk)).wholes[0].box == wholes[0].box


def decoded(source):
    """The pixels of a data: URI."""
    with Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as image:
        return np.asarray(image)


def with_wholes(count=3):
    """Grad-CAM of images of one grey, the first of which is a portrait of another."""
    shown = examples(count, pictures=np.full((count, 224, 224, 3), 100, np.uint8))
    shown = replace(shown, wholes=(whole_of(320, 160, (0.25, 0, 0.5, 1)), *(None,) * (count - 1)))
    found = results(shown)
    for name, result in found.items():
        if hasattr(result, "explained"):
            found[name] = replace(result, explained=replace(result.explained, examples=shown))
        elif name in ("caricature", "umap"):
            found[name] = replace(result, examples=shown)
    return found


def test_heat_is_drawn_within_the_frame_only():
    """A portrait of 320 × 160 with its middle half cropped: rows 80 to 239 hold the crop."""
    result = with_wholes()["gradcam"]
    tiles = kind_of("gradcam").make_tiles(result)
    framed = within_wholes(tiles, result.examples.wholes, tiles.headings)
    assert {tile.shape for each in framed.pixels for tile in each} == {(320, 320, 3)}
    assert frame_of(result.examples.wholes[0], (320, 160)) == (80, 0, 160, 160)
    image, heat = framed.pixels[0]
    portrait = heat[:, 80:240]  # 160 pixels wide, in the middle of 320
    assert (heat[:, :80] == 255).all()
    assert (heat[:, 240:] == 255).all()
    assert (portrait[:80] == 200).all()
    assert (portrait[240:] == 200).all()
    assert np.ptp(portrait[84:236, 4:-4].astype(int)) > 60  # heat
    assert (image[84:236, 84:236] == 100).all()
    for row in (80, 81, 238, 239):  # the frame's outer line is dark, the inner one white
        assert (portrait[row] == (0x1B, 0x1F, 0x24)).all()
    assert (portrait[[82, 83, 236, 237], 2:-2] == 255).all()
    # An image that is not cropped is as large as it can be.
    assert (framed.pixels[1][0] == 100).all()


@pytest.mark.parametrize("method", ["saliency", "caricature"])
def test_where_other_tiles_are_maps_the_whole_image_has_their_size(method):
    result = with_wholes()[method]
    tiles = kind_of(method).make_tiles(result)
    framed = within_wholes(tiles, result.examples.wholes, ("image",))
    size = tiles.pixels[0][0].shape
    assert {tile.shape for each in framed.pixels for tile in each} == {size}
    for before, after in zip(tiles.pixels[0][1:], framed.pixels[0][1:], strict=True):
        assert before is after
    assert (framed.pixels[0][0][:, :20] == 255).all()


@pytest.mark.parametrize("method", ["gradcam", "saliency", "caricature"])
def test_figures_and_panels_show_the_frame_and_say_so(method):
    from matplotlib.figure import Figure

    result, kind = with_wholes()[method], kind_of(method)
    figure = kind.draw(result)
    assert "The frame marks the part of the image that the model sees." in " ".join(
        text.get_text() for text in figure.texts
    ).replace("  ", " ")
    axes = Figure().subplots()
    kind.draw_panel(axes, result, 0)
    drawn = np.asarray(axes.images[0].get_array())
    assert (drawn == (0x1B, 0x1F, 0x24)).all(axis=2).sum() > 100
    without = kind.draw(results(examples(2, pictures=np.full((2, 32, 32, 3), 9, np.uint8)))[method])
    assert not any("frame" in text.get_text() for text in without.texts)


def test_the_page_of_a_method_has_heat_within_the_frame_only():
    result = with_wholes()["gradcam"]
    page = kind_of("gradcam").page(result)
    first, second, _ = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    picture, heat = (decoded(first[name]) for name in ("picture", "heat"))
    assert picture.shape == (448, 224, 3)  # the crop has 224 pixels, and is half of the whole
    assert np.abs(picture[:110] - 200.0).max() <= 4
    assert np.abs(picture[120:328, 8:-8] - 100.0).max() <= 4
    assert heat.shape == (224, 112, 4)
    assert heat[56:168, :, 3].max() > 240
    assert not heat[:56, :, 3].any()
    assert not heat[168:, :, 3].any()
    assert decoded(second["picture"]).shape == (224, 224, 3)


def test_the_page_of_a_run_has_the_whole_image_and_the_box_of_the_crop():
    view = kind_of("gradcam").view(with_wholes()["gradcam"])
    first, second, _ = view.inputs
    assert first["whole"]["box"] == [0.25, 0, 0.5, 1]
    height, width, _ = decoded(first["whole"]["source"]).shape
    assert height == 2 * width
    assert "whole" not in second


def test_whole_images_come_back_from_what_is_stored():
    result = with_wholes()["gradcam"]
    kind = kind_of("gradcam")
    facts = kind.facts(result)
    restored = kind.restored(result.arrays(), facts, result.examples.images).examples.wholes
    assert [each is None for each in restored] == [False, True, True]
    assert restored[0].box == result.examples.wholes[0].box
    assert np.abs(restored[0].pixels.astype(int) - 200).max() <= 2
    for broken in ({"image": "data:image/png;base64,AAAA", "box": [0, 0, 1, 1]}, {"image": "x"}):
        with pytest.raises((ValueError, OSError, KeyError)):
            kind.restored(result.arrays(), facts | {"whole_images": [broken] * 3}, None)


def test_a_difference_keeps_the_whole_images():
    result = with_wholes()["gradcam"]
    found = result.difference(result)
    assert found.examples.wholes == result.examples.wholes


def test_a_selection_holds_small_images_only():
    """However large files are: what is read is less than twice as large, what is kept at most `LARGEST`."""
    from mlflow_interp.core.passed import Passed
    from mlflow_interp.core.selection import Selection

    numbers = np.arange(5)
    wholes = tuple(whole_of(600, 300, (0.25, 0, 0.5, 1)) for _ in numbers)
    images = np.zeros((5, 8, 8, 3), np.uint8)
    chunk = Chunk(numbers, tuple("abcde"), numbers, numbers, images, wholes=wholes)
    selection = Selection(2)
    selection.update(chunk, Passed())
    kept = selection.chunk()
    assert [whole.pixels.shape for whole in kept.wholes] == [(LARGEST, LARGEST // 2, 3)] * 2


def test_a_large_file_is_reduced_while_it_is_read(tmp_path):
    Image.fromarray(np.zeros((3000, 1000, 3), np.uint8)).save(tmp_path / "large.png")
    whole = read_image(tmp_path / "large.png", size=(64, 64), channels=3).whole
    assert LARGEST <= max(whole.pixels.shape) < 2 * LARGEST
