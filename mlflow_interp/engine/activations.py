"""Activations of layers for every input: streamed to disk, and read from a cache where they are stored."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlflow_interp.backend.compile import compile_for
from mlflow_interp.backend.feature_maps import Pooling, layer_before_head, pooled
from mlflow_interp.backend.fingerprint import graph_digest
from mlflow_interp.backend.forward import Forward, forward
from mlflow_interp.backend.heads import class_scores
from mlflow_interp.backend.layer_tree import Layers, check_named_once, find_layer, split_layers
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.examples import ExampleCollector, Examples
from mlflow_interp.core.image_arrays import most_side, thumbnails
from mlflow_interp.core.paths import local_path
from mlflow_interp.engine.growing_array import GrowingArray, has_rows
from mlflow_interp.exceptions import InputsError, OptionError
from mlflow_interp.progress import track

_PREDICTIONS = "predictions.npy"
INPUT = "input"  # as a layer: what the model is fed
_TOP = 5  # classes stored for each input


@dataclass(frozen=True, eq=False)
class Activations:
    """Activations of layers for every input.

    Attributes:
        rows: by layer path, (n, features) float32 on disk.
        examples: the inputs and what the model predicted for them.
        thumbnails: (n, side, side, 3) uint8, or None where inputs aren't images.
        reused: whether all of it was read from the cache.
    """

    rows: Mapping[str, np.ndarray]
    examples: Examples
    thumbnails: np.ndarray | None
    reused: bool


@contextlib.contextmanager
def collected(
    model: Any, batch: Batch, layers: Layers, *, pooling: Pooling, cache: str | Path | None = None
) -> Iterator[Activations]:
    """Run the model once over all inputs and keep the activations of layers for as long as the block lasts.

    Memory is bounded by a chunk of inputs and a thumbnail per input (12 kB or less); activations go to disk.

    Args:
        model: the Keras model.
        batch: the inputs.
        layers: the layers; None for the last before the head.
        pooling: how the axes between batch and channels are pooled: to their mean, to their maximum, or
            flattened.
        cache: a folder to store activations in and to read them from. They are read only for the same
            weights, graph, inputs, layers and pooling.

    Raises:
        OptionError: no such layer, or one that gives no vector; an unknown pooling; an unusable cache.
        InputsError: a layer gives NaN or infinite values for an input.
    """
    if pooling not in ("mean", "max", "flatten"):
        raise OptionError(f"no pooling {pooling!r}; there are: mean, max, flatten")
    with tempfile.TemporaryDirectory(prefix="mlflow-interp-", ignore_cleanup_errors=True) as temporary:
        root = Path(temporary) if cache is None else _writable_folder(local_path(cache))
        yield _Collector(model, batch, layers, pooling, root, caching=cache is not None).collect()


def _writable_folder(folder: Path) -> Path:
    """The folder, created where it is missing, after a test that files can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OptionError(
            f"cache {str(folder)!r} can't be used: {error.strerror}; give a folder that can be written to"
        ) from error
    return folder


class _Collector:
    """Collects the activations of one model for one batch."""

    def __init__(
        self, model: Any, batch: Batch, layers: Layers, pooling: Pooling, root: Path, *, caching: bool
    ) -> None:
        self.model = model
        self.batch = batch
        self.pooling = pooling
        self.root = root
        self.caching = caching
        self.paths = None if layers is None else _paths(model, layers)
        self.examples = ExampleCollector(batch.class_names, top=_TOP)
        self.thumbnails: list[np.ndarray] = []

    def collect(self) -> Activations:
        """Read everything from the cache where it is complete, else run the model."""
        function = compile_for(self._pass, next(self.batch.chunks()).inputs)
        model_root = self.root / (graph_digest(function) if self.caching else "once")
        # The digest of the inputs needs all of them, so it is computed only where this model is cached.
        if self.caching and model_root.is_dir() and self._is_complete(model_root / self.batch.digest):
            return self._read(model_root / self.batch.digest)
        return self._compute(function, model_root)

    def _pass(self, inputs: Any) -> tuple[Any, ...]:
        passed = forward(self.model, inputs)
        if self.paths is None:
            self.paths = [layer_before_head(self.model, passed)]
        rows = [self._row(path, passed, inputs) for path in self.paths]
        return class_scores(passed.outputs).probabilities, *rows

    def _row(self, path: str, passed: Forward, inputs: Any) -> Any:
        """The output of a layer as (batch, features) float32."""
        tensor = inputs if path == INPUT else passed.tapped.get(path)
        if tensor is None or isinstance(tensor, (tuple, dict)) or not (tensor.shape.rank or 0) >= 2:
            shape = getattr(tensor, "shape", None)
            actual = "nothing" if shape is None else f"shape {tuple(shape)}"
            raise OptionError(
                f"layer {path!r} gives {actual}, and a vector for each input is needed, (batch, features) or "
                "with axes between that can be pooled; `mlflow-interp layers` shows which layers give one"
            )
        return pooled(self.model, tensor, self.pooling, path)

    def _file(self, folder: Path, path: str) -> Path:
        return folder / f"{hashlib.sha256(f'{self.pooling} {path}'.encode()).hexdigest()}.npy"

    def _files(self, folder: Path) -> list[Path]:
        return [folder / _PREDICTIONS, *(self._file(folder, path) for path in self.paths or ())]

    def _is_complete(self, folder: Path) -> bool:
        return all(has_rows(file, self.batch.count) for file in self._files(folder))

    def _read(self, folder: Path) -> Activations:
        predictions = np.load(folder / _PREDICTIONS, mmap_mode="r", allow_pickle=False)
        start = 0
        for chunk in self.batch.chunks():
            self._record(chunk, np.asarray(predictions[start : start + len(chunk)]))
            start += len(chunk)
        return self._activations(folder, reused=True)

    def _compute(self, function: Callable[..., Any], model_root: Path) -> Activations:
        model_root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=model_root, ignore_cleanup_errors=True) as folder:
            self._run(function, Path(folder))
            return self._activations(
                self._move_to_cache(Path(folder), model_root / self.batch.digest), reused=False
            )

    def _run(self, function: Callable[..., Any], folder: Path) -> None:
        with contextlib.ExitStack() as stack:
            columns: list[GrowingArray] = []
            chunks = track(self.batch.chunks(), total=self.batch.total, label="Activations", unit="input")
            for chunk in chunks:
                values = [part.numpy() for part in function(chunk.inputs)]
                columns = columns or [
                    stack.enter_context(GrowingArray(file, part.shape[1:]))
                    for file, part in zip(self._files(folder), values, strict=True)
                ]
                self._check(chunk, values[1:])
                for column, part in zip(columns, values, strict=True):
                    column.append(part)
                self._record(chunk, values[0])

    def _check(self, chunk: Chunk, rows: Sequence[np.ndarray]) -> None:
        for path, part in zip(self.paths or (), rows, strict=True):
            invalid = np.flatnonzero(~np.isfinite(part).all(axis=1))
            if len(invalid):
                raise InputsError(
                    f"layer {path!r} gives NaN or infinite values for input {chunk.names[invalid[0]]!r}; "
                    "check the input and the model's weights, or leave the input out"
                )

    def _record(self, chunk: Chunk, probabilities: np.ndarray) -> None:
        self.examples.add(chunk, probabilities)
        if chunk.images is not None:
            self.thumbnails.append(thumbnails(chunk.images, most_side(self.batch.total)))

    def _move_to_cache(self, folder: Path, target: Path) -> Path:
        """Move what was written to its folder in the cache, file by file: each one there is complete."""
        target.mkdir(exist_ok=True)
        for file in self._files(folder):
            os.replace(file, target / file.name)
        return target

    def _activations(self, folder: Path, *, reused: bool) -> Activations:
        rows = {path: np.load(self._file(folder, path), mmap_mode="r") for path in self.paths or ()}
        images = np.concatenate(self.thumbnails) if self.thumbnails else None
        return Activations(rows, self.examples.examples(), images, reused)


def _paths(model: Any, layers: str | int | Sequence[str | int]) -> list[str]:
    """The paths of layers; `INPUT` is its own path."""
    names = split_layers(layers)
    paths = [INPUT if name == INPUT else find_layer(model, name).path for name in names]
    check_named_once(layers, paths)
    return paths
