"""Class scores and their gradients at points near an input.

The points are inputs or, if the model looks up integers in a table, their embeddings: the index of a word has
no gradient, its embedding has one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from mlflow_interp.backend.compile import compile_for
from mlflow_interp.backend.forward import Forward, forward
from mlflow_interp.backend.graph import dependencies
from mlflow_interp.backend.heads import class_scores, contrasted
from mlflow_interp.backend.layer_tree import leaf_paths
from mlflow_interp.exceptions import InapplicableError

INPUT = ""  # as an entry: the input itself

#: (number, points, baseline, sigma) => a point near them, and the weight of its gradient; traced.
PathSampler = Callable[[Any, Any, Any, Any], tuple[Any, Any]]


def differentiable_input(model: Any, passed: Forward, score: Any) -> str:
    """The first continuous values: `INPUT`, or the path of the embedding of an integer input.

    Raises:
        InapplicableError: the score has no gradient with respect to either, or to several embeddings.
    """
    import tensorflow as tf

    if tf.gradients(score, passed.inputs)[0] is not None:
        return INPUT
    leaves = leaf_paths(model)
    tensors = {
        path: tensor for path, tensor in passed.tapped.items() if path in leaves and tensor.dtype.is_floating
    }
    embeddings = [path for path in tensors if _is_first_continuous(path, passed, tensors, score)]
    if len(embeddings) == 1 and len(passed.calls[embeddings[0]]) == 1:
        return embeddings[0]
    reason = (
        f"which is looked up in {', '.join(embeddings)}"
        if embeddings
        else "for example because values are rounded or looked up"
    )
    raise InapplicableError(
        f"the class score of model {model.name!r} has no gradient with respect to its input, {reason}; "
        "saliency needs continuous inputs, or integers that are looked up once in a single embedding layer"
    )


def _is_first_continuous(path: str, passed: Forward, tensors: dict[str, Any], score: Any) -> bool:
    """Whether a layer's output is the first after the input that the score has a gradient for."""
    import tensorflow as tf

    # Depending on the shape of the input alone does not count: position embeddings are left out.
    ancestors = dependencies(tensors[path], but=("Shape",))
    if passed.inputs.op.name not in ancestors or tf.gradients(score, tensors[path])[0] is None:
        return False
    upstream = [each for each in tensors.values() if each is not tensors[path] and each.op.name in ancestors]
    return not any(tf.gradients(score, each)[0] is not None for each in upstream)


def noisy_copy(seed: int) -> PathSampler:
    """The sampler of noisy copies by number, with weight 1 for each gradient."""

    def sample(number: Any, points: Any, _baseline: Any, sigma: Any) -> tuple[Any, Any]:
        import tensorflow as tf

        # The same noise for all rows, so that it does not depend on which inputs share a batch.
        shape = tf.concat([[1], tf.shape(points)[1:]], axis=0)
        noise = tf.random.stateless_normal(shape, seed=tf.stack([seed, tf.cast(number, tf.int32)]))
        return points + sigma * tf.cast(noise, points.dtype), 1.0

    return sample


def on_the_path(end_of: PathSampler, steps: int, paths: int) -> PathSampler:
    """The sampler of points on the paths from the baseline, each gradient weighted with end minus baseline.

    Args:
        end_of: returns the end of each path by its number.
        steps: the number of points on a path.
        paths: the number of paths.
    """

    def sample(number: Any, points: Any, baseline: Any, sigma: Any) -> tuple[Any, Any]:
        import tensorflow as tf

        path, step = number // steps, number % steps
        end, _ = end_of(path, points, baseline, sigma)
        # Each path has its points at other places. Their ends are close to each other, so that together they
        # are almost as exact as one path with all points: the midpoints of `steps` times `paths` steps.
        within = (tf.cast(path, points.dtype) + 0.5) / paths
        share = (tf.cast(step, points.dtype) + within) / steps
        return baseline + share * (end - baseline), end - baseline

    return sample


# Positional, as tf.function does not bind the keywords of a partial.
def score_at(model: Any, entry: str, head: str, inputs: Any, points: Any, classes: Any) -> Any:
    """The explained score if the output of the layer `entry` is `points`, traced; see `contrasted`."""
    passed = forward(model, inputs, overrides={entry: points}) if entry else forward(model, points)
    return contrasted(class_scores(passed.outputs, model, head).scores, classes)


def one_pass(
    model: Any,
    entry: str,
    head: str,
    arrays: tuple[np.ndarray, np.ndarray, np.ndarray],
    sampler: PathSampler,
    *,
    square: bool,
) -> Callable[..., Any]:
    """Compile one pass: add the weighted gradient at a point, and the score there, to the sums.

    Args:
        model: the Keras model.
        entry: the path of the layer whose output the points replace; `INPUT` for the input.
        head: what the model's output is.
        arrays: inputs, points and classes, see `contrasted`, for their shapes.
        sampler: computes the point.
        square: whether gradients are squared.
    """
    import tensorflow as tf

    def run_pass(
        inputs: Any, points: Any, baseline: Any, sigma: Any, explained: Any, *sums: Any
    ) -> tuple[Any, ...]:
        total, scores, number = sums
        point, weight = sampler(number, points, baseline, sigma)
        score = score_at(model, entry, head, inputs, point, explained)
        gradient = tf.gradients(score, point)[0]
        return total + weight * (gradient**2 if square else gradient), scores + score

    inputs, points, classes = arrays
    row = tf.TensorSpec([None, *points.shape[1:]], points.dtype)
    per_row = tf.TensorSpec([None, *[1] * (points.ndim - 1)], points.dtype)
    sums = (row, tf.TensorSpec([None], tf.float32), tf.TensorSpec([], tf.int64))
    explained = tf.TensorSpec([None, classes.shape[1]], tf.int64)
    return compile_for(run_pass, inputs, row, row, per_row, explained, *sums)


def summed(
    run_pass: Callable[..., Any], arguments: tuple[np.ndarray, ...], count: int
) -> Generator[int, None, tuple[np.ndarray, np.ndarray]]:
    """Run passes 0 to `count` - 1, one at a time; yield after each, return the sums."""
    import tensorflow as tf

    tensors = [tf.constant(each) for each in arguments]
    total = tf.zeros_like(tensors[1])
    scores = tf.zeros(len(arguments[1]))
    for number in range(count):
        total, scores = run_pass(*tensors, total, scores, tf.constant(number, tf.int64))
        yield 1
    return total.numpy(), scores.numpy()
