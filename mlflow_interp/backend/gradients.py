"""Scores and gradients at points near an input: where the ways to a class score start, and passes over them.

The points are inputs, or where the model looks integers up in a table, what it finds there: a word's
number has no direction to go in, its embedding has.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from mlflow_interp.backend.compile import compile_for
from mlflow_interp.backend.feature_maps import dependencies
from mlflow_interp.backend.forward import Forward, forward
from mlflow_interp.backend.heads import class_scores
from mlflow_interp.backend.layer_tree import leaf_paths
from mlflow_interp.exceptions import InapplicableError

INPUT = ""  # as an entry: the input itself

#: (number, points, baseline, sigma) => a point near them, and what its gradient counts; traced.
PathSampler = Callable[[Any, Any, Any, Any], tuple[Any, Any]]


def differentiable_input(model: Any, passed: Forward, score: Any) -> str:
    """Where continuous values come in: `INPUT`, or the path of the embedding of an input of integers.

    Raises:
        InapplicableError: the score has no gradient by either, or by several embeddings.
    """
    import tensorflow as tf

    if tf.gradients(score, passed.inputs)[0] is not None:
        return INPUT
    leaves = leaf_paths(model)
    fed = {
        path: tensor for path, tensor in passed.tapped.items() if path in leaves and tensor.dtype.is_floating
    }
    found = [path for path in fed if _starts(path, passed, fed, score)]
    if len(found) == 1 and passed.uses[found[0]] == 1:
        return found[0]
    several = f"it looks them up in {', '.join(found)}" if found else "as where they are rounded or looked up"
    raise InapplicableError(
        f"the class score of model {model.name!r} has no gradient by its input, {several}; saliency needs an "
        "input of continuous values, or of integers that are looked up in one embedding, once"
    )


def _starts(path: str, passed: Forward, fed: dict[str, Any], score: Any) -> bool:
    """Whether a layer gives the first values on its way that the score changes smoothly with."""
    import tensorflow as tf

    # The number of places is no way from the input: embeddings of positions stay out.
    before = dependencies(fed[path], but=("Shape",))
    if passed.inputs.op.name not in before or tf.gradients(score, fed[path])[0] is None:
        return False
    earlier = [each for each in fed.values() if each is not fed[path] and each.op.name in before]
    return not any(tf.gradients(score, each)[0] is not None for each in earlier)


def noisy_copy(seed: int) -> PathSampler:
    """What gives the noisy copy of a number, its gradient counting 1."""

    def sample(number: Any, points: Any, _baseline: Any, sigma: Any) -> tuple[Any, Any]:
        import tensorflow as tf

        # One noise for all rows: drawn once, and the same whichever inputs share a batch.
        shape = tf.concat([[1], tf.shape(points)[1:]], axis=0)
        noise = tf.random.stateless_normal(shape, seed=tf.stack([seed, tf.cast(number, tf.int32)]))
        return points + sigma * tf.cast(noise, points.dtype), 1.0

    return sample


def on_the_path(end_of: PathSampler, steps: int) -> PathSampler:
    """What gives a point between the baseline and each end in turn, its gradient counting the path between.

    Args:
        end_of: gives the end of each path by its number.
        steps: the number of points on a path.
    """

    def sample(number: Any, points: Any, baseline: Any, sigma: Any) -> tuple[Any, Any]:
        import tensorflow as tf

        end, _ = end_of(number // steps, points, baseline, sigma)
        # The middle of each step: the error of the integral falls with the square of their number.
        share = (tf.cast(number % steps, points.dtype) + 0.5) / steps
        return baseline + share * (end - baseline), end - baseline

    return sample


def score_at(model: Any, entry: str, inputs: Any, points: Any, targets: Any) -> Any:
    """The score of each target where an entry gives `points`, traced."""
    import tensorflow as tf

    passed = forward(model, inputs, given={entry: points}) if entry else forward(model, points)
    return tf.gather(class_scores(passed.outputs).scores, targets, batch_dims=1)


def one_pass(
    model: Any, entry: str, given: tuple[np.ndarray, np.ndarray], near: PathSampler, *, square: bool
) -> Callable[..., Any]:
    """Compile one pass: add the weighted gradient at a point, and its score, to the sums.

    Args:
        model: the Keras model.
        entry: where points come in.
        given: inputs and points, for their shapes.
        near: chooses the point.
        square: whether gradients are squared.
    """
    import tensorflow as tf

    def one(inputs: Any, points: Any, baseline: Any, sigma: Any, targets: Any, *sums: Any) -> tuple[Any, ...]:
        total, scores, number = sums
        at, weight = near(number, points, baseline, sigma)
        score = score_at(model, entry, inputs, at, targets)
        gradient = tf.gradients(score, at)[0]
        return total + weight * (gradient**2 if square else gradient), scores + score

    inputs, points = given
    row = tf.TensorSpec([None, *points.shape[1:]], points.dtype)
    ones = tf.TensorSpec([None, *[1] * (points.ndim - 1)], points.dtype)
    sums = (row, tf.TensorSpec([None], tf.float32), tf.TensorSpec([], tf.int64))
    return compile_for(one, inputs, row, row, ones, tf.TensorSpec([None], tf.int64), *sums)


def summed(
    one: Callable[..., Any], given: tuple[np.ndarray, ...], count: int
) -> Generator[int, None, tuple[np.ndarray, np.ndarray]]:
    """Make passes 0 to `count`, one at a time; yields after each, returns the sums."""
    import tensorflow as tf

    tensors = [tf.constant(each) for each in given]
    total = tf.zeros_like(tensors[1])
    scores = tf.zeros(len(given[1]))
    for number in range(count):
        total, scores = one(*tensors, total, scores, tf.constant(number, tf.int64))
        yield 1
    return total.numpy(), scores.numpy()
