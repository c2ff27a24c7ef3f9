"""Reads an image file: every mode that Pillow supports, upright, with a given size and channels."""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mlflow_interp.backend.tensorflow_images import decode_jpeg
from mlflow_interp.core.digests import file_digest
from mlflow_interp.core.whole_image import LARGEST, WholeImage, crop_box, leaves_out
from mlflow_interp.data import tiff
from mlflow_interp.data.resizing import Resizing
from mlflow_interp.exceptions import InputsError, first_line

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
# Naming the formats keeps Pillow's rarer (and less tested) decoders away from unknown files.
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
MOST_PIXELS = 100_000_000  # checked before decoding: a PNG of 300 kB can decode to gigabytes
#: A path, or the content of a file.
ImageFile = Path | bytes
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_ORIENTATION = 0x0112  # EXIF tag; from 5 on, width and height are exchanged
# The errors that damaged files raise in Pillow's decoders.
_DECODING_ERRORS = (OSError, SyntaxError, ValueError, TypeError, Image.DecompressionBombError)


@dataclass(frozen=True, eq=False)
class ReadImage:
    """An image that was read.

    Attributes:
        pixels: (height, width, channels) uint8, or float32 where TensorFlow resized it.
        digest: of its file.
        is_resized: whether it was resized.
        whole: the whole image for display if a crop leaves out much of it; else None.
    """

    pixels: np.ndarray
    digest: bytes
    is_resized: bool
    whole: WholeImage | None = None


@dataclass(frozen=True)
class Form:
    """What an image file is turned into.

    Attributes:
        size: (height, width), or None for the size of the file.
        channels: 1 (grey), 3 (RGB) or 4 (RGBA).
        resizing: how images of another size are resized. If TensorFlow does it, it also decodes JPEGs.
    """

    size: tuple[int, int] | None
    channels: int
    resizing: Resizing = field(default_factory=Resizing)


def read_image(
    file: ImageFile, *, size: tuple[int, int] | None, channels: int, resizing: Resizing | None = None
) -> ReadImage:
    """Read an image file in one form; see `Form` and `read_forms`."""
    return read_forms(file, [Form(size, channels, resizing or Resizing())])[0]


def read_forms(file: ImageFile, forms: Sequence[Form]) -> list[ReadImage]:
    """Read an image file, which is decoded once, in one or more forms.

    EXIF rotation is applied, 16-bit is scaled to 8-bit, transparency becomes white, only the first frame
    of an animation is read.

    Raises:
        InputsError: the file is not an image, is damaged, or is too large.
    """
    try:
        with _opened(file) as content:
            with _open(content) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise InputsError(f"has {image.width}×{image.height} pixels, more than {MOST_PIXELS:,}")
                made = [_in_form(image, content, form) for form in forms]
            digest = file_digest(content)
    except _DECODING_ERRORS as error:
        if isinstance(error, InputsError):
            raise
        raise InputsError("is empty (0 bytes)" if _is_empty(file) else _first_line(error)) from error
    return [ReadImage(pixels, digest, is_resized, whole) for pixels, is_resized, whole in made]


def _in_form(image: Image.Image, file: BinaryIO, form: Form) -> tuple[np.ndarray, bool, WholeImage | None]:
    """Pixels, whether they were resized, and the whole image if a crop leaves out much of it."""
    if form.resizing.is_tensorflows:
        image = _as_tensorflow_decodes(image, file, form.channels)
    upright = _to_mode(ImageOps.exif_transpose(_to_eight_bits(image)), _MODES[form.channels])
    pixels = np.asarray(upright) if form.size is None else form.resizing.fit(upright, form.size)
    is_resized = pixels.shape[:2] != (upright.height, upright.width)
    whole = None if form.size is None or form.resizing.resize != "crop" else _whole(upright, form.size)
    return pixels[..., np.newaxis] if form.channels == 1 else pixels, is_resized, whole


@contextlib.contextmanager
def _opened(file: ImageFile) -> Iterator[io.BufferedReader | io.BytesIO]:
    """An open file: given a path, Pillow maps some TIFFs into memory, which breaks their orientation."""
    if isinstance(file, bytes):
        yield io.BytesIO(file)
        return
    if not file.is_file() and file.exists():
        raise InputsError("is a folder, a pipe or a device, not a file; give a file")
    with file.open("rb") as opened:
        yield opened


def _is_empty(file: ImageFile) -> bool:
    return not file if isinstance(file, bytes) else file.exists() and file.stat().st_size == 0


def image_size(file: ImageFile) -> tuple[int, int]:
    """The (height, width) of an image that can be read, upright.

    Raises:
        InputsError: the file can't be opened.
    """
    try:
        with _opened(file) as content, _open(content) as image:
            is_turned = image.getexif().get(_ORIENTATION, 1) >= 5
            return (image.width, image.height) if is_turned else (image.height, image.width)
    except _DECODING_ERRORS as error:
        raise InputsError(_first_line(error)) from error


def _whole(image: Image.Image, size: tuple[int, int]) -> WholeImage | None:
    """The whole image for display, None if a crop to the shape of `size` leaves out nearly nothing."""
    box = crop_box((image.height, image.width), size)
    if not leaves_out(box):
        return None
    # By a whole number, which is fast. Few are shown, and only these are reduced to their final size.
    times = max(image.size) // LARGEST
    reduced = image.reduce(times) if times > 1 else image
    return WholeImage(np.asarray(_to_mode(reduced, "RGB")), box)


def _open(file: BinaryIO) -> Image.Image:
    """Like `Image.open`, but without its warning about large images, for which there is a limit here.

    Images are read in threads, where warnings can't be caught because warning filters are global.
    """
    prefix = file.read(16)
    Image.preinit()
    if not Image.OPEN.keys() >= set(_FORMATS):
        Image.init()
    for name in _FORMATS:
        factory, accept = Image.OPEN[name]
        accepted = accept is None or accept(prefix)
        if accepted and not isinstance(accepted, str):  # a message if a library is missing
            file.seek(0)
            with contextlib.suppress(SyntaxError, IndexError, TypeError, struct.error):  # in another format
                image = factory(file, "")
                return tiff.read(file, MOST_PIXELS) if tiff.is_misread(image) else image
    if tiff.is_tiff(prefix):
        return tiff.read(file, MOST_PIXELS)
    raise UnidentifiedImageError


def _as_tensorflow_decodes(image: Image.Image, file: BinaryIO, channels: int) -> Image.Image:
    """An image with the pixels that TensorFlow decodes, which differ for JPEGs."""
    if image.format not in ("JPEG", "MPO") or image.mode not in ("L", "RGB"):
        return image
    file.seek(0)
    pixels = decode_jpeg(file.read(), 1 if channels == 1 else 3)
    decoded = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    decoded.info.update(image.info)  # including the image's orientation
    return decoded


def _first_line(error: BaseException) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "is not an image"
    return first_line(error)


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Scale 16 bits to 8: Pillow itself clips them at 255, and turns float TIFFs black."""
    if image.mode in ("I", "I;16", "I;16B", "I;16L", "I;16N"):
        values = np.asarray(image).astype(np.int64)
        # Pillow sometimes reads 16-bit PNG and PGM in mode "I"; a TIFF in that mode has other integers.
        if (image.mode == "I" and image.format == "TIFF") or values.min() < 0 or values.max() > 65535:
            raise tiff.without_range(tiff.kind_of(image))
        if tiff.is_white_zero(image):
            values = 65535 - values
        scaled = Image.fromarray(np.rint(values / 257).astype(np.uint8))
        scaled.info.update(image.info)
        if isinstance(image.info.get("transparency"), int):
            scaled.info["transparency"] = round(image.info["transparency"] / 257)
        return scaled
    if image.mode == "F":
        raise tiff.without_range(tiff.kind_of(image))
    return image


def _to_mode(image: Image.Image, mode: str) -> Image.Image:
    transparent = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    if mode != "RGBA" and transparent:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert(mode)


def find_images(folder: Path) -> list[Path]:
    """All image files below a folder, sorted by path, without hidden files and folders."""
    files = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and not path.is_dir())
    return sorted(path for path in files if not _is_hidden(path.relative_to(folder)))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
