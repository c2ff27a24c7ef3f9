"""Which inputs excite a feature most, and which features of a layer inputs differ in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mlflow_interp.core.sampling import sampling_keys
from mlflow_interp.core.selection import DECIMALS

_BLOCK = 4096  # rows


def strongest_inputs(activations: np.ndarray, digests: np.ndarray, count: int) -> np.ndarray:
    """(features, count) int64, the rows of the inputs that excite each feature most, the strongest first.

    Activations are rounded to a hundred-thousandth of the feature's largest, and a hash of the input decides
    between equal ones, so that neither the order of the inputs nor the size of batches matters.

    Args:
        activations: (n, features).
        digests: (n, bytes) uint8, which identify the inputs.
        count: the number of inputs, at most n.
    """
    by_hash = sampling_keys(digests, 0).view(">u8").astype(np.uint64)
    ranked = _rounded(np.asarray(activations, np.float64))
    orders = [np.lexsort((by_hash[:, 1], by_hash[:, 0], -column)) for column in ranked.T]
    return np.stack([order[:count] for order in orders]).astype(np.int64)


def most_varied(rows: np.ndarray, count: int) -> np.ndarray:
    """(count,) int64, the features that vary most between inputs, by standard deviation, ascending.

    Of a single input, those that it excites most. Of equal ones, the first.

    Args:
        rows: (n, features), may be on disk: read block by block.
        count: the number of features; all if there are fewer.
    """
    mean = sum(block.sum(axis=0) for block in _blocks(rows)) / len(rows)
    spread = sum(((block - mean) ** 2).sum(axis=0) for block in _blocks(rows)) if len(rows) > 1 else mean
    order = np.argsort(-_rounded(np.asarray(spread)[:, np.newaxis])[:, 0], kind="stable")
    return np.sort(order[:count])


def most_predicted(rows: np.ndarray, count: int) -> np.ndarray:
    """(count,) int64, the classes that are predicted most often, ascending; then those with the highest mean.

    Args:
        rows: (n, classes) scores, may be on disk: read block by block.
        count: the number of classes; all if there are fewer.
    """
    times = np.zeros(rows.shape[1], np.int64)
    total = np.zeros(rows.shape[1])
    for block in _blocks(rows):
        times += np.bincount(block.argmax(axis=1), minlength=rows.shape[1])
        total += block.sum(axis=0)
    order = np.lexsort((-_rounded(total[:, np.newaxis])[:, 0], -times))
    return np.sort(order[:count])


def largest(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(features,) float64, how far from zero the activations of each weighted sum get.

    Args:
        rows: (n, channels), may be on disk: read block by block.
        weights: (features, channels).
    """
    return np.asarray(np.max([np.abs(block @ weights.T).max(axis=0) for block in _blocks(rows)], axis=0))


def weighted(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n, features) float32, the activations of weighted sums of channels; arguments as above."""
    return np.asarray(np.concatenate([block @ weights.T for block in _blocks(rows)]), np.float32)


def _blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    return (np.asarray(rows[at : at + _BLOCK], np.float64) for at in range(0, len(rows), _BLOCK))


def _rounded(columns: np.ndarray) -> np.ndarray:
    scale = np.abs(columns).max(axis=0, keepdims=True)
    return np.asarray(np.round(columns / np.where(scale > 0, scale, 1), DECIMALS))
