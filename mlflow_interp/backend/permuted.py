"""A model with some of its weights permuted, for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


def kernels(model: Any) -> list[Any]:
    """The weights with two or more axes, in the order of the layers: not biases, nor statistics of norms."""
    return [each for each in model.weights if len(each.shape) > 1 and "float" in str(each.dtype)]


@contextmanager
def permuted(weights: list[Any], seed: int) -> Iterator[None]:
    """Permute the values within each of some weights, and restore them afterwards, whatever happens."""
    kept = [np.array(each.numpy() if hasattr(each, "numpy") else each) for each in weights]
    rng = np.random.default_rng(seed)
    try:
        for variable, values in zip(weights, kept, strict=True):
            variable.assign(rng.permutation(values.reshape(-1)).reshape(values.shape))
        yield
    finally:
        for variable, values in zip(weights, kept, strict=True):
            variable.assign(values)
