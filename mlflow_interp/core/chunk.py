"""Consecutive inputs, few enough for memory, and the arrays they are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

UNKNOWN = -1  # the label of an input whose class is not known

#: One array, or a tuple or dict of arrays for a model with several inputs.
Arrays = Any


@dataclass(frozen=True)
class Chunk:
    """Consecutive inputs, few enough for memory.

    Attributes:
        indices: (n,) int64, their positions in the inputs as given.
        names: n names for people: file names, or the positions.
        inputs: what the model is fed, n rows: an array, or a tuple or dict of arrays.
        labels: (n,) int64 class indices, `UNKNOWN` (-1) where not given.
        images: (n, height, width, 3) uint8 to be shown, or None where inputs aren't images.
        label_rows: (n, classes) labels as given where a row holds a number for each class, else None.
        weights: (n,) how much each input counts, None where not given.
    """

    indices: np.ndarray
    names: tuple[str, ...]
    inputs: Arrays
    labels: np.ndarray
    images: np.ndarray | None
    label_rows: np.ndarray | None = None
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.indices)


def split(chunk: Chunk, rows: int) -> Iterator[Chunk]:
    """Cut a chunk into chunks of at most `rows` inputs."""
    for start in range(0, len(chunk), rows):
        yield some(chunk, np.arange(start, min(start + rows, len(chunk))))


def some(chunk: Chunk, rows: np.ndarray) -> Chunk:
    """The inputs of a chunk at positions `rows`, (m,) int64."""
    # A slice is a view, and needs no copy of images.
    start, stop = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)
    part: Any = slice(start, stop) if stop - start == len(rows) else rows
    return Chunk(
        chunk.indices[part],
        tuple(chunk.names[row] for row in rows),
        map_arrays(lambda array: array[part], chunk.inputs),
        chunk.labels[part],
        None if chunk.images is None else chunk.images[part],
        None if chunk.label_rows is None else chunk.label_rows[part],
        None if chunk.weights is None else chunk.weights[part],
    )


def map_arrays(function: Callable[[np.ndarray], np.ndarray], arrays: Arrays) -> Arrays:
    """A structure of arrays with a function applied to each."""
    if isinstance(arrays, Mapping):
        return {key: function(array) for key, array in arrays.items()}
    return tuple(map(function, arrays)) if isinstance(arrays, (tuple, list)) else function(arrays)


def flatten(arrays: Arrays) -> list[np.ndarray]:
    """The arrays of a structure, dict entries by sorted key as TensorFlow orders them."""
    if isinstance(arrays, Mapping):
        return [arrays[key] for key in sorted(arrays)]
    return list(arrays) if isinstance(arrays, (tuple, list)) else [arrays]
