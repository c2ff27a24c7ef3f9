"""The verbs that methods are written in, on traced tensors; TensorFlow is imported when one is used."""

from __future__ import annotations

from typing import Any

CHANNELS = -1  # the axis of a feature map that `SpatialLayout.lay_out` puts last


def gradient(score: Any, tensor: Any) -> Any:
    """The gradient of a score (batch,) with respect to a tensor; None where it does not depend on it."""
    import tensorflow as tf

    return tf.gradients(score, tensor)[0]


def as_float(tensor: Any) -> Any:
    """A tensor as float32."""
    import tensorflow as tf

    return tf.cast(tensor, tf.float32)


def mean_over_space(feature_map: Any) -> Any:
    """The mean of (batch, …, channels) over all axes between, which stay with length 1."""
    import tensorflow as tf

    return tf.reduce_mean(feature_map, axis=range(1, feature_map.shape.rank - 1), keepdims=True)


def sum_over_channels(feature_map: Any) -> Any:
    """The sum of (batch, …, channels) over channels."""
    import tensorflow as tf

    return tf.reduce_sum(feature_map, axis=CHANNELS)


def relu(tensor: Any) -> Any:
    """Negative values cut off at zero."""
    import tensorflow as tf

    return tf.nn.relu(tensor)
