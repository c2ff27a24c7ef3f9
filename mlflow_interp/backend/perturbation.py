"""Class scores of copies of inputs in which some positions are replaced by a baseline."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np

from mlflow_interp.backend.compile import any_rows, compile_for
from mlflow_interp.backend.forward import forward
from mlflow_interp.backend.heads import class_scores, contrasted

#: What is read of a perturbed copy: the logit of the explained class, or its probability.
Score = Literal["logit", "probability"]

# Operations between the inputs and a table that keep integers as they are. Keras selects between the indices
# as given and those counted from the end.
_FORWARDING = {"Cast", "EnsureShape", "ExpandDims", "Identity", "Reshape", "SelectV2", "Squeeze"}
_TABLES = {"GatherV2": 1, "OneHot": 0, "ResourceGather": 1}  # by operation, the position of the indices


def is_looked_up(inputs: Any) -> bool:
    """Whether the values of traced inputs are looked up in a table, as integers such as tokens are."""
    pending = [inputs]
    seen = set()
    while pending:
        tensor = pending.pop()
        for operation in tensor.consumers():
            indices = _TABLES.get(operation.type)
            if indices is not None and operation.inputs[indices] is tensor:
                return True
            if operation.type in _FORWARDING and operation.name not in seen:
                seen.add(operation.name)
                pending.extend(operation.outputs)
    return False


def compile_scores(
    model: Any, head: str, score: Score, arrays: tuple[np.ndarray, ...], axes: tuple[int, ...]
) -> Callable[..., Any]:
    """Compile the scores of perturbed copies, (k, n), as a function of four or five arrays.

    These are inputs (n, …) and baselines (n, …), masks (k, …) in 0..1 that say how much of each position is
    kept, the explained classes of each input (n, 1 + c), see `contrasted`, and the weights of the positions
    of the output, if any, see `class_scores`. All k n copies are one batch.

    Args:
        model: the Keras model.
        head: what its output is; see `Head`.
        score: what is read of a copy.
        arrays: inputs, classes, and the weights of positions if there are any, for their shapes.
        axes: the axes of the inputs, without the batch axis, that masks have.
    """
    inputs, classes, *weights = arrays
    dtype = computed_in(inputs.dtype)
    masks = any_rows(dtype, *(inputs.shape[1 + axis] for axis in axes))
    run = partial(_scores, model, head, score, axes)
    explained = any_rows(np.int64, classes.shape[1])
    others = [any_rows(np.float32, *each.shape[1:]) for each in weights]
    return compile_for(run, inputs, any_rows(dtype, *inputs.shape[1:]), masks, explained, *others)


def computed_in(dtype: Any) -> Any:
    """The type in which inputs are mixed with their baselines."""
    return dtype if np.dtype(dtype).kind == "f" else np.dtype(np.float32)


# Positional, as tf.function does not bind the keywords of a partial.
def _scores(model: Any, head: str, score: Score, axes: tuple[int, ...], inputs: Any, *arrays: Any) -> Any:
    import tensorflow as tf

    baselines, masks, classes, *weights = arrays
    shape = inputs.shape[1:]
    sides = [shape[axis] if axis in axes else 1 for axis in range(len(shape))]
    kept = tf.reshape(masks, [-1, 1, *sides])
    # Not baseline + kept (input - baseline), which would change what is kept by rounding.
    copies = kept * tf.cast(inputs, masks.dtype) + (1 - kept) * baselines
    passed = forward(model, tf.cast(tf.reshape(copies, [-1, *shape]), inputs.dtype))
    count = tf.shape(masks)[0]
    tiled = [tf.tile(each, [count, *[1] * (each.shape.rank - 1)]) for each in (classes, *weights)]
    read = class_scores(passed.outputs, model, head, *tiled[1:])
    values = read.scores if score == "logit" else read.probabilities
    explained = contrasted(values, tiled[0])
    return tf.reshape(explained, [-1, tf.shape(inputs)[0]])
