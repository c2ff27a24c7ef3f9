"""TIFFs from scientific instruments: deep, inverted, signed or floating-point; Pillow can't read them all."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from mlflow_interp.exceptions import InputsError, first_line

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the last two are BigTIFF
_BITS, _PHOTOMETRIC, _ORIENTATION, _PLANES, _SAMPLE_FORMAT = 258, 262, 274, 284, 339  # tags
_APART = 2
_KINDS = {1: "{}-bit integer", 2: "signed {}-bit integer", 3: "{}-bit floating-point"}
_WHITE_IS_ZERO = 0


def is_tiff(prefix: bytes) -> bool:
    """Whether a file with this beginning is a TIFF."""
    return prefix.startswith(_MAGIC)


def kind_of(image: Image.Image) -> str:
    """The type of an image's pixels as text, such as "signed 16-bit integer"."""
    tags = getattr(image, "tag_v2", {})
    if not tags:
        return "floating-point" if image.mode == "F" else "32-bit integer"
    bits, sample_format = (_first(tags.get(tag), 1) for tag in (_BITS, _SAMPLE_FORMAT))
    return _KINDS.get(sample_format, "{}-bit").format(bits)


def without_range(kind: str) -> InputsError:
    """The error for pixels without a fixed range."""
    return InputsError(f"{kind} pixels have no fixed range; convert the file to unsigned 8 or 16 bits")


def is_white_zero(image: Image.Image) -> bool:
    """Whether 0 is white. Pillow inverts such images if they have 8 bits, but not if they have 16."""
    return bool(getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO)


def is_misread(image: Image.Image) -> bool:
    """Whether Pillow misreads an image without an error: deep colours in separate planes."""
    tags = getattr(image, "tag_v2", {})
    return _first(tags.get(_PLANES), 1) == _APART and _first(tags.get(_BITS), 1) > 8


def read(file: BinaryIO, most_pixels: int) -> Image.Image:
    """The first page of a TIFF that Pillow can't read, as 8 bits.

    Raises:
        InputsError: it can't be read, its pixels have no fixed range, or tifffile is not installed.
    """
    try:
        import tifffile
    except ImportError as error:
        raise InputsError(
            "is a TIFF that Pillow can't read; install tifffile, which supports more formats: "
            "pip install 'mlflow-interp[tiff]'"
        ) from error
    file.seek(0)
    try:
        with tifffile.TiffFile(file) as opened:
            page: Any = opened.pages[0]
            if page.imagewidth * page.imagelength > most_pixels:
                raise InputsError(
                    f"has {page.imagewidth}×{page.imagelength} pixels, more than {most_pixels:,}"
                )
            _check_range(page.dtype)
            values = _channels_last(page.asarray(), page.axes)
            return _as_image(values, page)
    except InputsError:
        raise
    # Damaged files raise almost any error.
    except Exception as error:
        raise InputsError(f"is a TIFF that can't be read: {first_line(error)}") from error


def _check_range(dtype: Any) -> None:
    bits = 8 * np.dtype(dtype).itemsize
    kind = {"u": 1, "i": 2, "f": 3}.get(np.dtype(dtype).kind, 0)
    if kind != 1 or bits > 16:
        raise without_range(_KINDS.get(kind, "{}-bit").format(bits))


def _channels_last(values: np.ndarray, axes: str) -> np.ndarray:
    order = [axes.index(axis) for axis in "YXS" if axis in axes]
    if sorted(order) != list(range(values.ndim)):
        raise InputsError(f"is a TIFF with axes {axes}; save one image, with or without channels")
    return np.transpose(values, order)


def _as_image(values: np.ndarray, page: Any) -> Image.Image:
    """An 8-bit image, and its orientation."""
    deepest = np.iinfo(values.dtype).max
    if int(page.photometric) == _WHITE_IS_ZERO:
        values = deepest - values
    pixels = values if deepest == 255 else np.rint(values / 257).astype(np.uint8)
    channels = pixels.shape[-1] if pixels.ndim == 3 else 1
    if channels not in (1, 3, 4):
        raise InputsError(f"has {channels} channels; images have 1, 3 or 4")
    image = Image.fromarray(pixels if channels > 1 else pixels.reshape(pixels.shape[:2]))
    orientation = page.tags.get(_ORIENTATION)
    if orientation is not None:
        image.getexif()[_ORIENTATION] = int(orientation.value)
    return image


def _first(value: Any, default: int) -> int:
    value = value[0] if isinstance(value, tuple) and value else value
    return default if value is None else int(value)
