"""Images as arrays: rescaled, shown, reduced to thumbnails. NumPy, and Pillow to resample."""

from __future__ import annotations

import numpy as np
from PIL import Image


def rescale(values: np.ndarray) -> np.ndarray:
    """Map each row of (n, …) linearly to 0..1 as float32; a constant row becomes zeros."""
    axes = tuple(range(1, values.ndim))
    values = np.asarray(values, np.float32)
    low = values.min(axis=axes, keepdims=True)
    high = values.max(axis=axes, keepdims=True)
    span = np.where(high > low, high - low, 1)
    return np.asarray((values - low) / span, np.float32)


def shown_as_images(inputs: np.ndarray, *, channels_first: bool = False) -> np.ndarray | None:
    """Show model inputs (n, h, w, c) as (n, h, w, 3) uint8; None where they aren't images.

    uint8 stays as it is; anything else is rescaled row by row, as its range is not known. Without an axis
    of channels, (n, h, w) are images where their sides are of similar length; others are signals.
    """
    if inputs.ndim == 4 and channels_first:
        inputs = np.moveaxis(inputs, 1, -1)
    if inputs.ndim == 3:
        short, long = sorted(inputs.shape[1:])
        if short < 8 or long > 4 * short:
            return None
        inputs = inputs[..., np.newaxis]
    if inputs.ndim != 4 or inputs.shape[-1] not in (1, 3, 4) or min(inputs.shape[1:3]) < 2:
        return None
    if inputs.dtype != np.uint8:
        inputs = np.rint(rescale(inputs) * 255).astype(np.uint8)
    return np.repeat(inputs, 3, axis=-1) if inputs.shape[-1] == 1 else inputs[..., :3]


def most_side(total: int | None) -> int:
    """Most pixels of a thumbnail's side, so that a page of them stays small: 64 for few, 24 for many."""
    if total is None:
        return 32
    return next((side for most, side in ((500, 64), (2_000, 48), (8_000, 32)) if total <= most), 24)


def thumbnails(images: np.ndarray, most: int) -> np.ndarray:
    """Images (n, h, w, 3) uint8 as (n, side, side, 3): uncropped, padded with black where not square."""
    height, width = images.shape[1:3]
    scale = min(1.0, most / max(height, width))
    rows = max(1, round(height * scale))
    columns = max(1, round(width * scale))
    side = max(rows, columns)
    top = (side - rows) // 2
    left = (side - columns) // 2
    padded = np.zeros((len(images), side, side, 3), np.uint8)
    for index, image in enumerate(images):
        resized = Image.fromarray(image).resize((columns, rows), Image.Resampling.BOX)
        padded[index, top : top + rows, left : left + columns] = resized
    return padded
