"""A model's output for each class: logits to take gradients of, probabilities to show.

Gradients of probabilities vanish where a model is confident (at p = 0.9996 they are a thousandth of the
logits'), so scores are logits wherever the model ends in a softmax or sigmoid. Whether it does is read from
the traced graph, which shows it for fused, separate, nested and hand-written heads alike, and no layer of
the model has to be replaced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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


def class_scores(outputs: Any) -> ClassScores:
    """Read logits and probabilities from a traced model's output.

    A single sigmoid counts as two classes. Several outputs of a linear head count as logits.
    An output with space (batch, height, width, classes) is averaged over space (Vinogradova et al.
    2020, "Towards Interpretable Semantic Segmentation via Gradient-weighted Class Activation Mapping").
    """
    import tensorflow as tf

    logits, head = _before_activation(outputs)
    logits = tf.cast(logits, tf.float32)
    if logits.shape.rank == 1:
        logits = logits[:, tf.newaxis]
    if logits.shape.rank > 2:
        logits = tf.reduce_mean(logits, axis=list(range(1, logits.shape.rank - 1)))
    if logits.shape[-1] == 1 and head == "sigmoid":
        positive = tf.sigmoid(logits)
        return ClassScores(
            tf.concat([-logits, logits], axis=1), tf.concat([1 - positive, positive], axis=1), "binary"
        )
    if logits.shape[-1] == 1:
        return ClassScores(logits, logits, "linear")
    activation = tf.sigmoid if head == "sigmoid" else tf.nn.softmax
    return ClassScores(logits, activation(logits), head)


def _before_activation(outputs: Any) -> tuple[Any, str]:
    operation = outputs.op
    while operation.type in _PASS_THROUGH:
        operation = operation.inputs[0].op
    if operation.type in _HEADS:
        return operation.inputs[0], _HEADS[operation.type]
    return outputs, "linear"


def choose_targets(scores: ClassScores, targets: Any) -> tuple[Any, Any, Any]:
    """The class to explain (the most probable for `PREDICTED`), its score, its probability, all (batch,)."""
    import tensorflow as tf

    best = tf.argmax(scores.probabilities, axis=1)
    chosen = tf.where(targets < 0, best, targets)
    score, probability = (
        tf.gather(values, chosen, batch_dims=1) for values in (scores.scores, scores.probabilities)
    )
    return chosen, score, probability
