"""Following attention back from the tokens that a class score depends on to those of the input.

Chefer et al. 2021 and Abnar and Zuidema 2020; on traced tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlflow_interp.backend.layouts import SpatialLayout
from mlflow_interp.exceptions import InapplicableError


def gradients(score: Any, tensors: Sequence[Any]) -> list[Any]:
    """The gradient of a score (batch,) with respect to each of several tensors, in one backward pass.

    Raises:
        InapplicableError: a layer's output is not computed from the weights that it returns.
    """
    import tensorflow as tf

    found = tf.gradients(score, list(tensors))
    if any(each is None for each in found):
        raise InapplicableError(
            "the class score does not depend on the attention weights that a layer returns; name other "
            "layers with attention_layers="
        )
    return list(found)


def of_inputs(tensor: Any, score: Any) -> Any:
    """As many rows of a tensor as the score has, float32; windows make more of them, see `windows`."""
    import tensorflow as tf

    return tf.cast(tensor[: tf.shape(score)[0]], tf.float32)


def windows(weights: Sequence[Any], score: Any) -> Any:
    """The most rows that the weights of a layer have for each input, int32 (batch,): 1 without windows."""
    import tensorflow as tf

    batch = tf.shape(score)[0]
    most = tf.reduce_max(tf.stack([tf.shape(each)[0] for each in weights]))
    return tf.fill([batch], tf.math.floordiv(most + batch - 1, batch))


def mean_of_heads(weights: Any) -> Any:
    """The weights of a layer (batch, heads, n, n), averaged over heads."""
    import tensorflow as tf

    return tf.reduce_mean(weights, axis=1)


def relevance_of_heads(weights: Any, gradient: Any) -> Any:
    """The positive part of weights times gradients (batch, heads, n, n), averaged over heads."""
    import tensorflow as tf

    return tf.reduce_mean(tf.nn.relu(weights * gradient), axis=1)


def followed_back(row: Any, matrices: Sequence[Any], *, keep: float, passed_on: float) -> Any:
    """A row of the product over all layers of keep · I + passed_on · matrix, the last layer first.

    The row is multiplied by one matrix after the other, so that no product of matrices is needed.

    Args:
        row: (batch, n), the tokens after the last layer that are read: a unit vector, or the mean of some.
        matrices: (batch, n, n) of each layer, the first layer first.
        keep: the weight of the residual connection.
        passed_on: the weight of attention.
    """
    import tensorflow as tf

    for matrix in reversed(matrices):
        row = keep * row + passed_on * tf.linalg.matvec(matrix, row, transpose_a=True)
    return row


def influential_tokens(gradient: Any) -> Any:
    """Whether the score depends on each token after the last attention, bool (batch, n).

    Row i of the weights has an effect on token i only, so that its gradient is exactly zero if nothing after
    the layer reads that token.

    Args:
        gradient: of the score with respect to the weights of the last layer, (batch, heads, n, n).
    """
    import tensorflow as tf

    return tf.reduce_any(gradient != 0, axis=(1, 3))


def mean_row(tokens: Any) -> Any:
    """The mean of the unit vectors of some tokens (batch, n); of all tokens where there is none."""
    import tensorflow as tf

    chosen = tf.cast(tokens | ~tf.reduce_any(tokens, axis=1, keepdims=True), tf.float32)
    return chosen / tf.reduce_sum(chosen, axis=1, keepdims=True)


def unit_row(like: Any, token: int) -> Any:
    """The unit vector of a token, negative from the end, for weights (batch, heads, n, n)."""
    import tensorflow as tf

    shape = tf.shape(like)
    index = token if token >= 0 else shape[-1] + token
    return tf.tile(tf.one_hot([index], shape[-1]), (shape[0], 1))


def all_tokens(like: Any) -> Any:
    """True for every token of weights (batch, heads, n, n)."""
    import tensorflow as tf

    shape = tf.shape(like)
    return tf.ones((shape[0], shape[-1]), tf.bool)


def read_tokens(tokens: Any) -> Any:
    """What is known of the tokens that the score depends on, int32 (batch, 3): number, first, and n."""
    import tensorflow as tf

    number = tf.reduce_sum(tf.cast(tokens, tf.int32), axis=1)
    first = tf.argmax(tokens, axis=1, output_type=tf.int32)
    return tf.stack([number, first, tf.fill(tf.shape(number), tf.shape(tokens)[1])], axis=1)


def given_tokens(like: Any) -> Any:
    """In place of `read_tokens` if the user names the token: 0."""
    import tensorflow as tf

    return tf.zeros((tf.shape(like)[0], 3), tf.int32)


def laid_out(row: Any, layout: SpatialLayout) -> Any:
    """The values of tokens (batch, n) at their positions (batch, *space), without leading tokens."""
    import tensorflow as tf

    row = row[:, layout.before :]
    if len(layout.sizes) == 1:
        return row
    return tf.reshape(row, (-1, *layout.sizes))


def squared_sum(scores: Any) -> Any:
    """The sum of the squares of all scores (batch, classes), a score (batch,) of no class in particular."""
    import tensorflow as tf

    return tf.reduce_sum(tf.square(scores), axis=1)
