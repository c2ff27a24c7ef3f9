"""A model's output for each class: logits to compute gradients of, probabilities to show.

Gradients of probabilities vanish if a model is confident (at p = 0.9996 they are a thousandth of the
logits'), so scores are logits if the model ends in a softmax or sigmoid. Whether it does is read from the
traced graph, which works for fused, separate, nested and hand-written heads alike, without replacing a layer
of the model. If the output is a probability without such an end, like the mean of two softmaxes, it is shown
unchanged, and its logarithm, or the logarithm of its odds, is the score.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from mlflow_interp.backend.bounds import bounds_of
from mlflow_interp.backend.layer_tree import is_channels_first
from mlflow_interp.core.contrast import CODES, OTHERS, RUNNER_UP
from mlflow_interp.exceptions import OptionError

# Operations between a head and the model's output that only forward a value.
_PASS_THROUGH = {"Identity", "Cast", "EnsureShape", "StopGradient"}
_RESHAPING = {"Reshape", "Squeeze", "ExpandDims"}
_SMALLEST = 1e-30  # smaller probabilities are clipped to this before the logarithm
_EPSILON = 1e-7
_OF_AXES: dict[str, Callable[..., Any]] = {
    "Sub": np.subtract,
    "Pack": lambda *parts: np.stack(parts),
    "Range": np.arange,
    "ConcatV2": lambda *parts: np.concatenate(parts[:-1]),
}
_HEADS = {"Softmax": "softmax", "LogSoftmax": "softmax", "Sigmoid": "sigmoid"}


#: What the output of a model is, as stated by its author or user; "auto" reads it from the graph.
Head = Literal["auto", "probabilities", "sigmoid", "logits", "binary_logit", "values"]


#: The output according to its loss alone: values, unless its last operations make it a probability. A
#: classifier may be trained with a squared error too.
VALUES_BY_LOSS = "values by loss"


@dataclass(frozen=True)
class ClassScores:
    """Scores to compute gradients of, and probabilities to show: tensors of shape (batch, classes).

    Attributes:
        scores: float32 logits; for a binary head (-z, z).
        probabilities: float32; for values, the values themselves.
        head: "softmax", "sigmoid", "binary", "probabilities", "linear" (read as logits) or "values" (which
            are not class scores).
        is_contradicted: whether the output was stated to be logits but is a probability.
        positions: the prediction at each position of an output with positions, such as pixels or tokens;
            None without positions, or for values. For a binary head (batch, *positions) float32, the
            probability of the second class; for one sigmoid per class (batch, *positions, classes) float32;
            else (batch, *positions) int32, the most probable class.
        mask: (batch, *positions) bool, false where Keras' mask of the output leaves a position out; None
            without a mask.
    """

    scores: Any
    probabilities: Any
    head: str
    is_contradicted: bool = False
    positions: Any = None
    mask: Any = None


def class_scores(outputs: Any, model: Any = None, stated: str = "auto", weights: Any = None) -> ClassScores:
    """Read logits and probabilities from a traced model's output.

    A single sigmoid counts as two classes. Several outputs of a linear head count as logits, unless they are
    probabilities by construction.
    A spatial output, (batch, height, width, classes) or (batch, classes, height, width), is averaged over
    space (Vinogradova et al. 2020, "Towards Interpretable Semantic Segmentation via Gradient-weighted Class
    Activation Mapping").

    Args:
        outputs: the output tensor.
        model: the Keras model; its data format determines the axis of the classes. Without it, the last axis.
        stated: what the output is, one of `Head`, or `VALUES_BY_LOSS`. Stated logits are ignored if the
            operations make the output a probability.
        weights: (batch, *positions) float32 of the positions that count; None for all alike.
    """
    logits, head, axis = _before_activation(outputs)
    known = bounds_of(outputs) if head == "linear" else None
    is_probability = head != "linear" or (known is not None and known.are_probabilities)
    if stated == VALUES_BY_LOSS:
        stated = "auto" if is_probability else "values"
    is_contradicted = is_probability and stated in ("logits", "binary_logit")
    if is_contradicted:
        scores = class_scores(outputs, model, weights=weights)
        return replace(scores, is_contradicted=True)
    if stated == "values" or (stated in ("probabilities", "sigmoid") and head == "linear"):
        logits, axis = outputs, None
    is_moved = axis is not None
    if axis is None and logits.shape.rank > 2:
        first = model is not None and is_channels_first(model) and not _is_moved_last(logits)
        axis = 1 if first else logits.shape.rank - 1
    output_axis = _moved_to(outputs, axis) if is_moved and axis is not None else axis
    if is_moved and weights is not None:
        weights = _moved_back(weights, outputs, output_axis)
    scores = _scores(_mean(logits, axis, weights), head, axis, known, stated)
    if outputs.shape.rank <= 2 or scores.head == "values" or output_axis is None:
        return scores
    is_probability = is_probability or stated in ("probabilities", "sigmoid")
    predicted = _at_positions(outputs, output_axis, scores.head, is_probability=is_probability)
    return replace(scores, positions=predicted, mask=getattr(outputs, "_keras_mask", None))


def position_tensors(scores: ClassScores) -> dict[str, Any]:
    """`positions`, the prediction at each position, and `mask`, if there are any."""
    tensors = {"positions": scores.positions, "mask": scores.mask}
    return {name: tensor for name, tensor in tensors.items() if tensor is not None}


def _mean(logits: Any, axis: int | None, weights: Any = None) -> Any:
    """Logits as float32 (batch, classes): their mean over all other axes, 0 if all weights are."""
    import tensorflow as tf

    logits = tf.cast(logits, tf.float32)
    rank = logits.shape.rank
    if rank == 1:
        return logits[:, tf.newaxis]
    if rank == 2:
        return logits
    axes = [each for each in range(1, rank) if each != axis]
    if weights is None:
        return tf.reduce_mean(logits, axes)
    share = tf.math.divide_no_nan(weights, tf.reduce_sum(weights, range(1, rank - 1), keepdims=True))
    return tf.reduce_sum(logits * tf.expand_dims(share, rank - 1 if axis is None else axis), axes)


def _at_positions(outputs: Any, axis: int, head: str, *, is_probability: bool) -> Any:
    """`ClassScores.positions` of an output whose axis of classes is given."""
    import tensorflow as tf

    outputs = tf.cast(outputs, tf.float32)
    if head not in ("binary", "sigmoid"):
        return tf.argmax(outputs, axis=axis, output_type=tf.int32)
    order = [each for each in range(outputs.shape.rank) if each != axis] + [axis]
    outputs = outputs if axis == outputs.shape.rank - 1 else tf.transpose(outputs, order)
    probabilities = outputs if is_probability else tf.sigmoid(outputs)
    return probabilities[..., 0] if head == "binary" else probabilities


def _scores(logits: Any, head: str, axis: int | None, known: Any, stated: str) -> ClassScores:
    """The scores and probabilities of logits, or of probabilities, (batch, classes)."""
    import tensorflow as tf

    if stated == "values":
        return ClassScores(logits, logits, "values")
    if known is not None and (known.are_probabilities or stated in ("probabilities", "sigmoid")):
        are_distributions = stated == "probabilities" or (known.are_distributions and axis != 1)
        return _of_probabilities(logits, are_distributions=are_distributions and stated != "sigmoid")
    if stated == "binary_logit" or (stated == "logits" and logits.shape[-1] == 1):
        head = "sigmoid"
    if logits.shape[-1] == 1 and head == "sigmoid":
        positive = tf.sigmoid(logits)
        return ClassScores(
            tf.concat([-logits, logits], axis=1), tf.concat([1 - positive, positive], axis=1), "binary"
        )
    if logits.shape[-1] == 1:
        return ClassScores(logits, logits, "values")
    if stated == "logits":
        head = "softmax"
    activation = tf.sigmoid if head == "sigmoid" else tf.nn.softmax
    return ClassScores(logits, activation(logits), head)


def _of_probabilities(probabilities: Any, *, are_distributions: bool) -> ClassScores:
    """Scores of outputs that are probabilities, of mutually exclusive or independent classes."""
    import tensorflow as tf

    if are_distributions and probabilities.shape[-1] > 1:
        return ClassScores(tf.math.log(tf.maximum(probabilities, _SMALLEST)), probabilities, "probabilities")
    clipped = tf.clip_by_value(probabilities, _SMALLEST, 1 - _EPSILON)
    odds = tf.math.log(clipped) - tf.math.log1p(-clipped)
    if probabilities.shape[-1] > 1:
        return ClassScores(odds, probabilities, "sigmoid")
    both = tf.concat([1 - probabilities, probabilities], axis=1)
    return ClassScores(tf.concat([-odds, odds], axis=1), both, "binary")


def _before_activation(outputs: Any) -> tuple[Any, str, int | None]:
    """Logits, head, and the axis of the classes if the operations of the head show it."""
    operation = _skip(outputs.op)
    # A softmax over another axis than the last is a softmax over the last axis between two transposes.
    before = _skip(operation.inputs[0].op) if operation.type == "Transpose" else operation
    if before is not operation and _HEADS.get(before.type) == "softmax":
        return before.inputs[0], "softmax", before.inputs[0].shape.rank - 1
    if operation.type in _HEADS:
        return operation.inputs[0], _HEADS[operation.type], None
    reshaped = _skip(operation, _PASS_THROUGH | _RESHAPING)
    if reshaped.type in _HEADS:
        before, after = reshaped.inputs[0].shape, outputs.shape
        # If classes are merged with positions, their sums are no longer 1.
        if _HEADS[reshaped.type] == "sigmoid" or (after.rank and before[-1] == after[-1]):
            return _reshaped(reshaped.inputs[0], outputs), _HEADS[reshaped.type], None
    return outputs, "linear", None


def _reshaped(logits: Any, outputs: Any) -> Any:
    """Logits in the shape of the outputs."""
    import tensorflow as tf

    return tf.ensure_shape(tf.reshape(logits, tf.shape(outputs)), outputs.shape)


def _skip(operation: Any, types: Set[str] = _PASS_THROUGH) -> Any:
    """The operation before those that only forward a value, or that have other given types."""
    while operation.type in types:
        operation = operation.inputs[0].op
    return operation


def _moved_to(outputs: Any, axis: int) -> int | None:
    """The output axis to which a transpose moved another axis; None if not known."""
    order = _static(_skip(outputs.op).inputs[1])
    return None if order is None else order.tolist().index(axis)


def _moved_back(weights: Any, outputs: Any, output_axis: int | None) -> Any:
    """Weights of the positions of the outputs, with the axes as before the transpose that made the outputs.

    Raises:
        OptionError: which axis is which is not known.
    """
    import tensorflow as tf

    order = _static(_skip(outputs.op).inputs[1])
    if order is None or output_axis is None:
        raise OptionError("positions can't be used, as the model's output is transposed by a computed order")
    before = [int(order[axis]) for axis in range(1, outputs.shape.rank) if axis != output_axis]
    return tf.transpose(weights, [0, *(1 + int(place) for place in np.argsort(before))])


def _is_moved_last(tensor: Any) -> bool:
    """Whether a transpose only moved the first axis after the batch to the end."""
    operation = _skip(tensor.op)
    order = _static(operation.inputs[1]) if operation.type == "Transpose" else None
    return order is not None and int(order[-1]) == 1


def _static(tensor: Any) -> np.ndarray | None:
    """The value of a tensor of axes, computed from constants as a softmax over an axis does; else None."""
    import tensorflow as tf

    value = tf.get_static_value(tensor)
    compute = _OF_AXES.get(tensor.op.type)
    if value is not None or compute is None:
        return None if value is None else np.asarray(value)
    inputs = [_static(each) for each in tensor.op.inputs]
    return None if any(each is None for each in inputs) else np.asarray(compute(*inputs))


def other_classes(scores: ClassScores, chosen: Any, most: int) -> list[Any]:
    """The most probable classes other than the explained one, best first: at most `most` tensors (batch,).

    None for values, which are not alternatives to each other.
    """
    import tensorflow as tf

    count = min(most + 1, int(scores.probabilities.shape[-1]))
    if scores.head == "values" or count < 2:
        return []
    top = tf.math.top_k(scores.probabilities, count).indices
    is_chosen = tf.cast(tf.equal(tf.cast(top, chosen.dtype), chosen[:, tf.newaxis]), tf.int32)
    # The explained class goes last; the others keep their order.
    order = tf.argsort(is_chosen * count + tf.range(count), axis=1)
    others = tf.cast(tf.gather(top, order, batch_dims=1), chosen.dtype)
    return [others[:, rank] for rank in range(count - 1)]


def choose_classes(scores: ClassScores, classes: Any) -> Any:
    """The class to explain and those it is contrasted with, as for `contrasted`.

    Args:
        scores: the scores of all classes.
        classes: int64 (batch, 1 + k), in which `PREDICTED` stands for the most probable class, and the code
            of `RUNNER_UP` for the most probable one other than the class to explain.
    """
    import tensorflow as tf

    targets, contrasts = classes[:, :1], classes[:, 1:]
    chosen = tf.where(targets < 0, tf.argmax(scores.probabilities, axis=1)[:, tf.newaxis], targets)
    if contrasts.shape[1]:
        for runner_up in other_classes(scores, chosen[:, 0], 1):
            contrasts = tf.where(contrasts == CODES[RUNNER_UP], runner_up[:, tf.newaxis], contrasts)
    return tf.concat([chosen, contrasts], axis=1)


def contrasted(values: Any, classes: Any) -> Any:
    """The value of a class, minus the mean value of those it is contrasted with if there are any: (batch,).

    A class is never contrasted with itself: it is left out of the mean. If no other class remains, the result
    is 0, with a gradient of 0.

    Args:
        values: scores or probabilities (batch, number of classes).
        classes: int64 (batch, 1 + k): the class, and k >= 0 classes it is contrasted with; the code of
            `OTHERS` stands for all others.
    """
    import tensorflow as tf

    own = tf.gather(values, classes[:, 0], batch_dims=1)
    contrasts = classes[:, 1:]
    if not contrasts.shape[1]:
        return own
    is_other = tf.logical_and(contrasts >= 0, contrasts != classes[:, :1])
    named = tf.where(is_other, tf.gather(values, tf.maximum(contrasts, 0), batch_dims=1), 0)
    count = tf.reduce_sum(tf.cast(is_other, values.dtype), axis=1)
    are_all = contrasts[:, 0] == CODES[OTHERS]
    others = (tf.reduce_sum(values, axis=1) - own) / max(1, int(values.shape[-1]) - 1)
    mean = tf.where(are_all, others, tf.math.divide_no_nan(tf.reduce_sum(named, axis=1), count))
    return tf.where(tf.logical_or(are_all, count > 0), own - mean, 0)
