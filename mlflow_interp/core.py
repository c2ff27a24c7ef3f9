"""What goes into every method: the inputs, read chunk by chunk, and digests of what they are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlflow_interp.exceptions import InputsError

UNKNOWN = -1  # the label of an input whose class nobody told us

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
        pictures: (n, height, width, 3) uint8 for eyes, or None where inputs aren't pictures.
        label_rows: (n, classes) labels as given where a row holds a number for each class, else None.
        weights: (n,) how much each input counts, None where not given.
    """

    indices: np.ndarray
    names: tuple[str, ...]
    inputs: Arrays
    labels: np.ndarray
    pictures: np.ndarray | None
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
    # A slice is a view, and needs no copy of pictures.
    start, stop = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)
    part: Any = slice(start, stop) if stop - start == len(rows) else rows
    return Chunk(
        chunk.indices[part],
        tuple(chunk.names[row] for row in rows),
        map_arrays(lambda array: array[part], chunk.inputs),
        chunk.labels[part],
        None if chunk.pictures is None else chunk.pictures[part],
        None if chunk.label_rows is None else chunk.label_rows[part],
        None if chunk.weights is None else chunk.weights[part],
    )


def map_arrays(function: Callable[[np.ndarray], np.ndarray], arrays: Arrays) -> Arrays:
    """A structure of arrays with a function applied to each."""
    if isinstance(arrays, Mapping):
        return {key: function(array) for key, array in arrays.items()}
    return tuple(map(function, arrays)) if isinstance(arrays, (tuple, list)) else function(arrays)


@dataclass
class Batch:
    """All inputs of one interpretation, read chunk by chunk as often as a method likes.

    Attributes:
        source: where they come from, for people: a path, a URI, "array", "dataset".
        read: yields the chunks; each call starts anew and gives the same inputs.
        total: how many inputs there are, None where only reading tells.
        class_names: the names of the model's classes, None where nobody told.
        preparation: how inputs became what the model is fed: preprocess, resize, size.
        read_like: reads one more input out of a file, made ready as these are.
        read_arrays: reads the arrays of an earlier interpretation out of its folder or URI.
        labelled: false where no input has a label, as far as that is known before reading.
        skipped: what could not be read and why, by name; filled while reading.
        warnings: what a user should know before trusting a picture.
    """

    source: str
    read: Callable[[], Iterator[Chunk]]
    total: int | None = None
    class_names: tuple[str, ...] | None = None
    preparation: Mapping[str, Any] = field(default_factory=dict)
    read_like: Callable[[str], np.ndarray] | None = None
    read_arrays: Callable[[str], dict[str, np.ndarray]] | None = None
    labelled: bool = True
    skipped: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    _digest: str | None = None
    _count: int = 0

    def chunks(self) -> Iterator[Chunk]:
        """Yield every chunk; a full pass also settles `digest` and `count`.

        Raises:
            InputsError: nothing could be read at all.
        """
        digest, count = InputsDigest(), 0
        for chunk in self.read():
            digest.add(chunk.inputs)
            count += len(chunk)
            yield chunk
        if not count:
            reasons = "; ".join(f"{name}: {why}" for name, why in list(self.skipped.items())[:3])
            raise InputsError(
                f"no input could be read from {self.source!r}"
                + (f" ({reasons})" if reasons else " (it is empty)")
                + "; give others, or save or copy them anew"
            )
        self._digest = digest.hexdigest()
        self._count = count

    @property
    def digest(self) -> str:
        """The sha256 of every input as the model is fed it, in order."""
        if self._digest is None:
            for _ in self.chunks():
                pass
        return str(self._digest)

    @property
    def count(self) -> int:
        """How many inputs could be read."""
        return self._count if self.digest else 0


class InputsDigest:
    """The sha256 of inputs that come in pieces; where they are cut makes no difference."""

    def __init__(self) -> None:
        self._columns: dict[int, Any] = {}

    def add(self, inputs: Arrays) -> None:
        """Take in the next piece: a hash for each of the model's inputs."""
        for column, array in enumerate(flatten(inputs)):
            if column not in self._columns:
                self._columns[column] = hashlib.sha256(f"{array.dtype}{array.shape[1:]}".encode())
            self._columns[column].update(np.ascontiguousarray(array).view(np.uint8).data)

    def hexdigest(self) -> str:
        """The digest of all pieces."""
        return hashlib.sha256(b"".join(each.digest() for each in self._columns.values())).hexdigest()


def weights_digest(model: Any) -> str:
    """The sha256 of all weights in order: the same for equal models, wherever they are stored."""
    sha256 = hashlib.sha256()
    for weight in model.weights:
        update_digest(sha256, np.asarray(weight))
    return sha256.hexdigest()


def update_digest(sha256: Any, array: np.ndarray) -> None:
    """Feed an array to a hash: dtype and shape as well as bytes, so that views can't collide."""
    sha256.update(f"{array.dtype}{array.shape}".encode())
    sha256.update(np.ascontiguousarray(array).view(np.uint8).data)


def flatten(arrays: Arrays) -> list[np.ndarray]:
    """The arrays of a structure, dict entries by sorted key as TensorFlow orders them."""
    if isinstance(arrays, Mapping):
        return [arrays[key] for key in sorted(arrays)]
    return list(arrays) if isinstance(arrays, (tuple, list)) else [arrays]
