"""A model's output for each class: logits to take gradients of, probabilities to show.

Gradients of probabilities vanish where a model is confident (at p = 0.9996 they are a thousandth of the
logits'), so scores are logits wherever the model ends in a softmax or sigmoid. Whether it does is read from
the traced graph, which shows it for fused, separate, nested and hand-written heads alike, and no layer of
the model has to be replaced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlflow_interp.backend.layer_tree import is_channels_first

# Operations that only forward a value, between a head and the model's output.
_PASS_THROUGH = {"Identity", "Cast", "EnsureShape", "StopGradient"}
_HEADS = {"Softmax": "softmax", "LogSoftmax": "softmax", "Sigmoid": "sigmoid"}


@dataclass(frozen=True)
class ClassScores:
    """Scores to take gradients of, and probabilities to show: tensors of shape (batch, classes).

    Attributes:
        scores: float32 logits; a binary head's are (-z, z).
        probabilities: float32; of a linear head with one output, the output itself.
        head: "softmax", "sigmoid", "binary" or "linear".
    """

    scores: Any
    probabilities: Any
    head: str


def class_scores(outputs: Any, model: Any = None) -> ClassScores:
    """Read logits and probabilities from a traced model's output.

    A single sigmoid counts as two classes. Several outputs of a linear head count as logits.
    An output with space, (batch, height, width, classes) or (batch, classes, height, width), is averaged
    over space (Vinogradova et al. 2020, "Towards Interpretable Semantic Segmentation via Gradient-weighted
    Class Activation Mapping").

    Args:
        outputs: the output tensor.
        model: the Keras model, whose data format says which axis has the classes; without it the last.
    """
    import tensorflow as tf

    logits, head, axis = _before_activation(outputs)
    logits = tf.cast(logits, tf.float32)
    rank = logits.shape.rank
    if rank == 1:
        logits = logits[:, tf.newaxis]
    elif rank > 2:
        if axis is None:
            first = model is not None and is_channels_first(model) and not _is_moved_last(logits)
            axis = 1 if first else rank - 1
        logits = tf.reduce_mean(logits, [other for other in range(1, rank) if other != axis])
    if logits.shape[-1] == 1 and head == "sigmoid":
        positive = tf.sigmoid(logits)
        return ClassScores(
            tf.concat([-logits, logits], axis=1), tf.concat([1 - positive, positive], axis=1), "binary"
        )
    if logits.shape[-1] == 1:
        return ClassScores(logits, logits, "linear")
    activation = tf.sigmoid if head == "sigmoid" else tf.nn.softmax
    return ClassScores(logits, activation(logits), head)


def _before_activation(outputs: Any) -> tuple[Any, str, int | None]:
    """Logits, head, and the axis of the classes where the operations of the head show it."""
    operation = _skip(outputs.op)
    # A softmax over another axis than the last is one over the last, between two transposes.
    before = _skip(operation.inputs[0].op) if operation.type == "Transpose" else operation
    if before is not operation and _HEADS.get(before.type) == "softmax":
        return before.inputs[0], "softmax", before.inputs[0].shape.rank - 1
    if operation.type in _HEADS:
        return operation.inputs[0], _HEADS[operation.type], None
    return outputs, "linear", None


def _skip(operation: Any) -> Any:
    """The operation before those that only forward a value."""
    while operation.type in _PASS_THROUGH:
        operation = operation.inputs[0].op
    return operation


def _is_moved_last(tensor: Any) -> bool:
    """Whether a transpose has just moved the first axis after the batch to the end."""
    import tensorflow as tf

    operation = _skip(tensor.op)
    order = tf.get_static_value(operation.inputs[1]) if operation.type == "Transpose" else None
    return order is not None and int(order[-1]) == 1


def choose_targets(scores: ClassScores, targets: Any) -> tuple[Any, Any, Any]:
    """The class to explain (the most probable for `PREDICTED`), its score, its probability, all (batch,)."""
    import tensorflow as tf

    best = tf.argmax(scores.probabilities, axis=1)
    chosen = tf.where(targets < 0, best, targets)
    score, probability = (
        tf.gather(values, chosen, batch_dims=1) for values in (scores.scores, scores.probabilities)
    )
    return chosen, score, probability
