"""Masks and boxes: read, moved with their images, matched by name and class."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.regions import REGIONS, Regions
from mlflow_interp.exceptions import InputsError, OptionError

NAMES = ("cat", "dog", "bird")


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def save_boxes(path: Path, boxes: list[tuple[str, list[float], str]], size: tuple[int, int] | None) -> Path:
    """A COCO file of (image, [x, y, width, height], category)."""
    images = sorted({name for name, _, _ in boxes})
    categories = sorted({category for _, _, category in boxes})
    stated = {} if size is None else {"height": size[0], "width": size[1]}
    content = {
        "images": [{"id": 7 + at, "file_name": name} | stated for at, name in enumerate(images)],
        "categories": [{"id": 3 + at, "name": name} for at, name in enumerate(categories)],
        "annotations": [
            {"image_id": 7 + images.index(name), "bbox": box, "category_id": 3 + categories.index(category)}
            for name, box, category in boxes
        ],
    }
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two images, one of which the model takes as it is; of the other it takes the middle."""
    rng = np.random.default_rng(0)
    for name, size in (("a.jpg", (8, 8, 3)), ("b.png", (8, 16, 3))):
        save(tmp_path / "photos" / name, rng.integers(0, 255, size, np.uint8))
    return tmp_path / "photos"


@pytest.fixture
def chunk_of(tiny_cnn: Any, batch_of: Callable[..., Any]) -> Callable[..., tuple[Chunk, list[str]]]:
    """A function of inputs and options that returns the first chunk, and the warnings of the batch."""

    def read(inputs: Any, **options: Any) -> tuple[Chunk, list[str]]:
        options = {"preprocess": "0..1", "interpolation": "bilinear", "resize": "crop"} | options
        batch = batch_of(tiny_cnn, inputs, class_names=NAMES, **options)
        return next(batch.chunks()), batch.warnings

    return read


def regions_of(chunk: Chunk, row: int) -> Regions:
    found = chunk.columns[REGIONS][row]
    assert isinstance(found, Regions)
    return found


class TestMasks:
    def test_move_with_their_images(self, photos: Path, chunk_of: Callable[..., Any]) -> None:
        save(photos.parent / "masks" / "a.png", np.pad(np.full((2, 3), 255, np.uint8), ((1, 5), (0, 5))))
        wide = np.zeros((8, 16), np.uint8)
        wide[2:4, 5:7] = 1  # columns 4 to 11 are what the model takes
        wide[:, 0] = 1
        save(photos.parent / "masks" / "b.png", wide)
        chunk, warnings = chunk_of(str(photos), masks=str(photos.parent / "masks"))
        expected = np.zeros((8, 8), bool)
        expected[1:3, :3] = True
        np.testing.assert_array_equal(regions_of(chunk, 0).of(1), expected)
        expected = np.zeros((8, 8), bool)
        expected[2:4, 1:3] = True
        np.testing.assert_array_equal(regions_of(chunk, 1).of(None), expected)
        assert not warnings

    def test_padding_is_outside(self, photos: Path, chunk_of: Callable[..., Any]) -> None:
        save(photos.parent / "masks" / "b.png", np.full((8, 16), 255, np.uint8))
        chunk, _ = chunk_of(str(photos), masks=photos.parent / "masks", resize="pad")
        expected = np.zeros((8, 8), bool)
        expected[2:6] = True
        np.testing.assert_array_equal(regions_of(chunk, 1).of(0), expected)

    @pytest.mark.parametrize("interpolation", ["tf-bilinear", "tf-area", "nearest", "lanczos"])
    @pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
    def test_stay_on_their_object(
        self, tmp_path: Path, chunk_of: Callable[..., Any], resize: str, interpolation: str
    ) -> None:
        """A bright rectangle in an image larger than the model's input, and its mask."""
        mask = np.zeros((48, 96), np.uint8)
        mask[12:30, 36:60] = 255
        save(tmp_path / "photos" / "a.png", np.repeat(mask[..., np.newaxis], 3, axis=-1))
        save(tmp_path / "masks" / "a.png", mask)
        options = {"resize": resize, "interpolation": interpolation}
        chunk, _ = chunk_of(str(tmp_path / "photos"), masks=tmp_path / "masks", **options)
        bright = chunk.inputs[0].mean(axis=-1)
        inside = regions_of(chunk, 0).of(0)
        assert bright[inside].min() >= 0.4
        assert bright[~inside].max() <= 0.6

    def test_turn_with_their_images(self, tmp_path: Path, chunk_of: Callable[..., Any]) -> None:
        """A camera's image that is stored on its side, and the mask of what a person sees."""
        (tmp_path / "photos").mkdir()
        turned = Image.Exif()
        turned[0x0112] = 6
        Image.new("RGB", (16, 8)).save(tmp_path / "photos" / "a.jpg", exif=turned)
        mask = np.zeros((16, 8), np.uint8)
        mask[4:6] = 255
        save(tmp_path / "masks" / "a.png", mask)
        chunk, _ = chunk_of(str(tmp_path / "photos"), masks=tmp_path / "masks")
        assert np.flatnonzero(regions_of(chunk, 0).of(0).all(axis=1)).tolist() == [0, 1]

    def test_class_folders(self, photos: Path, chunk_of: Callable[..., Any]) -> None:
        for folder in ("cat", "dog"):
            save(photos / folder / f"{folder}.png", np.zeros((8, 8, 3), np.uint8))
        (photos / "a.jpg").unlink()
        (photos / "b.png").unlink()
        save(photos.parent / "masks" / "cat" / "cat.png", np.full((8, 8), 255, np.uint8))
        save(photos.parent / "masks" / "dog.png", np.full((8, 8), 255, np.uint8))
        chunk, warnings = chunk_of(str(photos), masks=photos.parent / "masks")
        assert all(regions_of(chunk, row).of(0).all() for row in range(2))
        assert not warnings

    def test_images_without_one_are_named(self, photos: Path, chunk_of: Callable[..., Any]) -> None:
        save(photos.parent / "masks" / "a.png", np.full((8, 8), 255, np.uint8))
        chunk, warnings = chunk_of(str(photos), masks=photos.parent / "masks")
        assert chunk.columns[REGIONS][1] is None
        assert "1 of 2 images have no masks" in warnings[0]
        assert "b.png" in warnings[0]

    def test_several_values_are_one_region_with_a_warning(
        self, photos: Path, chunk_of: Callable[..., Any]
    ) -> None:
        for name, height in (("a", 8), ("b", 16)):
            save(
                photos.parent / "masks" / f"{name}.png", np.arange(8 * height).reshape(8, -1).astype(np.uint8)
            )
        chunk, warnings = chunk_of(str(photos), masks=photos.parent / "masks")
        assert regions_of(chunk, 0).of(0).sum() == 63
        assert len(warnings) == 1
        assert "all but 0 count as inside" in warnings[0]

    def test_arrays(self, pixels: np.ndarray, chunk_of: Callable[..., Any]) -> None:
        masks = np.zeros((5, 8, 8, 1), np.uint8)
        masks[2, 3, 4] = 9
        chunk, _ = chunk_of(pixels, masks=masks, preprocess="auto")
        assert np.argwhere(regions_of(chunk, 2).of(0)).tolist() == [[3, 4]]
        assert chunk.columns[REGIONS][0] is None

    def test_bad_input(self, photos: Path, pixels: np.ndarray, chunk_of: Callable[..., Any]) -> None:
        folder = photos.parent / "masks"
        with pytest.raises(InputsError, match="is not a folder; give a folder of masks"):
            chunk_of(str(photos), masks=str(folder))
        folder.mkdir()
        with pytest.raises(InputsError, match="no images in masks="):
            chunk_of(str(photos), masks=str(folder))
        save(folder / "z.png", np.zeros((8, 8), np.uint8))
        with pytest.raises(InputsError, match=r"images are named a\.jpg, b\.png, masks z; name them like"):
            chunk_of(str(photos), masks=str(folder))
        with pytest.raises(InputsError, match="not image files; give masks= as an array"):
            chunk_of(pixels, masks=str(folder))
        save(folder / "a.png", np.zeros((8, 16), np.uint8))
        with pytest.raises(InputsError, match=r"'a.png' has 16×8 pixels, a different shape than the 8×8"):
            chunk_of(str(photos), masks=str(folder))
        (folder / "a.png").write_bytes(b"no image")
        with pytest.raises(InputsError, match=r"mask .*a.png' is not an image; give another mask"):
            chunk_of(str(photos), masks=str(folder))
        with pytest.raises(InputsError, match="there are 4 masks for 5 inputs"):
            chunk_of(pixels, masks=np.zeros((4, 8, 8)))
        with pytest.raises(InputsError, match=r"masks are float64 values of shape \(5,\)"):
            chunk_of(pixels, masks=np.zeros(5))


class TestBoxes:
    def test_of_the_class_that_their_category_is_named_like(
        self, photos: Path, chunk_of: Callable[..., Any]
    ) -> None:
        boxes = [
            ("a.jpg", [1, 2, 3, 4], "dog"),
            ("a.jpg", [0, 0, 1, 1], "cat"),
            ("b.png", [5, 0, 2, 8], "Dog"),
        ]
        chunk, warnings = chunk_of(str(photos), boxes=save_boxes(photos.parent / "boxes.json", boxes, None))
        expected = np.zeros((8, 8), bool)
        expected[2:6, 1:4] = True
        np.testing.assert_array_equal(regions_of(chunk, 0).of(1), expected)
        assert np.argwhere(regions_of(chunk, 0).of(0)).tolist() == [[0, 0]]
        assert regions_of(chunk, 0).of(2) is None
        assert regions_of(chunk, 0).of(None).sum() == 13
        assert np.flatnonzero(regions_of(chunk, 1).of(1).all(axis=0)).tolist() == [1, 2]
        assert not warnings

    def test_other_categories_count_for_every_class(self, photos: Path, chunk_of: Callable[..., Any]) -> None:
        boxes = [(name, [0.0, 0.0, 8.0, 8.0], "animal") for name in ("a.jpg", "b.png")]
        chunk, warnings = chunk_of(str(photos), boxes=save_boxes(photos.parent / "boxes.json", boxes, None))
        assert regions_of(chunk, 0).of(2).all()
        assert "categories of boxes are not class names (animal)" in warnings[0]

    def test_some_categories_are_left_out(self, photos: Path, chunk_of: Callable[..., Any]) -> None:
        boxes = [("a.jpg", [0.0, 0.0, 8.0, 8.0], each) for each in ("dog", "tree")]
        chunk, warnings = chunk_of(str(photos), boxes=save_boxes(photos.parent / "boxes.json", boxes, None))
        assert len(regions_of(chunk, 0).classes) == 1
        assert any("not class names are left out: tree" in each for each in warnings)

    def test_of_a_larger_image_are_scaled(self, photos: Path, chunk_of: Callable[..., Any]) -> None:
        boxes = [("a.jpg", [100.0, 0.0, 300.0, 800.0], "dog")]
        chunk, _ = chunk_of(str(photos), boxes=save_boxes(photos.parent / "boxes.json", boxes, (800, 800)))
        assert np.flatnonzero(regions_of(chunk, 0).of(1).all(axis=0)).tolist() == [1, 2, 3]

    def test_bad_input(self, photos: Path, chunk_of: Callable[..., Any]) -> None:
        path = photos.parent / "boxes.json"
        with pytest.raises(InputsError, match=r"boxes can't be read from .*boxes.json'"):
            chunk_of(str(photos), boxes=str(path))
        path.write_text("{")
        with pytest.raises(InputsError, match="give a COCO JSON file"):
            chunk_of(str(photos), boxes=str(path))
        for content in (
            "[]",
            "{}",
            '{"images": 3, "annotations": []}',
            '{"images": [{}], "annotations": []}',
        ):
            path.write_text(content)
            with pytest.raises(InputsError, match="is not a COCO file"):
                chunk_of(str(photos), boxes=str(path))
        path.write_text('{"images": [], "annotations": []}')
        with pytest.raises(InputsError, match="has no annotations"):
            chunk_of(str(photos), boxes=str(path))
        save_boxes(path, [("a.jpg", [0.0, 0.0, 1.0, 1.0], "dog")], (8, 16))
        with pytest.raises(InputsError, match=r"of an image of 16×8 pixels, and the image has 8×8"):
            chunk_of(str(photos), boxes=str(path))
        save_boxes(path, [("c.jpg", [0.0, 0.0, 1.0, 1.0], "dog")], None)
        with pytest.raises(InputsError, match="there are no boxes for any image"):
            chunk_of(str(photos), boxes=str(path))
        with pytest.raises(OptionError, match="both masks and boxes"):
            chunk_of(str(photos), boxes=str(path), masks=np.zeros((2, 8, 8)))
