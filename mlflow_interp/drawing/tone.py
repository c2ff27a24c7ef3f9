"""Tone mapping of optimised images: how they are drawn, so that they are not black and white in places.

An optimisation pushes many values to the ends of their range, where differences can no longer be seen. The
arrays of a result hold the image itself; figures and pages show it with softer contrasts.
"""

from __future__ import annotations

import numpy as np

SATURATED = 5 / 255  # distance from black or white up to which a value counts as saturated
MOST_SATURATED = 0.04  # of the values of a drawn image
_JUST_NOT = 5.6 / 255  # the distance of a value that in 8 bits is just not saturated
_END = np.log(1 / _JUST_NOT - 1)  # its log-odds
_FINEST = 1e-6  # distance from black or white of a clipped value


def saturation(image: np.ndarray) -> float:
    """The share of the values of an image in 0..1 that are saturated."""
    return float(((image <= SATURATED) | (image >= 1 - SATURATED)).mean())


def toned(image: np.ndarray) -> np.ndarray:
    """An image in 0..1 with softer contrasts, so that at most 4 % of its values are saturated.

    The log-odds of all values are divided by the same number, if that is needed at all: mid grey stays as it
    is, the order of values too, and differences that were squeezed together near black and white come apart.

    Args:
        image: (height, width, channels) float in 0..1.

    Returns:
        float32, of the same shape.
    """
    values = np.clip(np.asarray(image, np.float64), _FINEST, 1 - _FINEST)
    odds = np.log(values) - np.log1p(-values)
    reached = float(np.quantile(np.abs(odds), 1 - MOST_SATURATED))
    if reached <= _END:
        return np.asarray(image, np.float32)
    return np.asarray(1 / (1 + np.exp(-odds * (_END / reached))), np.float32)


def drawn(image: np.ndarray) -> np.ndarray:
    """An optimised image as it is drawn: (height, width, channels) in 0..1 => (height, width, 3) uint8."""
    pixels = np.rint(toned(image) * 255).astype(np.uint8)
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels[..., :3]
