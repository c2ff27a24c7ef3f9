"""What a model says about each class: logits to take gradients of, probabilities to show.

Gradients of probabilities vanish where a model is sure (at p = 0.9996 they are a thousandth of the
logits'), so scores are logits wherever the model ends in a softmax or sigmoid. Which it does is read
off the traced graph, which knows it for fused, separate, nested and hand-written heads alike, and
nothing of the model has to be swapped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Operations that only pass a value on, between a head and the model's output.
_PASSES_ON = {"Identity", "Cast", "EnsureShape", "StopGradient"}
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
    """Read logits and probabilities off a traced model's output.

    A single sigmoid counts as two classes. A linear head of several outputs is taken for logits.
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
    while operation.type in _PASSES_ON:
        operation = operation.inputs[0].op
    if operation.type in _HEADS:
        return operation.inputs[0], _HEADS[operation.type]
    return outputs, "linear"


def choose_targets(scores: ClassScores, targets: Any) -> tuple[Any, Any, Any]:
    """The class to explain, `PREDICTED` replaced by the best; its score; its probability. All (batch,)."""
    import tensorflow as tf

    best = tf.argmax(scores.probabilities, axis=1)
    chosen = tf.where(targets < 0, best, targets)
    score, probability = (
        tf.gather(values, chosen, batch_dims=1) for values in (scores.scores, scores.probabilities)
    )
    return chosen, score, probability
