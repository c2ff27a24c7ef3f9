"""Unusual and invalid images on the command line: read correctly, left out with a warning, or rejected."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

COLOUR = (200, 40, 90)  # of the top left quarter, which distinguishes rotated images
OTHER = (10, 220, 60)


def picture(width: int = 16, height: int = 16) -> Image.Image:
    image = Image.new("RGB", (width, height), OTHER)
    image.paste(COLOUR, (0, 0, width // 2, height // 2))
    return image


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    """A PNG whose header need not match its data."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def turned(kind: str, orientation: int) -> bytes:
    """An image stored rotated, with the EXIF orientation that restores it."""
    back = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    return encoded(picture().transpose(back[orientation]), kind, exif=exif, **options)


def sixteen_bit() -> bytes:
    return encoded(Image.fromarray(np.full((16, 16), 128 * 257, np.uint16)), "PNG")


def palette() -> Image.Image:
    return picture().quantize(8)


def see_through() -> Image.Image:
    image = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    image.paste((*COLOUR, 255), (0, 0, 8, 8))
    return image


def jpeg(image: Image.Image, **options: Any) -> bytes:
    return encoded(image, "JPEG", quality=100, subsampling=0, **options)


WHITE, GREY = (255, 255, 255), (128, 128, 128)
PALE = (228, 148, 172)  # COLOUR, half transparent, on white
TELLTALE = "<img src=x onerror=alert(1)>"

#: By file name: its content, and the top left pixel that the model must receive.
ODD: dict[str, tuple[bytes, tuple[int, int, int]]] = {
    "animated.gif": (
        encoded(palette(), "GIF", save_all=True, append_images=[Image.new("P", (16, 16))]),
        COLOUR,
    ),
    "animated.webp": (
        encoded(picture(), "WEBP", lossless=True, save_all=True, append_images=[Image.new("RGB", (16, 16))]),
        COLOUR,
    ),
    "animated.png": (
        encoded(picture(), "PNG", save_all=True, append_images=[Image.new("RGB", (16, 16))]),
        COLOUR,
    ),
    "pages.tif": (
        encoded(picture(), "TIFF", save_all=True, append_images=[Image.new("RGB", (16, 16))]),
        COLOUR,
    ),
    "packed.tiff": (encoded(picture(), "TIFF", compression="tiff_lzw"), COLOUR),
    "cmyk.jpg": (jpeg(picture().convert("CMYK")), COLOUR),
    "cmyk.tif": (encoded(picture().convert("CMYK"), "TIFF"), COLOUR),
    "progressive.jpeg": (jpeg(picture(), progressive=True), COLOUR),
    "sixteen.png": (sixteen_bit(), GREY),
    "sixteen.pgm": (b"P5 16 16 65535\n" + b"\x80\x80" * 256, GREY),
    "big-endian.tif": (
        encoded(Image.frombytes("I;16B", (16, 16), b"\x80\x80" * 256), "TIFF"),
        GREY,
    ),
    "palette.png": (encoded(palette(), "PNG"), COLOUR),
    "palette-clear.png": (encoded(palette(), "PNG", transparency=bytes(8)), WHITE),
    "one-bit.png": (encoded(Image.new("1", (16, 16), 1), "PNG"), WHITE),
    "grey.png": (encoded(Image.new("L", (16, 16), 128), "PNG"), GREY),
    "grey-clear.png": (encoded(Image.new("LA", (16, 16), (0, 0)), "PNG"), WHITE),
    "clear.png": (encoded(see_through(), "PNG"), COLOUR),
    "half-clear.png": (encoded(Image.new("RGBA", (16, 16), (*COLOUR, 127)), "PNG"), PALE),
    "turned-3.jpg": (turned("JPEG", 3), COLOUR),
    "turned-6.jpg": (turned("JPEG", 6), COLOUR),
    "turned-8.png": (turned("PNG", 8), COLOUR),
    "turned-6.webp": (
        turned("WEBP", 6),
        None,
    ),  # lossy: compared below with Pillow's result for the upright image
    "one-pixel.png": (encoded(Image.new("RGB", (1, 1), COLOUR), "PNG"), COLOUR),
    "thin.png": (encoded(Image.new("RGB", (1, 5000), COLOUR), "PNG"), COLOUR),
    "flat.png": (encoded(Image.new("RGB", (5000, 1), COLOUR), "PNG"), COLOUR),
    "a-png.jpg": (encoded(picture(), "PNG"), COLOUR),
    "a-jpeg.png": (jpeg(picture()), COLOUR),
    "a-gif.bmp": (encoded(palette(), "GIF"), COLOUR),
    "LOUD.PNG": (encoded(picture(), "PNG"), COLOUR),
    "tail.png": (encoded(picture(), "PNG") + b"<script>alert(1)</script>" * 100, COLOUR),
    "Größe 大きさ 🙂.png": (encoded(picture(), "PNG"), COLOUR),
    "\u202egnp.exe.png": (encoded(picture(), "PNG"), COLOUR),
    "two\nlines.png": (encoded(picture(), "PNG"), COLOUR),
    "C#.png": (encoded(picture(), "PNG"), COLOUR),
    "what?.png": (encoded(picture(), "PNG"), COLOUR),
    "up..%2f..%2fx.png": (encoded(picture(), "PNG"), COLOUR),
    "up\\..\\..\\x.png": (encoded(picture(), "PNG"), COLOUR),
    f"{TELLTALE}.png": (encoded(picture(), "PNG"), COLOUR),
    "=1+1;cmd.png": (encoded(picture(), "PNG"), COLOUR),
    "-dash.png": (encoded(picture(), "PNG"), COLOUR),
    "$(touch ran).png": (encoded(picture(), "PNG"), COLOUR),
    "$\\frac{$.png": (encoded(picture(), "PNG"), COLOUR),
    "n" * 251 + ".png": (encoded(picture(), "PNG"), COLOUR),
}

whole = encoded(picture(64, 64), "PNG")
noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))

#: By file name: its content, and what the message must contain.
BAD: dict[str, tuple[bytes, str]] = {
    "empty.png": (b"", "is empty (0 bytes)"),
    "truncated.png": (encoded(noise, "PNG")[:3000], "truncated"),
    "truncated.jpg": (encoded(noise, "JPEG")[:1500], "truncated"),
    "truncated.webp": (encoded(noise, "WEBP")[:800], ""),
    "truncated.tif": (encoded(noise, "TIFF")[:200], ""),
    "signature.png": (whole[:8], "is not an image"),
    "header.png": (whole[:40], ""),
    "flipped.png": (whole[:60] + bytes([whole[60] ^ 255]) + whole[61:], ""),
    "text.png": (b"just text\n", "is not an image"),
    "page.jpg": (b"<!doctype html><script>alert(1)</script>", "is not an image"),
    "drawing.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not an image"),
    "paper.png": (b"%PDF-1.7\n", "is not an image"),
    "script.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not an image"),
    "array.png": (b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'}", "is not an image"),
    "archive.png": (b"PK\x03\x04" + bytes(60), "is not an image"),
    "pickle.png": (b"\x80\x04cos\nsystem\n", "is not an image"),
    "bomb.png": (png(30_000, 30_000, chunk(b"IDAT", zlib.compress(b""))), "30000×30000 pixels, more than"),
    "wide-bomb.png": (png(2**31 - 1, 2**31 - 1), ""),
    "bomb.gif": (b"GIF89a" + b"\xff\xff\xff\xff" + bytes(40), "is not an image"),
    "bomb.ppm": (b"P6 50000 50000 255\n", "50000"),
    "text-bomb.png": (
        png(8, 8, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(200_000_000), 9))),
        "",
    ),
    "no-size.png": (png(0, 0), ""),
    "backwards.bmp": (b"BM" + struct.pack("<IHHIIiiHH", 60, 0, 0, 54, 40, -4, 4, 1, 24), ""),
    "floating.tif": (encoded(Image.new("F", (8, 8)), "TIFF"), "floating-point pixels"),
    "thirty-two.tif": (encoded(Image.fromarray(np.full((8, 8), 70_000, np.int32)), "TIFF"), "32-bit"),
}  # fmt: skip


def save(folder: Path, files: dict[str, tuple[bytes, Any]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, (content, _) in files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def read(
    read_pixels: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], Any]:
    """All unusual images in one folder, in one call."""
    return read_pixels(save(tmp_path_factory.mktemp("odd") / "in", ODD), "--resize", "stretch")


@pytest.mark.parametrize("name", ODD, ids=lambda name: name[:30].encode("unicode_escape").decode())
def test_unusual_images_are_read_correctly(name: str, read: tuple[dict[str, Any], Any]) -> None:
    pixels, warned = read
    assert not [line for line in warned if "left out" in line]
    expected = ODD[name][1]
    if expected is None:
        assert abs(np.subtract(pixels[name], COLOUR)).max() < 60
    else:
        assert abs(np.subtract(pixels[name], expected)).max() <= 3  # JPEG, and rounding of the odds


@pytest.fixture(scope="module")
def beside(
    read_pixels: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], Any]:
    """All invalid images and a valid one in one folder, in one call."""
    folder = save(tmp_path_factory.mktemp("bad") / "in", BAD)
    (folder / "good.png").write_bytes(encoded(picture(), "PNG"))
    return read_pixels(folder)


def test_invalid_images_do_not_affect_valid_ones(beside: tuple[dict[str, Any], Any]) -> None:
    pixels, warned = beside
    assert list(pixels) == ["good.png"]
    assert pixels["good.png"] == pytest.approx(COLOUR, abs=1)
    assert sum("was left out" in line for line in warned) == 3
    assert f"{len(BAD) - 3} more inputs were left out; the manifest lists them" in "".join(warned)


@pytest.mark.parametrize("name", BAD)
def test_single_invalid_image_is_rejected(
    name: str, run_gradcam: Callable[..., Result], assert_error: Callable[..., str], tmp_path: Path
) -> None:
    folder = save(tmp_path, {name: BAD[name]})
    assert_error(run_gradcam(folder / name), "no input could be read from", name, BAD[name][1])


def test_links_pipes_and_devices_are_rejected(
    run_gradcam: Callable[..., Result], assert_error: Callable[..., str], tmp_path: Path
) -> None:
    """Broken and circular links, a folder, a pipe without a writer, an endless device."""
    (tmp_path / "broken.png").symlink_to(tmp_path / "nothing.png")
    (tmp_path / "circle.png").symlink_to(tmp_path / "circle.png")
    (tmp_path / "endless.png").symlink_to("/dev/zero")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    line = assert_error(run_gradcam(tmp_path), "no input could be read from")
    assert "broken.png: [Errno 2] No such file" in line
    for name in ("broken", "circle", "pipe", "endless"):
        assert_error(run_gradcam(tmp_path / f"{name}.png"), f"{name}.png")
    assert_error(run_gradcam(tmp_path / "folder.png"), "no images in")


def test_unreadable_image_is_reported(
    run_gradcam: Callable[..., Result], read_pixels: Callable[..., Any], assert_error: Callable[..., str],
    make_unreadable: Callable[[Path], None], tmp_path: Path,
) -> None:  # fmt: skip
    save(tmp_path, {"secret.png": (whole, None), "good.png": (whole, None)})
    make_unreadable(tmp_path / "secret.png")
    assert_error(run_gradcam(tmp_path / "secret.png"), "secret.png", "Permission denied")
    pixels, warned = read_pixels(tmp_path)
    assert list(pixels) == ["good.png"]
    assert "secret.png was left out" in warned[0]


NOWHERE = {
    "long": "x" * 300 + ".png",
    "longer": "y" * 5000,
    "up": "../../../../../../../nothing/x.png",
    "null": "a\0b.png",
    "empty": "",
    "blank": " ",
    "glob": "[",
    "home": "~nobody-of-this-name/x.png",
    "html": TELLTALE,
    "newline": "a\nb",
    "unknown scheme": "foo://bar/x.png",
    "run": "runs:/0123/x",
    "keras": "keras:imagenet",
    "file": "file:///nothing/x.png",
    "suffix": __file__,
}


@pytest.mark.parametrize("kind", NOWHERE)
def test_missing_path_is_rejected(
    kind: str, run_gradcam: Callable[..., Result], assert_error: Callable[..., str]
) -> None:
    assert_error(run_gradcam(NOWHERE[kind]), repr(NOWHERE[kind][:20]).strip("'"))


def test_empty_folder_is_rejected(
    run_gradcam: Callable[..., Result], assert_error: Callable[..., str], tmp_path: Path
) -> None:
    assert_error(run_gradcam(tmp_path), "no images in")


def test_nothing_is_written_to_the_folder_of_inputs(
    read: tuple[dict[str, Any], Any], tmp_path: Path, read_pixels: Callable[..., Any]
) -> None:
    """Names that look like paths or commands are not interpreted."""
    folder = save(tmp_path / "a" / "b" / "in", {name: ODD[name] for name in list(ODD)[-14:]})
    before = sorted(tmp_path.rglob("*"))
    read_pixels(folder)
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("ran").exists()
