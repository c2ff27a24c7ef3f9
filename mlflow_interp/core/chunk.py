"""Consecutive inputs, few enough for memory, and their arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mlflow_interp.core.image_arrays import ImagePart
from mlflow_interp.core.whole_image import WholeImage

UNKNOWN = -1  # the label of an input whose class is not known

#: One array, or a tuple or dict of arrays for a model with several inputs.
Arrays = Any


@dataclass(frozen=True)
class Chunk:
    """Consecutive inputs, few enough for memory.

    Attributes:
        indices: (n,) int64, their positions in the inputs as given.
        names: n display names: file names, or the positions as in "#62".
        inputs: the model's inputs, n rows: an array, or a tuple or dict of arrays.
        labels: (n,) int64 class indices, `UNKNOWN` (-1) where not given.
        images: (n, height, width, 3) uint8 to show, or None if inputs aren't images.
        parts: what `images` are composed of if an input has several images; else empty.
        label_rows: (n, classes) labels as given if a row has a number for each class, else None.
        weights: (n,) the weight of each input, None if not given.
        digests: (n, 16) uint8, the digest of each input as given, before preparation; None if not computed.
        blue_first: whether the channels of inputs are in BGR order; None if not known.
        columns: further values of the inputs by name, n rows each, such as given predictions.
        given_labels: (n, …) labels as given: numbers that may be values or rows of values, or numbers or
            names for each position of an input; None without such labels.
        wholes: n whole images of which `images` are crops, None for images that are not cropped; empty if
            none is.
    """

    indices: np.ndarray
    names: tuple[str, ...]
    inputs: Arrays
    labels: np.ndarray
    images: np.ndarray | None
    label_rows: np.ndarray | None = None
    weights: np.ndarray | None = None
    digests: np.ndarray | None = None
    blue_first: bool | None = None
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    parts: tuple[ImagePart, ...] = ()
    given_labels: np.ndarray | None = None
    wholes: tuple[WholeImage | None, ...] = ()

    def __len__(self) -> int:
        return len(self.indices)

    def copy(self) -> Chunk:
        """A copy that shares no memory."""
        return join([self])

    def blanked(self) -> Chunk:
        """The same inputs without images, and with constants of the same shape and type as their values."""
        return replace(self, inputs=map_arrays(_blank, self.inputs), images=None, parts=(), wholes=())


def position_names(positions: np.ndarray) -> tuple[str, ...]:
    """Display names of inputs without names: "#62" for position 62, as "62" may be the name of a class."""
    return tuple(f"#{position}" for position in positions.tolist())


def join(chunks: Sequence[Chunk]) -> Chunk:
    """Several chunks as one, in order; all must have the same fields, and inputs of one shape."""

    def joined(arrays: list[Any]) -> Any:
        return None if arrays[0] is None else np.concatenate(arrays)

    first = chunks[0].inputs
    if isinstance(first, Mapping):
        inputs: Arrays = {key: joined([chunk.inputs[key] for chunk in chunks]) for key in first}
    elif isinstance(first, (tuple, list)):
        inputs = tuple(
            joined(list(column)) for column in zip(*(chunk.inputs for chunk in chunks), strict=True)
        )
    else:
        inputs = joined([chunk.inputs for chunk in chunks])
    return Chunk(
        indices=joined([chunk.indices for chunk in chunks]),
        names=tuple(name for chunk in chunks for name in chunk.names),
        inputs=inputs,
        labels=joined([chunk.labels for chunk in chunks]),
        images=joined([chunk.images for chunk in chunks]),
        label_rows=joined([chunk.label_rows for chunk in chunks]),
        weights=joined([chunk.weights for chunk in chunks]),
        digests=joined([chunk.digests for chunk in chunks]),
        columns={name: joined([chunk.columns[name] for chunk in chunks]) for name in chunks[0].columns},
        blue_first=chunks[0].blue_first,
        parts=chunks[0].parts,
        given_labels=joined([chunk.given_labels for chunk in chunks]),
        wholes=_joined_wholes(chunks),
    )


def _joined_wholes(chunks: Sequence[Chunk]) -> tuple[WholeImage | None, ...]:
    if not any(chunk.wholes for chunk in chunks):
        return ()
    return tuple(whole for chunk in chunks for whole in chunk.wholes or (None,) * len(chunk))


def split(chunk: Chunk, rows: int) -> Iterator[Chunk]:
    """Split a chunk into chunks of at most `rows` inputs."""
    for start in range(0, len(chunk), rows):
        yield some(chunk, np.arange(start, min(start + rows, len(chunk))))


def some(chunk: Chunk, rows: np.ndarray) -> Chunk:
    """The inputs of a chunk at positions `rows`, (m,) int64."""
    # A slice is a view and copies no images.
    is_range = len(rows) > 0 and bool((np.diff(rows) == 1).all())
    part: Any = slice(int(rows[0]), int(rows[-1]) + 1) if is_range else np.asarray(rows, np.int64)
    optional = (chunk.images, chunk.label_rows, chunk.weights, chunk.digests, chunk.given_labels)
    images, label_rows, weights, digests, given = (None if each is None else each[part] for each in optional)
    return Chunk(
        indices=chunk.indices[part],
        names=tuple(chunk.names[row] for row in rows),
        inputs=map_arrays(lambda array: array[part], chunk.inputs),
        labels=chunk.labels[part],
        images=images,
        label_rows=label_rows,
        weights=weights,
        digests=digests,
        blue_first=chunk.blue_first,
        columns={name: values[part] for name, values in chunk.columns.items()},
        parts=chunk.parts,
        given_labels=given,
        wholes=tuple(chunk.wholes[row] for row in rows.tolist()) if chunk.wholes else (),
    )


def map_arrays(function: Callable[[Any], Any], arrays: Arrays) -> Arrays:
    """A structure of arrays with a function applied to each; None stays None."""
    if arrays is None:
        return None
    if isinstance(arrays, Mapping):
        return {key: function(array) for key, array in arrays.items()}
    return tuple(map(function, arrays)) if isinstance(arrays, (tuple, list)) else function(arrays)


def _blank(array: np.ndarray) -> np.ndarray:
    """An array like another, of one value: 0, or 0.5 if the other holds fractions."""
    has_fractions = array.dtype.kind == "f" and bool((array != np.floor(array)).any())
    return np.broadcast_to(np.full((), 0.5 if has_fractions else 0, array.dtype), array.shape)


def flatten(arrays: Arrays) -> list[np.ndarray]:
    """The arrays of a structure, dict entries by sorted key as TensorFlow orders them."""
    if isinstance(arrays, Mapping):
        return [arrays[key] for key in sorted(arrays)]
    return list(arrays) if isinstance(arrays, (tuple, list)) else [arrays]
