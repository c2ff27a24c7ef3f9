"""Class scores and their gradients at points near an input.

The points are inputs or, if the model looks up integers in a table, their embeddings: the index of a word has
no gradient, its embedding has one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import cache
from typing import Any

import numpy as np

from mlflow_interp.backend.compile import compile_for
from mlflow_interp.backend.forward import Forward, forward
from mlflow_interp.backend.graph import dependencies
from mlflow_interp.backend.heads import class_scores, contrasted
from mlflow_interp.backend.layer_tree import leaf_paths
from mlflow_interp.exceptions import InapplicableError

INPUT = ""  # as an entry: the input itself

#: One pass: the number of a noisy copy, a share of the way from the baseline, and the weight of the gradient.
Step = tuple[int, float, float]

#: (step, points, baseline, sigma) => a point near them, and the weight of its gradient; traced.
PathSampler = Callable[[tuple[Any, Any, Any], Any, Any, Any], tuple[Any, Any]]


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

    def sample(step: tuple[Any, Any, Any], points: Any, _baseline: Any, sigma: Any) -> tuple[Any, Any]:
        import tensorflow as tf

        number, *_ = step
        # The same noise for all rows, so that it does not depend on which inputs share a batch.
        shape = tf.concat([[1], tf.shape(points)[1:]], axis=0)
        noise = tf.random.stateless_normal(shape, seed=tf.stack([seed, tf.cast(number, tf.int32)]))
        return points + sigma * tf.cast(noise, points.dtype), 1.0

    return sample


def on_the_path(end_of: PathSampler | None = None) -> PathSampler:
    """The sampler of points on the way from the baseline, each gradient weighted with end minus baseline.

    Args:
        end_of: returns where the path of a step ends; by default all paths end at the points.
    """

    def sample(step: tuple[Any, Any, Any], points: Any, baseline: Any, sigma: Any) -> tuple[Any, Any]:
        _, share, weight = step
        end = points if end_of is None else end_of(step, points, baseline, sigma)[0]
        return baseline + share * (end - baseline), weight * (end - baseline)

    return sample


def copies(count: int) -> list[Step]:
    """A step for each noisy copy."""
    return [(number, 1.0, 1.0) for number in range(count)]


@cache
def gauss_legendre(count: int) -> tuple[Step, ...]:
    """Steps along one path: nodes and weights that integrate polynomials of degree 2 count - 1 exactly.

    NumPy computes them from the eigenvalues of a matrix of this size. Up to 1,000 nodes, polynomials of up to
    degree 180 were integrated to 2e-13.
    """
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return tuple((0, *pair) for pair in zip((0.5 + nodes / 2).tolist(), (weights / 2).tolist(), strict=True))


def shared_midpoints(count: int, paths: int) -> list[Step]:
    """Steps along several paths that end close to each other, each with its points at other places.

    Together they are almost as exact as one path with all points: the midpoints of `count` times `paths`
    intervals.
    """
    return [
        (path, (step + (path + 0.5) / paths) / count, 1 / (count * paths))
        for path in range(paths)
        for step in range(count)
    ]


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
        total, scores, number, share, of_step = sums
        point, weight = sampler((number, share, of_step), points, baseline, sigma)
        score = score_at(model, entry, head, inputs, point, explained)
        gradient = tf.gradients(score, point)[0]
        return total + weight * (gradient**2 if square else gradient), scores + score

    inputs, points, classes = arrays
    row = tf.TensorSpec([None, *points.shape[1:]], points.dtype)
    per_row = tf.TensorSpec([None, *[1] * (points.ndim - 1)], points.dtype)
    step = (tf.TensorSpec([], tf.int64), tf.TensorSpec([], points.dtype), tf.TensorSpec([], points.dtype))
    sums = (row, tf.TensorSpec([None], tf.float32), *step)
    explained = tf.TensorSpec([None, classes.shape[1]], tf.int64)
    return compile_for(run_pass, inputs, row, row, per_row, explained, *sums)


def summed(
    run_pass: Callable[..., Any], arguments: tuple[np.ndarray, ...], steps: Sequence[Step]
) -> Generator[int, None, tuple[np.ndarray, np.ndarray]]:
    """Run a pass for each step; yield after each, return the sums of weighted gradients and of scores."""
    import tensorflow as tf

    tensors = [tf.constant(each) for each in arguments]
    total = tf.zeros_like(tensors[1])
    scores = tf.zeros(len(arguments[1]))
    for number, share, weight in steps:
        step = (tf.constant(number, tf.int64), *(tf.constant(each, total.dtype) for each in (share, weight)))
        total, scores = run_pass(*tensors, total, scores, *step)
        yield 1
    return total.numpy(), scores.numpy()
