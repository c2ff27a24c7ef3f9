"""Transforms of an image: small rotations, zooms and shifts, and the mapping to a model's input values.

A pattern that survives them is part of the image; a pattern that a shift by a pixel destroys is noise that
only fools the network (Olah et al. 2017, "Feature Visualization").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.optvis.param import Size


def draw_crops(generator: np.random.Generator, count: int, *, zoom: float, shift: float) -> np.ndarray:
    """(count, 4) float32 boxes: top, left, bottom, right as fractions of height and width, drawn uniformly.

    Args:
        generator: the source of randomness.
        count: the number of boxes.
        zoom: the largest change of scale in either direction.
        shift: the largest shift in either direction, as a fraction of height and width.
    """
    sides = 1 / (1 + generator.uniform(-zoom, zoom, (count, 1)))
    centres = 0.5 + generator.uniform(-shift, shift, (count, 2))
    return np.concatenate([centres - sides / 2, centres + sides / 2], axis=1).astype(np.float32)


def crop(images: Any, boxes: Any, *, outside: float) -> Any:
    """(images (n, h, w, c), boxes (1 or n, 4)) => (their content, at the same size), `outside` beyond."""
    import tensorflow as tf

    count = tf.shape(images)[0]
    boxes = tf.broadcast_to(boxes, (count, 4))
    size = tuple(images.shape[1:3])
    crops = tf.image.crop_and_resize(images, boxes, tf.range(count), size, extrapolation_value=outside)
    return tf.ensure_shape(crops, images.shape)


def draw_views(
    generator: np.random.Generator, count: int, *, rotation: float, zoom: float, shift: float
) -> np.ndarray:
    """(count, 2, 3) affine maps from the view to the image, from the centre, in units of the longer side.

    A view is therefore independent of the image size. A rotation costs three times as much as a crop.

    Args:
        generator: the source of randomness.
        count: the number of views.
        rotation: the largest rotation in degrees in either direction.
        zoom: the largest change of scale in either direction.
        shift: the largest shift in either direction, as a fraction of the longer side.
    """
    angle = np.deg2rad(generator.uniform(-rotation, rotation, count))
    scale = 1 / (1 + generator.uniform(-zoom, zoom, count))
    vertical, horizontal = generator.uniform(-shift, shift, (2, count))
    cosine = scale * np.cos(angle)
    sine = scale * np.sin(angle)
    x_rows = np.stack([cosine, -sine, horizontal], -1)
    y_rows = np.stack([sine, cosine, vertical], -1)
    return np.stack([x_rows, y_rows], axis=1)


def pixel_transforms(views: np.ndarray, size: Size) -> np.ndarray:
    """Views as transforms for `warp`, for images of a given size: (count, 8) float32."""
    height, width = size
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    linear = views[:, :, :2]
    offset = views[:, :, 2] * max(size) + centre - linear @ centre
    rows = np.concatenate([linear, offset[:, :, np.newaxis]], axis=2).reshape(-1, 6)
    return np.concatenate([rows, np.zeros((len(rows), 2))], axis=1).astype(np.float32)


def warp(images: Any, transforms: Any) -> Any:
    """(images (n, h, w, c), transforms (1 or n, 8)) => (warped images), mirrored beyond their edges."""
    import tensorflow as tf

    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=tuple(images.shape[1:3]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )


@dataclass(frozen=True, eq=False)
class InputMapping:
    """How an image in 0..1 is mapped to a model input: channel by channel, times `span` plus `black`.

    Attributes:
        span: (n, channels) float32, white minus black.
        black: (n, channels) float32.
        reverse: whether the model takes BGR channels.
        channels_first: whether it takes (channels, height, width).
    """

    span: np.ndarray
    black: np.ndarray
    reverse: bool = False
    channels_first: bool = False


def find_mapping(
    images: np.ndarray, inputs: np.ndarray, *, channels_first: bool, blue_first: bool | None = None
) -> InputMapping:
    """How images were mapped to inputs, found by comparing the two.

    Preprocessing of images is linear in each channel, whether it is none, 0..1, -1..1 or one of
    keras.applications, so the line through an input's pixels is exact and does not depend on the name of the
    preprocessing. Images that are all grey do not show the order of the channels.

    Args:
        images: (n, height, width, 3) uint8 as displayed.
        inputs: (n, height, width, channels) float32 as the model takes them, or channels first.
        channels_first: whether inputs have channels first.
        blue_first: whether inputs have BGR channels; None to determine that too.
    """
    values = np.moveaxis(inputs, 1, -1) if channels_first else inputs
    pixels = images[..., : values.shape[-1]] / np.float32(255)
    fits = {reverse: _fit_lines(pixels[..., :: -1 if reverse else 1], values) for reverse in (False, True)}
    reverse = bool(fits[True][2] < 0.99 * fits[False][2]) if blue_first is None else blue_first
    span, black, _ = fits[reverse]
    return InputMapping(span, black, reverse, channels_first)


def _fit_lines(pixels: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Slope and offset of each row's channels (n, c), and the sum of squared residuals."""
    axes = (1, 2)
    mean_pixel = pixels.mean(axis=axes, dtype=np.float64)
    mean_value = values.mean(axis=axes, dtype=np.float64)
    deviation = pixels - mean_pixel[:, np.newaxis, np.newaxis]
    variance = (deviation**2).sum(axis=axes, dtype=np.float64)
    covariance = (deviation * values).sum(axis=axes, dtype=np.float64)
    slope = covariance / np.where(variance > 0, variance, 1)
    slope = np.where(variance > 0, slope, _fallback_slope(pixels, values, covariance, variance))
    offset = mean_value - slope * mean_pixel
    residuals = pixels * slope[:, np.newaxis, np.newaxis] + offset[:, np.newaxis, np.newaxis] - values
    return slope.astype(np.float32), offset.astype(np.float32), float((residuals**2).sum())


def _fallback_slope(
    pixels: np.ndarray, values: np.ndarray, covariance: np.ndarray, variance: np.ndarray
) -> float:
    """The slope of a channel with a single value: that of the other channels, or of a line through zero."""
    if variance.any():
        return float(covariance.sum() / variance.sum())
    squares = float((pixels**2).sum())
    return float((pixels * values).sum() / squares) if squares else 1.0


def feed(images: Any, span: Any, black: Any, mapping: InputMapping) -> Any:
    """(images (n, h, w, c) in 0..1, span and black (n, c)) => (inputs of the model)."""
    import tensorflow as tf

    images = images[..., ::-1] if mapping.reverse else images
    inputs = images * span[:, tf.newaxis, tf.newaxis] + black[:, tf.newaxis, tf.newaxis]
    return tf.transpose(inputs, (0, 3, 1, 2)) if mapping.channels_first else inputs
