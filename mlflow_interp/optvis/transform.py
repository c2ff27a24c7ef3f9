"""How an image is seen: under small turns, zooms and shifts, and in the values a model is fed.

What survives them is in the picture; what a shift by a pixel destroys is noise that only fools the
network (Olah et al. 2017, "Feature Visualization").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.optvis.param import Size


def draw_crops(generator: np.random.Generator, count: int, *, zoom: float, shift: float) -> np.ndarray:
    """(count, 4) float32 boxes: top, left, bottom, right in shares of height and width, drawn uniformly.

    Args:
        generator: what to draw from.
        count: how many.
        zoom: most change of scale, either way.
        shift: most shift, either way, as a share of height and width.
    """
    sides = 1 / (1 + generator.uniform(-zoom, zoom, (count, 1)))
    centres = 0.5 + generator.uniform(-shift, shift, (count, 2))
    return np.concatenate([centres - sides / 2, centres + sides / 2], axis=1).astype(np.float32)


def crop(images: Any, boxes: Any, *, outside: float) -> Any:
    """(images (n, h, w, c), boxes (1 or n, 4)) => (what is in them, at that size), `outside` beyond."""
    import tensorflow as tf

    count = tf.shape(images)[0]
    boxes, size = tf.broadcast_to(boxes, (count, 4)), tuple(images.shape[1:3])
    seen = tf.image.crop_and_resize(images, boxes, tf.range(count), size, extrapolation_value=outside)
    return tf.ensure_shape(seen, images.shape)


def draw_views(
    generator: np.random.Generator, count: int, *, rotation: float, zoom: float, shift: float
) -> np.ndarray:
    """(count, 2, 3) affine maps from what is seen to the image, from the centre, in longer sides.

    So one view means the same at every size. Turning costs three times what cropping does.

    Args:
        generator: what to draw from.
        count: how many.
        rotation: most degrees, either way.
        zoom: most change of scale, either way.
        shift: most shift, either way, as a share of the longer side.
    """
    angle = np.deg2rad(generator.uniform(-rotation, rotation, count))
    scale = 1 / (1 + generator.uniform(-zoom, zoom, count))
    down, across = generator.uniform(-shift, shift, (2, count))
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    return np.stack([np.stack([cosine, -sine, across], -1), np.stack([sine, cosine, down], -1)], axis=1)


def for_size(views: np.ndarray, size: Size) -> np.ndarray:
    """Views as `see` takes them for images of a size: (count, 8) float32."""
    height, width = size
    longer, centre = max(size), np.array([(width - 1) / 2, (height - 1) / 2])
    linear = views[:, :, :2]
    offset = views[:, :, 2] * longer + centre - linear @ centre
    rows = np.concatenate([linear, offset[:, :, np.newaxis]], axis=2).reshape(-1, 6)
    return np.concatenate([rows, np.zeros((len(rows), 2))], axis=1).astype(np.float32)


def see(images: Any, views: Any) -> Any:
    """(images (n, h, w, c), views (1 or n, 8)) => (images as seen), mirrored beyond their edges."""
    import tensorflow as tf

    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=views,
        output_shape=tuple(images.shape[1:3]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )


@dataclass(frozen=True, eq=False)
class InputMapping:
    """How a picture in 0..1 becomes what the model is fed: channel by channel, times `span` plus `black`.

    Attributes:
        span: (n, channels) float32, what white adds to black.
        black: (n, channels) float32.
        reverse: whether the model takes blue, green, red.
        channels_first: whether it takes (channels, height, width).
    """

    span: np.ndarray
    black: np.ndarray
    reverse: bool = False
    channels_first: bool = False


def find_mapping(pictures: np.ndarray, inputs: np.ndarray, *, channels_first: bool) -> InputMapping:
    """How pictures were fed, found by comparing them with what came out of it.

    Preprocessing of pictures is a straight line for each channel, be it none, 0..1, -1..1 or one of
    keras.applications, so the line through an input's pixels is exact, and needs no list of names.

    Args:
        pictures: (n, height, width, 3) uint8 for eyes.
        inputs: (n, height, width, channels) float32 as fed, or channels first.
        channels_first: whether they are.
    """
    values = np.moveaxis(inputs, 1, -1) if channels_first else inputs
    shown = pictures[..., : values.shape[-1]] / np.float32(255)
    straight, reversed_ = _lines(shown, values), _lines(shown[..., ::-1], values)
    reverse = reversed_[2] < 0.99 * straight[2]
    span, black, _ = reversed_ if reverse else straight
    return InputMapping(span, black, bool(reverse), channels_first)


def _lines(shown: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Slope and offset of each row's channels (n, c), and what the lines miss in all."""
    axes = (1, 2)
    mean, middle = shown.mean(axis=axes, dtype=np.float64), values.mean(axis=axes, dtype=np.float64)
    apart = shown - mean[:, np.newaxis, np.newaxis]
    spread = (apart**2).sum(axis=axes, dtype=np.float64)
    together = (apart * values).sum(axis=axes, dtype=np.float64)
    slope = together / np.where(spread > 0, spread, 1)
    slope = np.where(spread > 0, slope, _slope_of_the_rest(shown, values, together, spread))
    offset = middle - slope * mean
    missed = shown * slope[:, np.newaxis, np.newaxis] + offset[:, np.newaxis, np.newaxis] - values
    return slope.astype(np.float32), offset.astype(np.float32), float((missed**2).sum())


def _slope_of_the_rest(
    shown: np.ndarray, values: np.ndarray, together: np.ndarray, spread: np.ndarray
) -> float:
    """For a channel of one value, which has no slope: that of the others; else of a line through zero."""
    if spread.any():
        return float(together.sum() / spread.sum())
    squares = float((shown**2).sum())
    return float((shown * values).sum() / squares) if squares else 1.0


def feed(images: Any, span: Any, black: Any, feeding: InputMapping) -> Any:
    """(images (n, h, w, c) in 0..1, span and black (n, c)) => (what the model is fed)."""
    import tensorflow as tf

    images = images[..., ::-1] if feeding.reverse else images
    fed = images * span[:, tf.newaxis, tf.newaxis] + black[:, tf.newaxis, tf.newaxis]
    return tf.transpose(fed, (0, 3, 1, 2)) if feeding.channels_first else fed
