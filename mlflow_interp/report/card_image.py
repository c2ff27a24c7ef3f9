"""The square image of a card in MLflow's charts, made from a figure."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

LARGEST = 1_600  # pixels of a side
_QUALITY = 90
_WHITE = 255
# A figure that is higher than wide is cut between two rows of inputs; at least this part of the card is used.
_LEAST_USED = 0.55


def card(image: Image.Image) -> Image.Image:
    """A square with the image in its middle, on white.

    Of an image that is higher than wide, it shows the upper part down to the widest gap between its rows, or
    all of it if there is no gap.

    Args:
        image: RGB; a figure, or a step of a computation.
    """
    if image.height > image.width:
        image = image.crop((0, 0, image.width, _cut(np.asarray(image))))
    image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    side = max(image.size)
    square = Image.new("RGB", (side, side), (_WHITE,) * 3)
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


def _cut(pixels: np.ndarray) -> int:
    """The middle of the widest blank band of pixel rows near the end of a square; else the last row."""
    height, width = pixels.shape[:2]
    blank = (pixels[: width + 1] == _WHITE).all(axis=(1, 2))
    blank[: int(_LEAST_USED * width)] = False
    edges = np.flatnonzero(np.diff(np.r_[False, blank, False].astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return int(height)
    longest = (ends - starts).max()
    # Gaps between rows of inputs differ by a pixel; the last one leaves the most to see.
    best = np.flatnonzero(ends - starts >= longest - 2)[-1]
    return int(starts[best] + ends[best]) // 2


def webp(image: Image.Image) -> bytes:
    """An image as WebP bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=_QUALITY)
    return buffer.getvalue()
