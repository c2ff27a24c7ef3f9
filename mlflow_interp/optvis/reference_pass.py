"""The activations of the inputs, which caricatures imitate and are measured against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlflow_interp.backend.forward import Forward, forward
from mlflow_interp.backend.layer_calls import CallChoice, LayerCall, choose_calls, layer_calls
from mlflow_interp.backend.layer_tree import is_channels_first
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.exceptions import InapplicableError


def reference_activations(
    model: Any, passed: Forward, layers: Sequence[str], choice: CallChoice
) -> tuple[dict[str, Any], dict[str, list[LayerCall]]]:
    """By name, the traced activations of each input, and of the first one upside down, at each layer.

    Args:
        model: the Keras model.
        passed: a traced pass over the inputs.
        layers: the paths of the layers.
        choice: which calls to use of layers that are called several times.

    Returns:
        The activations, concatenated over several calls; and by path the calls.

    Raises:
        InapplicableError: the inputs are not grey or colour images.
        OptionError: a layer without a gradient with respect to the input, or calls that do not exist.
    """
    import tensorflow as tf

    if not tf.is_tensor(passed.inputs) or passed.inputs.shape.rank != 4:
        raise _not_images(passed.inputs)
    height_axis = 2 if is_channels_first(model) else 1
    flipped = forward(model, tf.reverse(passed.inputs, [height_axis]))

    def refusal(call: LayerCall) -> str | None:
        if tf.gradients(call.tensor, passed.inputs)[0] is not None:
            return None
        return (
            "has no output that changes smoothly with the input, so no caricature can be drawn; "
            "`mlflow-interp layers` shows the methods for each layer"
        )

    tensors = {}
    calls = {}
    for path in layers:
        all_calls = layer_calls(model, passed, path, by_frame=False)
        chosen = choose_calls(path, all_calls, choice, refusal=refusal)
        calls[path] = chosen
        for name, tapped in (("activations", passed), ("upside_down", flipped)):
            tensors[f"{name}/{path}"] = joined([tapped.calls[path][each.position] for each in chosen])
    return tensors, calls


def joined(activations: Sequence[Any]) -> Any:
    """The activations of several calls as one (n, features) float32; those of a single call unchanged."""
    import tensorflow as tf

    if len(activations) == 1:
        return tf.cast(activations[0], tf.float32)
    rows = [tf.reshape(tf.cast(each, tf.float32), (-1, np.prod(each.shape[1:]))) for each in activations]
    return tf.concat(rows, axis=1)


def check_images(model: Any, chunk: Chunk, method: str = "caricature") -> None:
    """Raise an InapplicableError, which names the method, if inputs are not grey or colour images."""
    inputs = chunk.inputs
    if isinstance(inputs, np.ndarray) and inputs.ndim == 4 and chunk.images is not None:
        channels = inputs.shape[1 if is_channels_first(model) else -1]
        if channels in (1, 3):
            return
    raise _not_images(inputs, method)


def _not_images(inputs: Any, method: str = "caricature") -> InapplicableError:
    shape = inputs.shape[1:] if hasattr(inputs, "shape") else f"of {type(inputs).__name__}"
    return InapplicableError(
        f"{method} needs grey or colour images (height, width, 1 or 3 channels), but these inputs are {shape}"
    )
