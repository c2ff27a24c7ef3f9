"""The operations that methods are written in, on traced tensors; TensorFlow is imported on first use."""

from __future__ import annotations

import math
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


def sum(tensor: Any, *, over: Over, keep: bool = False) -> Any:
    """The sum over space or channels; these axes are removed, or kept with length 1."""
    import tensorflow as tf

    return tf.reduce_sum(tensor, axis=_axes(tensor, over), keepdims=keep)


def _axes(tensor: Any, over: Over) -> list[int]:
    rank = tensor.shape.rank
    return [rank - 1] if over == CHANNELS else list(range(1, rank - 1))


def relu(tensor: Any) -> Any:
    """Values with negative ones replaced by zero."""
    import tensorflow as tf

    return tf.nn.relu(tensor)


def inverse_where_positive(tensor: Any) -> Any:
    """1 / values where they are positive, and 0 elsewhere."""
    import tensorflow as tf

    return tf.where(tensor > 0, 1 / tf.where(tensor > 0, tensor, 1), 0)


def first_component(features: Any) -> Any:
    """A feature map (batch, *space, channels) projected on its first right singular vector, (batch, *space).

    The singular vector is that of the matrix of an input with a row for each position, not centred. Its sign
    is chosen so that the mean of the map is not negative. NaN for inputs with values that are not finite.
    """
    import tensorflow as tf

    shape = tf.shape(features)
    matrix = tf.reshape(features, (shape[0], tf.reduce_prod(shape[1:-1]), features.shape[-1]))
    is_finite = tf.reduce_all(tf.math.is_finite(matrix), axis=(1, 2), keepdims=True)
    # The decomposition of a batch fails if one matrix has a NaN, and squares of large values overflow.
    matrix = tf.where(is_finite, matrix, 0)
    largest = tf.reduce_max(tf.abs(matrix), axis=(1, 2), keepdims=True)
    matrix = tf.math.divide_no_nan(matrix, largest)

    def by_positions() -> Any:
        values, vectors = tf.linalg.eigh(tf.matmul(matrix, matrix, transpose_b=True))
        return vectors[..., -1:] * tf.sqrt(tf.nn.relu(values[..., -1:]))[:, tf.newaxis]

    def by_channels() -> Any:
        return tf.matmul(matrix, tf.linalg.eigh(tf.matmul(matrix, matrix, transpose_a=True))[1][..., -1:])

    sizes = features.shape[1:-1]
    channels = features.shape[-1]
    if sizes.is_fully_defined():
        projected = (by_positions if math.prod(sizes) <= channels else by_channels)()
    else:
        projected = tf.cond(tf.shape(matrix)[1] <= channels, by_positions, by_channels)
    sign = tf.where(tf.reduce_mean(projected, axis=1, keepdims=True) < 0, -1.0, 1.0)
    projected = tf.where(is_finite, projected * sign * largest, float("nan"))
    result = tf.reshape(projected, shape[:-1])
    result.set_shape(features.shape[:-1])
    return result


def enlarged(maps: Sequence[Any]) -> list[Any]:
    """Maps (batch, *space) resized to the largest of their sizes along each axis, by linear interpolation."""
    import tensorflow as tf

    sizes = tf.reduce_max(tf.stack([tf.shape(each)[1:] for each in maps]), axis=0)
    return [_resized(each, sizes) for each in maps]


def _resized(tensor: Any, sizes: Any) -> Any:
    """A map interpolated linearly between the centres of its cells, and constant beyond the outermost."""
    import tensorflow as tf

    rank = tensor.shape.rank
    for axis in range(1, rank):
        old, new = tf.shape(tensor)[axis], sizes[axis - 1]
        scale = tf.cast(old, tf.float32) / tf.cast(new, tf.float32)
        centres = (tf.range(tf.cast(new, tf.float32)) + 0.5) * scale - 0.5
        centres = tf.clip_by_value(centres, 0.0, tf.cast(old - 1, tf.float32))
        lower = tf.cast(centres, tf.int32)
        upper = tf.minimum(lower + 1, old - 1)
        share = centres - tf.cast(lower, tf.float32)
        share = tf.reshape(share, [-1 if each == axis else 1 for each in range(rank)])
        below, above = (tf.gather(tensor, indices, axis=axis) for indices in (lower, upper))
        tensor = below + share * (above - below)
    return tensor


def relative(maps: Any) -> Any:
    """The positive part of maps (batch, *space), each relative to its maximum: 0..1, or all 0."""
    import tensorflow as tf

    positive = tf.nn.relu(maps)
    largest = tf.reduce_max(positive, axis=list(range(1, maps.shape.rank)), keepdims=True)
    return tf.math.divide_no_nan(positive, largest)


def maximum(tensors: Sequence[Any]) -> Any:
    """The largest of several tensors of one shape, position by position."""
    import tensorflow as tf

    return tf.reduce_max(tf.stack(tensors), axis=0)


def finer_than_coarsest(maps: Sequence[Any]) -> list[Any]:
    """For each of several maps (batch, *space), whether it has more positions than the coarsest of them."""
    import tensorflow as tf

    positions = [tf.reduce_prod(tf.shape(each)[1:]) for each in maps]
    return [each > tf.reduce_min(tf.stack(positions)) for each in positions]


def tanh_where(condition: Any, tensor: Any, *, gain: float) -> Any:
    """tanh(gain · values) if a condition is true, else the values."""
    import tensorflow as tf

    return tf.where(condition, tf.tanh(gain * tensor), tensor)
