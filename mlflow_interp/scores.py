"""What a model says about each class, and which class is to be explained.

Gradients of probabilities vanish where a model is sure (at p = 0.9996 they are a thousandth of the
logits'), so scores are logits wherever the model ends in a softmax or sigmoid. Which it does is read
off the traced graph, which knows it for fused, separate, nested and hand-written heads alike, and
nothing of the model has to be swapped.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.core import UNKNOWN, Batch, Chunk
from mlflow_interp.exceptions import OptionError, nearest

PREDICTED = -1  # as a target: the class the model itself predicts

Target = str | int | Sequence[int | str] | None

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


def choose_targets(scores: ClassScores, targets: Any) -> tuple[Any, Any]:
    """The class to explain, `PREDICTED` replaced by the best; and its score. Both (batch,)."""
    import tensorflow as tf

    best = tf.argmax(scores.probabilities, axis=1)
    chosen = tf.where(targets < 0, best, targets)
    return chosen, tf.gather(scores.scores, chosen, batch_dims=1)


def target_chooser(target: Target, batch: Batch, classes: int) -> Callable[[Chunk], np.ndarray]:
    """How to find the targets of a chunk, (n,) int64.

    Args:
        target: None for the predicted class; a class index or name; "label" for the true label
            (the predicted class where it is unknown); or one of these per input, also as text
            with commas.
        batch: knows the class names.
        classes: how many classes the model has.

    Raises:
        OptionError: a class that does not exist, or fewer targets than inputs.
    """
    if target is None:
        return lambda chunk: np.full(len(chunk), PREDICTED, np.int64)
    if isinstance(target, str) and target == "label":
        return lambda chunk: np.where(chunk.labels == UNKNOWN, PREDICTED, chunk.labels)
    wanted = np.array([_class_index(each, batch, classes) for each in _split(target, batch)], np.int64)
    if len(wanted) == 1:
        return lambda chunk: np.full(len(chunk), wanted[0], np.int64)
    if not len(wanted) or (batch.total is not None and len(wanted) != batch.total):
        raise OptionError(
            f"target names {len(wanted)} classes for {batch.total} inputs; give one, or one per input"
        )
    return lambda chunk: _pick(wanted, chunk)


def _pick(wanted: np.ndarray, chunk: Chunk) -> np.ndarray:
    if chunk.indices.max() >= len(wanted):
        raise OptionError(f"target names only {len(wanted)} classes; give one, or one per input")
    return np.asarray(wanted[chunk.indices])


def _split(target: Target, batch: Batch) -> list[Any]:
    if not isinstance(target, str):
        return list(np.ravel(np.array(target, dtype=object)))
    if batch.class_names and target in batch.class_names:
        return [target]
    return [part.strip() for part in target.split(",")]


def _class_index(target: Any, batch: Batch, classes: int) -> int:
    names = list(batch.class_names or ())
    if names.count(target) > 1:
        same = [str(index) for index, name in enumerate(names) if name == target]
        raise OptionError(f"{len(same)} classes are called {target!r}; give an index: {', '.join(same)}")
    if target in names:
        return names.index(target)
    try:
        index = operator.index(int(target) if isinstance(target, str) else target)
    except (TypeError, ValueError) as error:
        known = nearest(target, names, most=3) if names else "; no class names are known, give its index"
        raise OptionError(f"no class is called {target!r}{known}") from error
    if not 0 <= index < classes:
        raise OptionError(f"target {index} is out of range: the model has classes 0 to {classes - 1}")
    return index
