"""The similarity of activations: the objective of a caricature, and the measure of its result."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from mlflow_interp.optvis.transform import draw_views

LEAST_COSINE = 0.1  # a smaller factor has no useful gradient, and would suppress the dot product's
VIEWS = 16
JPEG_QUALITY = 75


def similarity(activations: Any, target: Any, cosine_power: float) -> tuple[Any, Any, Any]:
    """(activations, targets, both (n, …)) => (objective, cosine, dot product), (n,) float32 each.

    The objective is the dot product, divided by the squared norm of the target, times a power of the cosine
    (Lucid's `dot_compare`). For the target itself, the result is 1, 1, 1.
    """
    import tensorflow as tf

    shape = (-1, np.prod(target.shape[1:]))
    activations, target = (tf.reshape(tf.cast(tensor, tf.float32), shape) for tensor in (activations, target))
    products = tf.reduce_sum(activations * target, axis=1)
    square = tf.reduce_sum(target**2, axis=1)
    dot = tf.math.divide_no_nan(products, square)
    lengths = tf.sqrt(tf.reduce_sum(activations**2, axis=1) * square)
    cosine = products / tf.maximum(lengths, 1e-12)
    return dot * tf.maximum(LEAST_COSINE, cosine) ** cosine_power, cosine, dot


def held_out_views() -> np.ndarray:
    """Sixteen fixed views that no optimisation step uses: up to 5°, 5 % and 8 px of 224."""
    return draw_views(np.random.default_rng(0x1CA7), VIEWS, rotation=5, zoom=0.05, shift=8 / 224)


def compressed(images: np.ndarray) -> np.ndarray:
    """Images (n, h, w, c) in 0..1 after JPEG compression, which removes detail that a person can't see."""
    quantized = np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)
    return np.stack([_jpeg_round_trip(pixels) for pixels in quantized]).astype(np.float32) / 255


def _jpeg_round_trip(pixels: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(
        file, "JPEG", quality=JPEG_QUALITY
    )
    return np.asarray(Image.open(file, formats=["JPEG"])).reshape(pixels.shape)
