"""Images decoded and resized by TensorFlow, as in Keras' own folder loaders."""

from __future__ import annotations

import numpy as np


def decode_jpeg(content: bytes, channels: int) -> np.ndarray:
    """A JPEG as uint8 (height, width, channels); its decoder is faster and less exact than Pillow's.

    Args:
        content: the content of the file.
        channels: 1 or 3.

    Raises:
        ValueError: the file is damaged.
    """
    import tensorflow as tf

    try:
        return np.asarray(tf.io.decode_image(content, channels=channels, expand_animations=False))
    except tf.errors.OpError as error:
        raise ValueError(str(error.message).rpartition("}} ")[2]) from error


def resize_image(pixels: np.ndarray, size: tuple[int, int], *, mode: str, method: str) -> np.ndarray:
    """An image (height, width, channels) resized as `keras.utils.image_dataset_from_directory` does.

    Without antialiasing or rounding: uint8 for "nearest", else float32, which bicubic and Lanczos may take
    below 0 and above 255.

    Args:
        pixels: uint8.
        size: (height, width).
        mode: "stretch"; "crop", which is Keras' `crop_to_aspect_ratio`; "pad", its `pad_to_aspect_ratio`.
        method: One of the methods of `tf.image.resize`.
    """
    import keras
    import tensorflow as tf

    with tf.device("cpu"):  # a GPU may round differently, and is busy with the model
        if mode == "crop":
            resized = keras.preprocessing.image.smart_resize(tf.constant(pixels), size, interpolation=method)
        elif mode == "pad":
            resized = tf.image.resize_with_pad(pixels, *size, method=method)
        else:
            resized = tf.image.resize(pixels, size, method=method)
        return np.asarray(resized)
