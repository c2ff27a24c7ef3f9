"""From what a user names to a `Batch` that fits the model: sized, preprocessed, labelled, streamed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mlflow_interp.backend.layer_tree import is_channels_first
from mlflow_interp.core.annotations import Annotations, annotate
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Arrays, Chunk, flatten, map_arrays
from mlflow_interp.core.image_arrays import shown_as_images
from mlflow_interp.data.class_names import (
    ClassNames,
    check_class_names,
    declared_class_names,
    load_class_names,
)
from mlflow_interp.data.images import Resize, read_image
from mlflow_interp.data.labels import Labels, read_column
from mlflow_interp.data.preprocessing import Preprocess, find_preprocess
from mlflow_interp.data.saved_arrays import read_arrays
from mlflow_interp.data.sources import ArrayRows, Blocks, ImageFiles, Source, find_source, folder_class_names
from mlflow_interp.exceptions import InputsError, OptionError
from mlflow_interp.models.origin import LoadedModel
from mlflow_interp.models.signature import batch_axes, class_count, input_shape

LARGEST_FREE_SIZE = 512  # of a picture for a model that takes any size


def load_inputs(
    inputs: Any,
    loaded: LoadedModel,
    *,
    class_names: ClassNames = None,
    labels: Labels = None,
    preprocess: str = "auto",
    resize: Resize = "crop",
    batch_size: int = 32,
    max_inputs: int | None = None,
) -> Batch:
    """Make inputs ready for a model, read as they are needed: memory is bounded by `batch_size`.

    Args:
        inputs: A picture, a folder of pictures (class subfolders become labels), a glob, a .npy or .npz
            file, an artifact URI such as runs:/id/photos, keras:cifar10, an array, a tf.data.Dataset.
        loaded: The model and what was said about it when it was logged.
        class_names: The names of the model's classes: a JSON or text file, a list, or a mapping from
            index to name. By default those in the model's metadata, or the class folders.
        labels: The true classes, one for each input: indices, one-hot rows or names, or a .npy or text
            file of them. By default what the inputs carry.
        preprocess: How pixels 0..255 become what the model takes: auto, none, 0..1, -1..1, a
            keras.applications module such as mobilenet_v2, or module:function. Arrays of floats are
            taken as they are unless this is given.
        resize: How pictures get the model's shape: crop keeps the middle, pad adds black, stretch
            distorts.
        batch_size: How many inputs are in memory at a time.
        max_inputs: Take at most this many, evenly spaced where the number is known.

    Raises:
        InputsError: nothing there, nothing readable, or nothing the model can take.
        OptionError: an option out of range.
    """
    if batch_size < 1 or (max_inputs is not None and max_inputs < 1):
        raise OptionError(f"batch_size is {batch_size} and max_inputs {max_inputs}; give 1 or more")
    if resize not in ("crop", "pad", "stretch"):
        raise OptionError(f"no resize {resize!r}; there are: crop, pad, stretch")
    shape = input_shape(loaded)
    labels = read_column(labels, "labels")
    axes = batch_axes(loaded.keras, shape)
    source = find_source(inputs, labels, batch_size=batch_size, most=max_inputs, axes=axes)
    declared, warnings = declared_class_names(loaded.metadata)
    names = load_class_names(class_names if class_names is not None else declared)
    names = names or folder_class_names(source, loaded.keras)
    warnings += check_class_names(names, class_count(loaded.keras))
    reader = _Reader(loaded, shape, names, preprocess, resize, batch_size, max_inputs, warnings, {})
    batch = reader.batch(source)
    batch.read_like = partial(_read_one, loaded=loaded, preprocess=preprocess, resize=resize)
    batch.read_arrays = read_arrays
    return batch


def _read_one(name: str, *, loaded: LoadedModel, preprocess: str, resize: Resize) -> np.ndarray:
    """The input in a picture or a .npy file of one, made ready for the model."""
    if not name.lower().endswith(".npy"):
        whole = load_inputs(name, loaded, preprocess=preprocess, resize=resize, max_inputs=1)
        return np.asarray(next(whole.chunks()).inputs[0])
    try:
        return np.asarray(np.load(name, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise InputsError(f"{name!r} can't be read as an array: {error}; save it with numpy.save") from error


@dataclass
class _Reader:
    """Turns blocks of any source into chunks for one model."""

    loaded: LoadedModel
    shape: tuple[int | None, ...] | None
    class_names: tuple[str, ...] | None
    preprocess: str
    resize: Resize
    batch_size: int
    max_inputs: int | None
    warnings: list[str]
    skipped: dict[str, str]

    def batch(self, source: Source) -> Batch:
        """The batch of a source, its options checked and resolved."""
        if isinstance(source, ImageFiles):
            read, total, preparation = self._pictures(source)
        elif isinstance(source, ArrayRows):
            read, total, preparation = self._arrays(source)
        else:
            read, total, preparation = self._blocks(source)
        # In place: a dataset's is filled while it is read.
        preparation.update(batch_size=self.batch_size, max_inputs=self.max_inputs)
        return Batch(
            source=source.uri,
            read=read,
            total=total,
            class_names=self.class_names,
            preparation=preparation,
            labelled=source.labelled if isinstance(source, Blocks) else source.labels is not None,
            skipped=self.skipped,
            warnings=self.warnings,
        )

    def _found_preprocess(self, *, takes_floats: bool) -> tuple[str, Preprocess]:
        if takes_floats and self.preprocess == "auto":
            return "none", lambda values: values
        name, function, warning = find_preprocess(self.preprocess, self.loaded.keras, self.loaded.metadata)
        self.warnings.extend([warning] if warning else [])
        return name, function

    def _spaced(self, total: int) -> np.ndarray:
        """Positions to take: all, or `max_inputs` evenly spaced, so that no class folder is left out."""
        most = self.max_inputs or total
        return np.arange(total) if total <= most else np.arange(most) * total // most

    def _pictures(self, source: ImageFiles) -> Any:
        size, channels = self._picture_shape(source)
        name, prepare = self._found_preprocess(takes_floats=False)
        labels = self._labels(source.labels, len(source.paths))
        chosen = self._spaced(len(source.paths))

        def read() -> Iterator[Chunk]:
            for start in range(0, len(chosen), self.batch_size):
                pixels, kept = [], []
                for index in chosen[start : start + self.batch_size]:
                    try:
                        image = read_image(
                            source.paths[index], size=size, channels=channels, resize=self.resize
                        )
                    except InputsError as error:
                        self.skipped[source.names[index]] = str(error)
                        continue
                    pixels.append(image)
                    kept.append(int(index))
                if kept:
                    names = [source.names[index] for index in kept]
                    yield self._chunk(kept, names, np.stack(pixels), labels.of(kept), prepare)

        preparation = {"preprocess": name, "resize": self.resize, "size": list(size)}
        return read, len(chosen), preparation

    def _picture_shape(self, source: ImageFiles) -> tuple[tuple[int, int], int]:
        """(height, width) and channels that pictures must get."""
        shape = self.shape
        if shape is None or len(shape) != 4:
            takes = f"shape {shape}" if shape else "several inputs, or none that is known"
            raise InputsError(
                f"model {self.loaded.keras.name!r} takes {takes}, which pictures don't fit; give arrays"
            )
        first = is_channels_first(self.loaded.keras)
        height, width, channels = (shape[2], shape[3], shape[1]) if first else shape[1:]
        if channels not in (1, 3, 4, None):
            raise InputsError(
                f"the model takes {channels} channels, and pictures have 1, 3 or 4; give arrays"
            )
        if height is None or width is None:
            free = self._first_size(source)
            height, width = height or free[0], width or free[1]
        return (height, width), channels or 3

    def _first_size(self, source: ImageFiles) -> tuple[int, int]:
        for path in source.paths:
            try:
                height, width = read_image(path, size=None, channels=1, resize=self.resize).shape[:2]
            except InputsError:
                continue
            scale = min(1.0, LARGEST_FREE_SIZE / max(height, width))
            return max(1, round(height * scale)), max(1, round(width * scale))
        return LARGEST_FREE_SIZE, LARGEST_FREE_SIZE

    def _arrays(self, source: ArrayRows) -> Any:
        total = len(flatten(source.inputs)[0])
        name, prepare = self._array_preprocess(source.inputs)
        labels = self._labels(source.labels, total)
        chosen = self._spaced(total)

        def read() -> Iterator[Chunk]:
            for start in range(0, len(chosen), self.batch_size):
                rows = chosen[start : start + self.batch_size]
                values = map_arrays(partial(np.take, indices=rows, axis=0), source.inputs)
                yield self._chunk(rows.tolist(), [str(row) for row in rows], values, labels.of(rows), prepare)

        return read, len(chosen), {"preprocess": name, "resize": None, "size": None}

    def _array_preprocess(self, inputs: Arrays) -> tuple[str, Preprocess]:
        """Bytes are pixels and are prepared; floats are what the model takes already."""
        arrays = flatten(inputs)
        pixels = len(arrays) == 1 and arrays[0].dtype == np.uint8 and arrays[0].ndim >= 3
        return self._found_preprocess(takes_floats=not pixels)

    def _blocks(self, source: Blocks) -> Any:
        settled: list[tuple[str, Preprocess]] = []
        preparation: dict[str, Any] = {"preprocess": self.preprocess, "resize": None, "size": None}

        def read() -> Iterator[Chunk]:
            start = 0
            for values, labels, weights in source.read():
                if not settled:
                    settled.append(self._array_preprocess(values))
                    preparation["preprocess"] = settled[0][0]
                rows = np.arange(start, start + len(flatten(values)[0]))
                start += len(rows)
                told = self._labels(labels, len(rows), weights)
                yield self._chunk(rows.tolist(), [str(row) for row in rows], values, told, settled[0][1])

        return read, source.total, preparation

    def _chunk(
        self, indices: list[int], names: list[str], values: Arrays, told: Annotations, prepare: Preprocess
    ) -> Chunk:
        values = values if isinstance(values, (tuple, dict)) else self._channels_last(values)
        fed = map_arrays(_as_float, values)
        if not isinstance(fed, (tuple, dict)):
            fed = self._as_fed(prepare(self._with_channels(fed)))
        self._check(fed, names)
        where, images = np.array(indices, np.int64), shown_as_images(flatten(values)[0])
        return Chunk(where, tuple(names), fed, told.labels, images, told.rows, told.weights)

    def _with_channels(self, values: np.ndarray) -> np.ndarray:
        """Grey pictures often come as (n, h, w), and the model wants (n, h, w, 1)."""
        rank = len(self.shape) if self.shape else values.ndim
        return values[..., np.newaxis] if values.ndim == 3 and rank == 4 else values

    def _channels_last(self, values: np.ndarray) -> np.ndarray:
        """Pictures for a channels-first model come either way; preprocessing and eyes want channels last."""
        channels = self._first_channels(values)
        first = channels is not None and values.shape[1] == channels != values.shape[-1]
        return np.moveaxis(values, 1, -1) if first else values

    def _as_fed(self, values: np.ndarray) -> np.ndarray:
        channels = self._first_channels(values)
        return np.moveaxis(values, -1, 1) if channels in (values.shape[-1], -1) else values

    def _first_channels(self, values: np.ndarray) -> int | None:
        """The channels of pictures for a channels-first model, -1 where it takes any; else None."""
        if values.ndim != 4 or not self.shape or not is_channels_first(self.loaded.keras):
            return None
        return self.shape[1] or -1

    def _check(self, fed: Arrays, names: Sequence[str]) -> None:
        for array in flatten(fed):
            if not np.isfinite(array).all():
                rows = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))
                raise InputsError(
                    f"input {names[rows[0]]!r} holds NaN or infinite values "
                    f"({len(rows)} of {len(array)} in its batch do); clean them, or leave them out"
                )
        if self.shape is None or isinstance(fed, (tuple, dict)):
            return
        fits = len(fed.shape) == len(self.shape) and all(
            want in (None, have) for want, have in zip(self.shape[1:], fed.shape[1:], strict=True)
        )
        if not fits:
            raise InputsError(
                f"inputs have shape {fed.shape[1:]} each, and model {self.loaded.keras.name!r} takes "
                f"{tuple(self.shape[1:])}; resize or reshape them"
            )

    def _labels(self, labels: Any, total: int, weights: Any = None) -> Annotations:
        classes = class_count(self.loaded.keras)
        told, warnings = annotate(labels, total, self.class_names, classes, weights)
        self.warnings.extend(warning for warning in warnings if warning not in self.warnings)
        return told


def _as_float(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "biuf" or values.dtype == np.float32:
        return values
    with np.errstate(over="ignore"):  # what overflows is infinite then, and refused as that
        return values.astype(np.float32)
