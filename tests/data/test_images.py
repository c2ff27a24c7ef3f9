"""Reading images: exact pixels for every kind of file, and quick errors."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mlflow_interp.data.images import SUFFIXES, find_images, read_image
from mlflow_interp.data.resizing import Resizing
from mlflow_interp.exceptions import InputsError

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
ORIENTATION = 0x0112


def read(
    path: Path, *, channels: int = 3, size: tuple[int, int] | None = None, resize: str = "crop"
) -> np.ndarray:
    pixels = read_image(path, size=size, channels=channels, resizing=Resizing(resize)).pixels
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[-1] == channels
    return pixels


def error_message(path: Path, **options: Any) -> str:
    with pytest.raises(InputsError) as caught:
        read(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def save(image: Image.Image | np.ndarray, name: str = "picture.png", **options: Any) -> Path:
        image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
        image.save(tmp_path / name, **options)
        return tmp_path / name

    return save


@pytest.fixture
def colours() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)


# Kinds of pixels.


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.tiff", "a.ppm", "A.PNG"])
def test_rgb_is_unchanged(name: str, save: Callable[..., Path], colours: np.ndarray) -> None:
    np.testing.assert_array_equal(read(save(colours, name)), colours)


def test_lossless_webp_is_exact(save: Callable[..., Path], colours: np.ndarray) -> None:
    np.testing.assert_array_equal(read(save(colours, "a.webp", lossless=True)), colours)


@pytest.mark.parametrize("name", ["a.jpg", "a.jpeg", "a.webp"])
def test_lossy_formats_are_close(name: str, save: Callable[..., Path]) -> None:
    pixels = read(save(Image.new("RGB", (16, 16), (200, 100, 50)), name, quality=95))
    np.testing.assert_allclose(pixels, np.broadcast_to((200, 100, 50), (16, 16, 3)), atol=3)


def test_grey_to_colour_and_back(save: Callable[..., Path]) -> None:
    grey = np.arange(24, dtype=np.uint8).reshape(4, 6)
    path = save(grey)
    np.testing.assert_array_equal(read(path), np.repeat(grey[..., None], 3, axis=-1))
    np.testing.assert_array_equal(read(path, channels=1)[..., 0], grey)
    rgba = read(path, channels=4)
    np.testing.assert_array_equal(rgba[..., 0], grey)
    assert (rgba[..., 3] == 255).all()


def test_colour_to_grey(save: Callable[..., Path]) -> None:
    """The luma of ITU-R 601-2."""
    path = save(np.uint8([[RED, GREEN, BLUE, WHITE]]))
    assert read(path, channels=1).ravel().tolist() == [76, 150, 29, 255]


def test_transparent_pixels_become_white(save: Callable[..., Path]) -> None:
    pixels = np.uint8([[(255, 0, 0, 255), (255, 0, 0, 0), (0, 0, 0, 51)]])
    path = save(pixels)
    assert read(path).tolist() == [[list(RED), list(WHITE), [204, 204, 204]]]
    assert read(path, channels=1).ravel().tolist() == [76, 255, 204]
    np.testing.assert_array_equal(read(path, channels=4), pixels)


def test_grey_with_transparency_becomes_white(save: Callable[..., Path]) -> None:
    path = save(Image.merge("LA", [Image.new("L", (1, 1), 0), Image.new("L", (1, 1), 51)]))
    assert read(path).tolist() == [[[204, 204, 204]]]


@pytest.mark.parametrize("name", ["a.png", "a.gif"])
def test_palette_with_a_transparent_colour(name: str, save: Callable[..., Path]) -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([*RED, *GREEN, *BLUE])
    image.putdata([0, 1, 2])
    assert read(save(image, name, transparency=1)).tolist() == [[list(RED), list(WHITE), list(BLUE)]]


def test_palette_with_shades_of_transparency(save: Callable[..., Path]) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*BLACK, *BLACK])
    image.putdata([0, 1])
    assert read(save(image, transparency=b"\xff\x33"))[0, :, 0].tolist() == [0, 204]


def test_one_bit_images(save: Callable[..., Path]) -> None:
    image = Image.new("1", (2, 1))
    image.putdata([0, 255])
    assert read(save(image))[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize(
    ("ink", "colour"), [((0, 0, 0, 0), WHITE), ((0, 255, 255, 0), RED), ((0, 0, 0, 255), BLACK)]
)
def test_cmyk_jpeg_is_converted(
    ink: tuple[int, ...], colour: tuple[int, ...], save: Callable[..., Path]
) -> None:
    pixels = read(save(Image.new("CMYK", (8, 8), ink), "a.jpg", quality=100))
    np.testing.assert_allclose(pixels, np.broadcast_to(colour, (8, 8, 3)), atol=4)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_sixteen_bit_images_are_scaled(name: str, save: Callable[..., Path]) -> None:
    """Scaled rather than clipped at 255: 65535 is white, 257 is one step of 255."""
    values = np.uint16([[0, 128, 129, 257, 32767, 32896, 65278, 65535]])
    expected = [0, 0, 1, 1, 127, 128, 254, 255]
    path = save(values, name)
    assert read(path, channels=1).ravel().tolist() == expected
    assert read(path)[0, :, 1].tolist() == expected


def test_sixteen_bit_images_with_a_transparent_value(save: Callable[..., Path]) -> None:
    values = np.uint16([[0, 40000, 65535]])
    assert read(save(values, transparency=40000))[0, :, 0].tolist() == [0, 255, 255]


def _png(width: int, height: int, depth: int, kind: int, rows: bytes) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_sixteen_bit_colour_images(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(_png(1, 1, 16, 2, b"\0" + struct.pack(">HHH", 65535, 257 * 100, 0)))
    assert read(tmp_path / "a.png").tolist() == [[[255, 100, 0]]]


@pytest.mark.parametrize("values", [np.float32([[0, 0.5]]), np.float32([[0, 255]])])
def test_float_tiff_is_rejected(values: np.ndarray, save: Callable[..., Path]) -> None:
    assert "floating-point pixels have no fixed range" in error_message(save(values, "a.tif"))


@pytest.mark.parametrize("values", [[[0, 255]], [[-1, 5]], [[0, 70000]], [[0, 65535]]])
def test_32_bit_tiff_is_rejected(values: list[list[int]], save: Callable[..., Path]) -> None:
    assert "32-bit integer pixels have no fixed range" in error_message(save(np.int32(values), "a.tif"))


# Metadata of files.

UPRIGHT = np.uint8([[1, 2, 3], [4, 5, 6]]) * 40
AS_STORED: dict[int, np.ndarray] = {
    1: UPRIGHT,
    2: UPRIGHT[:, ::-1],
    3: UPRIGHT[::-1, ::-1],
    4: UPRIGHT[::-1],
    5: UPRIGHT.T,
    6: np.rot90(UPRIGHT),
    7: UPRIGHT[::-1, ::-1].T,
    8: np.rot90(UPRIGHT, -1),
}


@pytest.mark.parametrize("orientation", AS_STORED)
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("bits", [8, 16])
def test_exif_orientation_is_applied(
    orientation: int, name: str, bits: int, save: Callable[..., Path]
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = np.ascontiguousarray(AS_STORED[orientation])
    path = save(stored if bits == 8 else stored.astype(np.uint16) * 257, name, exif=exif)
    np.testing.assert_array_equal(read(path, channels=1)[..., 0], UPRIGHT)


def test_orientation_is_applied_before_resizing(save: Callable[..., Path]) -> None:
    """A phone photo: stored in landscape, 40 wide; upright it is 20 wide, with a red top half."""
    stored = np.zeros((20, 40, 3), np.uint8)
    stored[:, :20] = RED
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    path = save(stored, "a.jpg", exif=exif, quality=100)
    pixels = read(path, size=(40, 20), resize="pad")
    np.testing.assert_allclose(pixels[:16], np.broadcast_to(RED, (16, 20, 3)), atol=4)
    np.testing.assert_allclose(pixels[24:], 0, atol=4)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_invalid_orientations_are_ignored(orientation: int, save: Callable[..., Path]) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    np.testing.assert_array_equal(read(save(UPRIGHT, exif=exif), channels=1)[..., 0], UPRIGHT)


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp"])
def test_first_frame_of_an_animation_is_used(name: str, save: Callable[..., Path]) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, GREEN, BLUE)]
    options = {"lossless": True} if name == "a.webp" else {}
    pixels = read(save(frames[0], name, save_all=True, append_images=frames[1:], duration=100, **options))
    np.testing.assert_array_equal(pixels, np.broadcast_to(RED, (4, 4, 3)))


# Size.


def stripes() -> np.ndarray:
    """10 high, 30 wide: ten columns each of red, green and blue."""
    return np.repeat(np.uint8([[RED, GREEN, BLUE]]), 10, axis=1).repeat(10, axis=0)


def test_crop_keeps_the_centre_of_a_wide_image(save: Callable[..., Path]) -> None:
    pixels = read(save(stripes()), size=(10, 10), resize="crop")
    np.testing.assert_array_equal(pixels, np.broadcast_to(GREEN, (10, 10, 3)))


def test_crop_keeps_the_centre_of_a_tall_image(save: Callable[..., Path]) -> None:
    pixels = read(save(stripes().transpose(1, 0, 2).copy()), size=(10, 10), resize="crop")
    np.testing.assert_array_equal(pixels, np.broadcast_to(GREEN, (10, 10, 3)))


@pytest.mark.parametrize("tall", [False, True])
def test_pad_adds_black_on_both_sides(tall: bool, save: Callable[..., Path]) -> None:
    picture = stripes().transpose(1, 0, 2).copy() if tall else stripes()
    pixels = read(save(picture), size=(30, 30), resize="pad")
    pixels = pixels.transpose(1, 0, 2) if tall else pixels
    assert (pixels[:10] == 0).all()
    assert (pixels[20:] == 0).all()
    np.testing.assert_array_equal(pixels[10:20], stripes())


def test_stretch_keeps_the_whole_image(save: Callable[..., Path]) -> None:
    pixels = read(save(stripes()), size=(6, 12), resize="stretch")
    assert pixels.shape == (6, 12, 3)
    for column, colour in ((1, RED), (6, GREEN), (10, BLUE)):
        np.testing.assert_allclose(pixels[:, column], np.broadcast_to(colour, (6, 3)), atol=12)


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
def test_image_of_the_right_size_is_unchanged(
    resize: str, save: Callable[..., Path], colours: np.ndarray
) -> None:
    np.testing.assert_array_equal(read(save(colours), size=(4, 6), resize=resize), colours)


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 3)])
@pytest.mark.parametrize("size", [(1, 1), (5, 7), (224, 10)])
def test_extreme_aspect_ratios(
    shape: tuple[int, int], size: tuple[int, int], resize: str, save: Callable[..., Path]
) -> None:
    picture = np.full((*shape, 3), 77, np.uint8)
    pixels = read(save(picture), size=size, resize=resize)
    assert pixels.shape == (*size, 3)
    assert 77 in pixels
    assert set(np.unique(pixels)) <= ({0, 77} if resize == "pad" else {77})


@pytest.mark.parametrize(("channels", "expected"), [(1, [9]), (3, [9, 9, 9]), (4, [9, 9, 9, 255])])
def test_image_of_one_pixel(channels: int, expected: list[int], save: Callable[..., Path]) -> None:
    assert read(save(np.uint8([[9]])), channels=channels).tolist() == [[expected]]


# Errors.


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.tif", "a.bmp", "a.webp"])
@pytest.mark.parametrize("kept", [0.2, 0.6])
def test_truncated_file_is_rejected(name: str, kept: float, save: Callable[..., Path]) -> None:
    path = save(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8), name)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    assert error_message(path)


def test_empty_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    assert error_message(tmp_path / "a.png") == "is empty (0 bytes)"


@pytest.mark.parametrize(
    "content", [b"hello, this is text\n" * 20, b"\0" * 100, b"%PDF-1.4", b"<svg/>", b"\x89PNG"]
)
def test_file_that_is_not_an_image_is_rejected(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(content)
    assert error_message(tmp_path / "a.png") == "is not an image"


def test_missing_file_and_folder_are_rejected(tmp_path: Path) -> None:
    assert "No such file" in error_message(tmp_path / "missing.png")
    assert "is a folder, a pipe or a device" in error_message(tmp_path)


@pytest.mark.parametrize("suffix", [".eps", ".psd", ".ico", ".fli"])
def test_rare_decoders_are_not_used(suffix: str, tmp_path: Path) -> None:
    """The content determines the format, and formats not listed are not tried."""
    content = {".eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", ".psd": b"8BPS\0\1" + b"\0" * 40}
    (tmp_path / "a.png").write_bytes(content.get(suffix, b"\0\0\1\0\1\0" + b"\1" * 40))
    assert error_message(tmp_path / "a.png") == "is not an image"


@pytest.mark.parametrize("side", [9_700, 10_001, 13_000, 30_000])
def test_too_many_pixels_are_rejected_before_decoding(side: int, tmp_path: Path) -> None:
    """9,700² pixels are below the limit and fail for lack of data; the others fail earlier."""
    path = tmp_path / "bomb.png"
    path.write_bytes(_png(side, side, 8, 2, b""))
    error_message(path)  # the first call imports Pillow's plugins
    tracemalloc.start()
    started = time.monotonic()
    message = error_message(path, size=(8, 8))
    seconds, (_, peak) = time.monotonic() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    if side > 9_700:
        assert str(side) in message or str(side**2) in message
        assert seconds < 1
        assert peak < 5_000_000


# Folders.


def test_find_images_in_a_folder(tmp_path: Path) -> None:
    wanted = ["10.png", "2.JPG", "b/1.webp", "b/c/deep.tif", "b.png", "with space.gif", "ü.bmp"]
    others = ["notes.txt", ".hidden.png", ".git/a.png", "b/.cache/a.png", "a.npy", "png", "a.png.txt"]
    for name in wanted + others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    assert sorted(found) == sorted(wanted)
    assert found == [path.relative_to(tmp_path).as_posix() for path in sorted(find_images(tmp_path))]
    assert all(Path(name).suffix.lower() in SUFFIXES for name in found)


def test_hidden_parent_folder_is_searched(tmp_path: Path) -> None:
    (tmp_path / ".data").mkdir()
    (tmp_path / ".data" / "a.png").touch()
    assert find_images(tmp_path / ".data") == [tmp_path / ".data" / "a.png"]


def test_empty_folder_is_rejected(tmp_path: Path) -> None:
    assert find_images(tmp_path) == []
