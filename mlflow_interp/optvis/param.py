"""How an image is written down, so that steps along the gradient make a picture and not noise.

Written as a spectrum whose low frequencies weigh more, with colours along the axes of natural pictures,
the same objective is climbed from a better direction (Olah et al. 2017, "Feature Visualization";
Mordvintsev et al. 2018, "Differentiable Image Parameterizations").
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Parametrization = Literal["fourier", "pixel"]
Colours = Literal["decorrelated", "true"]
ValueRange = Literal["sigmoid", "clip"]

Size = tuple[int, int]

# The square root of the covariance of ImageNet's colours, as Lucid has it; columns are its axes.
_COLOUR_AXES = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], np.float32)
COLOUR_CORRELATION = _COLOUR_AXES / np.linalg.norm(_COLOUR_AXES, axis=0).max()

FINE_COLOUR = 0.1  # cycles a pixel, above which colour moves less
REACH = 1  # rows and columns of a spectrum, either way, that share their squared gradients


@dataclass(frozen=True)
class ImageParam:
    """How images are written down.

    Attributes:
        size: (height, width) in pixels.
        channels: 1 (grey) or 3 (colour).
        parametrization: "fourier" or "pixel".
        colours: "decorrelated" or "true"; grey has nothing to decorrelate.
        value_range: how unbounded values become 0..1: "sigmoid" or "clip".
        decay_power: the power with which a frequency's weight falls; 0 is white, 1 is natural.
    """

    size: Size
    channels: int
    parametrization: Parametrization = "fourier"
    colours: Colours = "decorrelated"
    value_range: ValueRange = "sigmoid"
    decay_power: float = 1.0

    @property
    def decorrelates(self) -> bool:
        """Whether channels are axes of colour, the first of them about brightness."""
        return self.colours == "decorrelated" and self.channels == 3

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one image's variable: (2, channels, frequencies…), or pixels."""
        height, width = self.size
        if self.parametrization == "pixel":
            return (height, width, self.channels)
        return (2, self.channels, height, width // 2 + 1)


def noise(canvas: ImageParam, indices: Iterable[int], *, stddev: float, seed: int) -> np.ndarray:
    """Variables to start from, (n, *canvas.shape) float32, each drawn from its own input's index.

    So an input starts, and ends, the same whichever others are with it.
    """
    drawn = [_normal(canvas, seed, index) for index in indices]
    return np.stack(drawn) * np.float32(stddev)


def _normal(canvas: ImageParam, seed: int, index: int) -> np.ndarray:
    return np.random.default_rng((seed, index)).standard_normal(canvas.shape, np.float32)


def to_image(canvas: ImageParam, variable: Any) -> Any:
    """(variables) => (images (n, height, width, channels) in 0..1), differentiable."""
    import tensorflow as tf

    image = variable
    if canvas.parametrization == "fourier":
        real, imaginary = tf.unstack(variable * _weights(canvas), axis=1)
        image = tf.transpose(tf.signal.irfft2d(tf.complex(real, imaginary), canvas.size), (0, 2, 3, 1))
    if canvas.decorrelates:
        image = tf.tensordot(image, COLOUR_CORRELATION.T, 1)
    return tf.sigmoid(image) if canvas.value_range == "sigmoid" else tf.clip_by_value((image + 1) / 2, 0, 1)


def _weights(canvas: ImageParam) -> np.ndarray:
    """What each frequency counts, (rows, columns) float32: falls with its power, 0 at Nyquist's."""
    height, width = canvas.size
    weights = _frequency(canvas) ** -canvas.decay_power
    # Nyquist's frequency has no phase of its own.
    weights[np.arange(height) * 2 == height] = 0
    weights[:, np.arange(width // 2 + 1) * 2 == width] = 0
    return np.asarray(weights * np.sqrt(height * width) / 4, np.float32)


def pace(canvas: ImageParam) -> np.ndarray:
    """How much further than others a step should move each value, float32, to be multiplied with it.

    Low frequencies move further, high ones less: images of middle and late layers grow faster so. Where
    brightness has an axis of its own, the other two move less still at high frequencies: pictures have
    little fine colour, JPEG keeps even less, and gradients there are mostly noise.
    """
    if canvas.parametrization == "pixel":
        return np.ones((), np.float32)
    frequency = _frequency(canvas)
    paces = np.stack([0.4 * frequency**-0.4] * canvas.channels)
    if canvas.decorrelates:
        paces[1:] *= np.minimum(1, FINE_COLOUR / frequency)
    return np.asarray(paces, np.float32)


def neighbourhood(canvas: ImageParam, squares: Any) -> Any:
    """(squared gradients of variables) => (what broadcasts to them: means over values that are much alike).

    Those are both parts of a frequency and of the frequencies around it. Pixels are as they are.
    """
    import tensorflow as tf

    if canvas.parametrization == "pixel":
        return squares
    height, width = canvas.size
    down, across = _banded(height, height), _banded(width // 2 + 1)  # rows are periodic
    return down @ tf.reduce_mean(squares, axis=1, keepdims=True) @ across.T


def _banded(count: int, period: float = np.inf) -> np.ndarray:
    """A matrix that takes means over the places within reach, (count, count) float32."""
    apart = np.abs(np.arange(count)[:, np.newaxis] - np.arange(count))
    near = np.minimum(apart, period - apart) <= REACH
    return np.asarray(near / near.sum(axis=1, keepdims=True), np.float32)


def _frequency(canvas: ImageParam) -> np.ndarray:
    """Cycles a pixel, (rows, columns); at least the lowest above zero."""
    height, width = canvas.size
    down, across = np.fft.fftfreq(height)[:, np.newaxis], np.arange(width // 2 + 1) / width
    return np.asarray(np.maximum(np.hypot(down, across), 1 / max(height, width)))
