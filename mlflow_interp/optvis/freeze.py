"""A model's weights as constants of a graph, as they don't change while an image is optimised."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

MOST_FROZEN = 256 * 2**20  # bytes of weights; each graph has its own copy of them


@contextlib.contextmanager
def frozen(model: Any) -> Iterator[None]:
    """Inside this context, traced functions hold the model's current weights as constants.

    TensorFlow then computes expressions of weights alone only once, and folds most of a BatchNorm into the
    preceding convolution. Weights larger than `MOST_FROZEN` stay variables.
    """
    import keras
    import tensorflow as tf

    with tf.init_scope():
        values = [(variable, variable.numpy()) for variable in model.variables]
    if sum(value.nbytes for _, value in values) > MOST_FROZEN:
        yield
        return
    with keras.StatelessScope([(variable, tf.constant(value)) for variable, value in values]):
        yield
