"""The verbs that methods are written in, on traced tensors; TensorFlow is imported when one is used."""

from __future__ import annotations

from typing import Any, Literal

from mlflow_interp.exceptions import OptionError

#: Axes of a feature map (batch, *space, channels), as `over` of `mean` and `sum`.
Over = Literal["space", "channels"]
SPACE: Over = "space"
CHANNELS: Over = "channels"

# Lists that TensorFlow keeps with a graph, so that they live as long as its tensors.
_FEATURE_MAPS = "mlflow_interp/feature_maps"  # (feature map, the layer's tensor, lay_out, path)
_GRADIENTS = "mlflow_interp/gradients"  # (score, tensor, gradient)


def declare_feature_map(features: Any, tensor: Any, lay_out: Any, path: str) -> None:
    """Declare that `features` is the output `tensor` of the layer at `path`, laid out by `lay_out`.

    `gradient` with respect to it is then the gradient with respect to the layer, laid out the same way.
    """
    features.graph.get_collection_ref(_FEATURE_MAPS).append((features, tensor, lay_out, path))


def gradient(score: Any, tensor: Any) -> Any:
    """The gradient of a score (batch,) with respect to a tensor, of its shape, float32.

    Computed once in a graph, however many methods ask for it. None where the score does not depend on the
    tensor.

    Raises:
        OptionError: the tensor is a feature map that the score does not depend on.
    """
    import tensorflow as tf

    computed = score.graph.get_collection_ref(_GRADIENTS)
    for known_score, known_tensor, known_gradient in computed:
        if known_score is score and known_tensor is tensor:
            return known_gradient
    for features, output, lay_out, path in score.graph.get_collection_ref(_FEATURE_MAPS):
        if features is tensor:
            result = tf.gradients(score, output)[0]
            if result is None:
                raise OptionError(
                    f"the class score does not depend on layer {path!r}; take a layer on the way to it"
                )
            result = lay_out(as_float(result))
            break
    else:
        result = tf.gradients(score, tensor)[0]
    computed.append((score, tensor, result))
    return result


def as_float(tensor: Any) -> Any:
    """A tensor as float32."""
    import tensorflow as tf

    return tf.cast(tensor, tf.float32)


def mean(tensor: Any, *, over: Over) -> Any:
    """The mean over space or channels; these axes stay, with length 1, so that it can be multiplied with."""
    import tensorflow as tf

    return tf.reduce_mean(tensor, axis=_axes(tensor, over), keepdims=True)


def sum(tensor: Any, *, over: Over) -> Any:
    """The sum over space or channels; these axes are gone."""
    import tensorflow as tf

    return tf.reduce_sum(tensor, axis=_axes(tensor, over))


def _axes(tensor: Any, over: Over) -> list[int]:
    rank = tensor.shape.rank
    return [rank - 1] if over == CHANNELS else list(range(1, rank - 1))


def relu(tensor: Any) -> Any:
    """Negative values cut off at zero."""
    import tensorflow as tf

    return tf.nn.relu(tensor)
