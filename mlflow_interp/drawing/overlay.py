"""Overlays heat on an image."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image


def relative(values: np.ndarray) -> np.ndarray:
    """Divide each row of (n, …) by its largest absolute value: 0 stays 0, the strongest is 1 or -1."""
    axes = tuple(range(1, values.ndim))
    peak = np.abs(values).max(axis=axes, keepdims=True)
    return np.asarray(values / np.where(peak > 0, peak, 1), np.float32)


def resize_map(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resample one (h, w) map to (height, width), bilinearly, as float32."""
    image = Image.fromarray(np.asarray(values, np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def plane_at(volume: np.ndarray, share: float) -> np.ndarray:
    """The plane of a volume (depth, h, w) at a fraction of its depth, interpolated between two planes."""
    position = share * (len(volume) - 1)
    before = math.floor(position)
    after = math.ceil(position)
    return np.asarray(volume[before] + (position - before) * (volume[after] - volume[before]))


def overlay(image: np.ndarray, heat: np.ndarray, colours: np.ndarray, opacity: float) -> np.ndarray:
    """Blend colours over an image, more strongly the larger the absolute heat.

    Args:
        image: (height, width, 3) uint8.
        heat: (height, width) in -1..1; 0 leaves the image unchanged.
        colours: (height, width, 3) in 0..1.
        opacity: the opacity of the strongest heat, 0..1.
    """
    alpha = (np.abs(heat) * opacity)[..., np.newaxis]
    mixed = (1 - alpha) * image + alpha * colours * 255
    return np.asarray(np.clip(np.rint(mixed), 0, 255), np.uint8)
