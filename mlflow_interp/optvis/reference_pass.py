"""The activations of the inputs, which caricatures are drawn to be similar to and measured against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlflow_interp.backend.forward import Forward, forward
from mlflow_interp.backend.layer_tree import is_channels_first
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.exceptions import InapplicableError, OptionError


def reference_activations(model: Any, passed: Forward, layers: Sequence[str]) -> dict[str, Any]:
    """By name, the traced activations of each input, and of the first one upside down, at each layer.

    Args:
        model: the Keras model.
        passed: a traced pass over the inputs.
        layers: the paths of the layers.

    Raises:
        InapplicableError: the inputs are not grey or colour images.
        OptionError: a layer without a gradient with respect to the input.
    """
    import tensorflow as tf

    if not tf.is_tensor(passed.inputs) or passed.inputs.shape.rank != 4:
        raise _not_images(passed.inputs)
    height_axis = 2 if is_channels_first(model) else 1
    flipped = forward(model, tf.reverse(passed.inputs, [height_axis]))
    tensors = {}
    for path in layers:
        tensor = passed.tapped.get(path)
        if tensor is None or tf.gradients(tensor, passed.inputs)[0] is None:
            raise OptionError(
                f"layer {path!r} gives nothing that changes smoothly with the input, so nothing can be "
                "drawn for it; `mlflow-interp layers` shows what each method can use"
            )
        tensors[f"activations/{path}"] = tf.cast(tensor, tf.float32)
        tensors[f"upside_down/{path}"] = tf.cast(flipped.tapped[path], tf.float32)
    return tensors


def check_images(model: Any, chunk: Chunk) -> None:
    """Raise an InapplicableError where inputs are not grey or colour images."""
    inputs = chunk.inputs
    if isinstance(inputs, np.ndarray) and inputs.ndim == 4 and chunk.images is not None:
        channels = inputs.shape[1 if is_channels_first(model) else -1]
        if channels in (1, 3):
            return
    raise _not_images(inputs)


def _not_images(inputs: Any) -> InapplicableError:
    shape = inputs.shape[1:] if hasattr(inputs, "shape") else f"of {type(inputs).__name__}"
    return InapplicableError(
        "a caricature is drawn of grey or colour pictures, (height, width, 1 or 3 channels), and these "
        f"inputs are {shape}"
    )
