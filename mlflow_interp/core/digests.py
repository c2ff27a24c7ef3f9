"""Digests of inputs and weights: equal ones have the same, wherever they are stored."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import Arrays, flatten


class InputsDigest:
    """The sha256 of inputs that come in chunks; where they are split makes no difference."""

    def __init__(self) -> None:
        self._columns: dict[int, Any] = {}

    def add(self, inputs: Arrays) -> None:
        """Add the next chunk: a hash for each of the model's inputs."""
        for column, array in enumerate(flatten(inputs)):
            if column not in self._columns:
                self._columns[column] = hashlib.sha256(f"{array.dtype}{array.shape[1:]}".encode())
            self._columns[column].update(np.ascontiguousarray(array).view(np.uint8).data)

    def hexdigest(self) -> str:
        """The digest of all chunks."""
        return hashlib.sha256(b"".join(each.digest() for each in self._columns.values())).hexdigest()


def weights_digest(model: Any) -> str:
    """The sha256 of all weights in order: the same for equal models, wherever they are stored."""
    sha256 = hashlib.sha256()
    for weight in model.weights:
        update_digest(sha256, np.asarray(weight))
    return sha256.hexdigest()


def update_digest(sha256: Any, array: np.ndarray) -> None:
    """Update a hash with an array: dtype and shape as well as bytes, so that views can't collide."""
    sha256.update(f"{array.dtype}{array.shape}".encode())
    sha256.update(np.ascontiguousarray(array).view(np.uint8).data)
