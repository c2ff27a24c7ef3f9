"""How an image is parametrised, so that gradient steps produce an image instead of noise.

In a spectrum with larger weights for low frequencies, and with colours along the axes of natural images, the
same objective has a better direction of steepest ascent (Olah et al. 2017, "Feature Visualization";
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

# The square root of the covariance of ImageNet's colours, as in Lucid; its columns are the axes.
_COLOUR_AXES = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], np.float32)
COLOUR_CORRELATION = _COLOUR_AXES / np.linalg.norm(_COLOUR_AXES, axis=0).max()

FINE_COLOUR = 0.1  # cycles per pixel above which colour steps are shorter
NEIGHBOUR_DISTANCE = 1  # rows and columns of a spectrum, either way, that share their squared gradients


@dataclass(frozen=True)
class ImageParam:
    """The parametrisation of images.

    Attributes:
        size: (height, width) in pixels.
        channels: 1 (grey) or 3 (colour).
        parametrization: "fourier" or "pixel".
        colours: "decorrelated" or "true"; has no effect on grey images.
        value_range: how unbounded values are mapped to 0..1: "sigmoid" or "clip".
        decay_power: the exponent with which weights decay with frequency; 0 is white, 1 is natural.
    """

    size: Size
    channels: int
    parametrization: Parametrization = "fourier"
    colours: Colours = "decorrelated"
    value_range: ValueRange = "sigmoid"
    decay_power: float = 1.0

    @property
    def decorrelates(self) -> bool:
        """Whether channels are colour axes, the first of them roughly brightness."""
        return self.colours == "decorrelated" and self.channels == 3

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one image's variable: (2, channels, frequencies…), or pixels."""
        height, width = self.size
        if self.parametrization == "pixel":
            return (height, width, self.channels)
        return (2, self.channels, height, width // 2 + 1)


def noise(param: ImageParam, indices: Iterable[int], *, stddev: float, seed: int) -> np.ndarray:
    """Initial variables, (n, *param.shape) float32, each seeded by the index of its input.

    The result for an input therefore does not depend on the other inputs.
    """
    generators = [np.random.default_rng((seed, index)) for index in indices]
    samples = [generator.standard_normal(param.shape, np.float32) for generator in generators]
    return np.stack(samples) * np.float32(stddev)


def to_image(param: ImageParam, variable: Any) -> Any:
    """(variables) => (images (n, height, width, channels) in 0..1), differentiable."""
    import tensorflow as tf

    image = variable
    if param.parametrization == "fourier":
        real, imaginary = tf.unstack(variable * _frequency_weights(param), axis=1)
        image = tf.transpose(tf.signal.irfft2d(tf.complex(real, imaginary), param.size), (0, 2, 3, 1))
    if param.decorrelates:
        image = tf.tensordot(image, COLOUR_CORRELATION.T, 1)
    return tf.sigmoid(image) if param.value_range == "sigmoid" else tf.clip_by_value((image + 1) / 2, 0, 1)


def _frequency_weights(param: ImageParam) -> np.ndarray:
    """The weight of each frequency, (rows, columns) float32: a power law, and 0 at the Nyquist frequency."""
    height, width = param.size
    weights = _frequency(param) ** -param.decay_power
    # The Nyquist frequency has no phase.
    weights[np.arange(height) * 2 == height] = 0
    weights[:, np.arange(width // 2 + 1) * 2 == width] = 0
    return np.asarray(weights * np.sqrt(height * width) / 4, np.float32)


def learning_rate_scale(param: ImageParam) -> np.ndarray:
    """The learning rate factor of each value, float32, which broadcasts to the variable.

    Low frequencies take longer steps and high frequencies shorter ones, as images of middle and late layers
    then converge faster. If brightness has its own axis, the other two axes take even shorter steps at high
    frequencies: images have little fine colour, JPEG keeps even less, and gradients there are mostly noise.
    """
    if param.parametrization == "pixel":
        return np.ones((), np.float32)
    frequency = _frequency(param)
    scale = np.stack([0.4 * frequency**-0.4] * param.channels)
    if param.decorrelates:
        scale[1:] *= np.minimum(1, FINE_COLOUR / frequency)
    return np.asarray(scale, np.float32)


def neighbourhood_mean(param: ImageParam, squares: Any) -> Any:
    """(squared gradients of variables) => (their means over neighbouring values, which broadcast to them).

    The neighbours of a value are both parts of its frequency and of the frequencies around it, in every
    channel. A pixel has no neighbours.
    """
    import tensorflow as tf

    if param.parametrization == "pixel":
        return squares
    height, width = param.size
    rows = _banded_mean(height, height)  # rows are periodic
    columns = _banded_mean(width // 2 + 1)
    return rows @ tf.reduce_mean(squares, axis=1, keepdims=True) @ columns.T


def _banded_mean(count: int, period: float = np.inf) -> np.ndarray:
    """A matrix that averages over the positions within `NEIGHBOUR_DISTANCE`, (count, count) float32."""
    distance = np.abs(np.arange(count)[:, np.newaxis] - np.arange(count))
    band = np.minimum(distance, period - distance) <= NEIGHBOUR_DISTANCE
    return np.asarray(band / band.sum(axis=1, keepdims=True), np.float32)


def _frequency(param: ImageParam) -> np.ndarray:
    """Cycles per pixel, (rows, columns); at least the lowest frequency above zero."""
    height, width = param.size
    vertical = np.fft.fftfreq(height)[:, np.newaxis]
    horizontal = np.arange(width // 2 + 1) / width
    return np.asarray(np.maximum(np.hypot(vertical, horizontal), 1 / max(height, width)))
