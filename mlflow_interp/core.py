"""The nouns every room shares: the inputs as a batch, what a method found, the registry of methods."""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from mlflow_interp.exceptions import InputsError, OptionError

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


MOST_PICTURES = 64  # a person reads no more in one figure; pages and figures sample to this
MOST_VALUES = 2**20  # of an input that is no picture and is kept to be drawn


@dataclass(frozen=True, eq=False)
class Examples:
    """What was put in and what the model said about it: one row an input.

    Attributes:
        indices: (n,) int64 positions in the inputs as given.
        names: n names for people.
        labels: (n,) int64, `UNKNOWN` where not given.
        classes: (n, k) int64, the k most probable classes, best first.
        probabilities: (n, k) float32, theirs.
        class_names: names of the classes, or None.
        pictures: (m, height, width, 3) uint8, the first m <= 64 inputs; None if not pictures.
        values: (m, …) the same of inputs that are no pictures, as the model is fed them; None if they
            are, or are several, or large.
    """

    indices: np.ndarray
    names: tuple[str, ...]
    labels: np.ndarray
    classes: np.ndarray
    probabilities: np.ndarray
    class_names: tuple[str, ...] | None
    pictures: np.ndarray | None
    values: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.names)

    def table(self) -> dict[str, list[Any]]:
        """A row an input: its name, what was predicted, the label if known."""
        name = self.class_name
        return {
            "input": list(self.names),
            "predicted": [name(index) for index in self.classes[:, 0].tolist()],
            "probability": self.probabilities[:, 0].tolist(),
            "label": [None if label == UNKNOWN else name(label) for label in self.labels.tolist()],
        }

    def class_name(self, index: int) -> str:
        """The name of a class, or its number where it has none."""
        known = self.class_names is not None and 0 <= index < len(self.class_names)
        return self.class_names[index] if known and self.class_names else str(index)


@dataclass(frozen=True, eq=False)
class Explained:
    """Examples and the class of each that was explained.

    Attributes:
        examples: what was put in and what the model said.
        targets: (n,) int64, the class explained.
        scores: (n,) float32, its logit.
        probabilities: (n,) float32, its probability.
        head: how scores were read: "softmax", "sigmoid", "binary" or "linear".
    """

    examples: Examples
    targets: np.ndarray
    scores: np.ndarray
    probabilities: np.ndarray
    head: str

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything but names and pictures, by name."""
        return {
            "targets": self.targets,
            "scores": self.scores,
            "target_probabilities": self.probabilities,
            "indices": self.examples.indices,
            "labels": self.examples.labels,
            "classes": self.examples.classes,
            "probabilities": self.examples.probabilities,
        }

    def metrics(self) -> dict[str, float]:
        """How many, how sure of what is explained, and how often right, where labels are known."""
        known = self.examples.labels != UNKNOWN
        right = self.examples.classes[:, 0] == self.examples.labels
        metrics = {
            "inputs": float(len(self.examples)),
            "target_probability": float(self.probabilities.mean()),
        }
        return metrics | ({"accuracy": float(right[known].mean())} if known.any() else {})

    def table(self) -> dict[str, list[Any]]:
        """A row an input: its name, what was explained, what was predicted, the label if known."""
        explained = {
            "input": list(self.examples.names),
            "target": [self.examples.class_name(target) for target in self.targets.tolist()],
            "target_probability": self.probabilities.tolist(),
        }
        return explained | self.examples.table()


class ExampleCollector:
    """Builds `Examples` chunk by chunk, keeping only what they keep: memory does not grow with pictures."""

    def __init__(self, class_names: tuple[str, ...] | None, *, top: int = 5) -> None:
        self.class_names, self.top = class_names, top
        self._rows: list[tuple[Chunk, np.ndarray, np.ndarray]] = []
        self._pictures: list[np.ndarray] = []
        self._values: list[np.ndarray] = []

    def add(self, chunk: Chunk, probabilities: np.ndarray) -> None:
        """Take in a chunk and the probabilities (n, classes) the model gave its inputs."""
        top = np.argsort(-probabilities, axis=1, kind="stable")[:, : self.top]
        best = np.take_along_axis(probabilities, top, axis=1).astype(np.float32)
        room = MOST_PICTURES - sum(map(len, self._pictures))
        if chunk.pictures is not None and room > 0:
            self._pictures.append(chunk.pictures[:room].copy())
        self._keep_values(chunk)
        light = replace(chunk, inputs=None, pictures=None, label_rows=None)
        self._rows.append((light, top.astype(np.int64), best))

    def _keep_values(self, chunk: Chunk) -> None:
        room = MOST_PICTURES - sum(map(len, self._values))
        plain = chunk.pictures is None and isinstance(chunk.inputs, np.ndarray)
        if plain and room > 0 and chunk.inputs[0].size <= MOST_VALUES:
            self._values.append(chunk.inputs[:room].copy())

    def examples(self) -> Examples:
        """Everything taken in so far."""
        chunks, classes, probabilities = zip(*self._rows, strict=True)
        return Examples(
            indices=np.concatenate([chunk.indices for chunk in chunks]),
            names=tuple(name for chunk in chunks for name in chunk.names),
            labels=np.concatenate([chunk.labels for chunk in chunks]),
            classes=np.concatenate(classes),
            probabilities=np.concatenate(probabilities),
            class_names=self.class_names,
            pictures=np.concatenate(self._pictures) if self._pictures else None,
            values=np.concatenate(self._values) if self._values else None,
        )


class Result(Protocol):
    """What a method returns: frozen, plain NumPy, nothing of TensorFlow, MLflow or matplotlib."""

    @property
    def examples(self) -> Examples:
        """The inputs and what the model said about them."""

    @property
    def resolved(self) -> Mapping[str, Any]:
        """What options left to the method became, such as the layer that None chose."""

    def arrays(self) -> dict[str, np.ndarray]:
        """The raw results by name, for arrays.npz."""

    def metrics(self) -> dict[str, float]:
        """Finite numbers worth following over epochs and versions."""

    def table(self) -> dict[str, list[Any]]:
        """Columns of equal length, a row an input, for predictions.json."""

    def warnings(self) -> list[str]:
        """What a user should know before trusting the picture."""


@runtime_checkable
class Detailed(Protocol):
    """A result with more to say than one row an input."""

    def tables(self) -> dict[str, dict[str, list[Any]]]:
        """Further tables by file name such as per_class.csv: columns of equal length."""

    def highlights(self) -> dict[str, Any]:
        """What the manifest should say beside the metrics: plain JSON values."""


@runtime_checkable
class Growing(Protocol):
    """A result that came about step by step, which can be followed in MLflow's UI."""

    def series(self) -> dict[str, list[tuple[int, float]]]:
        """By name, the steps and values of a metric on the way."""

    def frames(self) -> list[tuple[int, np.ndarray]]:
        """Steps and what was to be seen then, (height, width, 3) uint8."""


def method_names() -> list[str]:
    """Every method there is: the files of `mlflow_interp.methods`."""
    package = importlib.import_module("mlflow_interp.methods")
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def find_method(name: str) -> Callable[..., Result]:
    """The function of a method: `gradcam` is `mlflow_interp.methods.gradcam.gradcam`.

    Raises:
        OptionError: there is no such method.
    """
    if name not in method_names():
        raise OptionError(f"no method {name!r}; there are: {', '.join(method_names())}")
    function: Callable[..., Result] = getattr(importlib.import_module(f"mlflow_interp.methods.{name}"), name)
    return function
