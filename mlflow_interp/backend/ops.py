"""The operations that methods are written in, on traced tensors; TensorFlow is imported on first use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from mlflow_interp.exceptions import OptionError

#: Axes of a feature map (batch, *space, channels), as `over` of `mean` and `sum`.
Over = Literal["space", "channels"]
SPACE: Over = "space"
CHANNELS: Over = "channels"

# Collections that TensorFlow keeps with a graph, so that they live as long as its tensors.
_FEATURE_MAPS = "mlflow_interp/feature_maps"  # [(feature map, the layer's tensor, lay_out)], path
_GRADIENTS = "mlflow_interp/gradients"  # (score, tensor, gradient)


def declare_feature_maps(
    features: Sequence[Any], tensors: Sequence[Any], lay_outs: Sequence[Callable[[Any], Any]], path: str
) -> None:
    """Declare that `features` are the outputs `tensors` of calls of the layer at `path`, as feature maps.

    `gradient` with respect to one of them is then the gradient with respect to the layer, in the same layout;
    the gradients of all calls are computed in one backward pass.
    """
    group = list(zip(features, tensors, lay_outs, strict=True))
    features[0].graph.get_collection_ref(_FEATURE_MAPS).append((group, path))


def gradient(score: Any, tensor: Any) -> Any:
    """The gradient of a score (batch,) with respect to a tensor, of its shape, float32.

    It is computed once in a graph, however many methods request it. None if the score does not depend on the
    tensor.

    Raises:
        OptionError: the tensor is a feature map that the score does not depend on.
    """
    import tensorflow as tf

    computed = score.graph.get_collection_ref(_GRADIENTS)
    for known_score, known_tensor, known_gradient in computed:
        if known_score is score and known_tensor is tensor:
            return known_gradient
    for group, path in score.graph.get_collection_ref(_FEATURE_MAPS):
        if any(features is tensor for features, _, _ in group):
            computed += [(score, *each) for each in _gradients_of_calls(score, group, path)]
            return gradient(score, tensor)
    result = tf.gradients(score, tensor)[0]
    computed.append((score, tensor, result))
    return result


def _gradients_of_calls(score: Any, group: Sequence[Any], path: str) -> Iterator[tuple[Any, Any]]:
    """The feature map of each call, and the gradient with respect to it."""
    import tensorflow as tf

    outputs = list({id(output): output for _, output, _ in group}.values())
    results = dict(zip(map(id, outputs), tf.gradients(score, outputs), strict=True))
    for features, output, lay_out in group:
        if results[id(output)] is None:
            raise OptionError(
                f"the class score does not depend on layer {path!r}; choose a layer that it depends on"
            )
        yield features, lay_out(as_float(results[id(output)]))


def stack(tensors: Sequence[Any]) -> Any:
    """Tensors (batch, …) of one shape as (batch, number of tensors, …)."""
    import tensorflow as tf

    return tf.stack(tensors, axis=1)


def as_float(tensor: Any) -> Any:
    """A tensor as float32."""
    import tensorflow as tf

    return tf.cast(tensor, tf.float32)


def mean(tensor: Any, *, over: Over) -> Any:
    """The mean over space or channels; these axes are kept with length 1, so that the result broadcasts."""
    import tensorflow as tf

    return tf.reduce_mean(tensor, axis=_axes(tensor, over), keepdims=True)


def sum(tensor: Any, *, over: Over) -> Any:
    """The sum over space or channels; these axes are removed."""
    import tensorflow as tf

    return tf.reduce_sum(tensor, axis=_axes(tensor, over))


def _axes(tensor: Any, over: Over) -> list[int]:
    rank = tensor.shape.rank
    return [rank - 1] if over == CHANNELS else list(range(1, rank - 1))


def relu(tensor: Any) -> Any:
    """Values with negative ones replaced by zero."""
    import tensorflow as tf

    return tf.nn.relu(tensor)
