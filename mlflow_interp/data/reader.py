"""Reads any source as chunks that fit one model: sized, preprocessed, labelled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from mlflow_interp.backend.layer_tree import is_channels_first
from mlflow_interp.core.annotations import Annotations, annotate
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Arrays, Chunk, flatten, map_arrays
from mlflow_interp.core.image_arrays import shown_as_images
from mlflow_interp.data.images import Resize, read_image
from mlflow_interp.data.preprocessing import Preprocess, find_preprocess
from mlflow_interp.data.sources import ArrayRows, Blocks, ImageFiles, Source
from mlflow_interp.exceptions import InputsError
from mlflow_interp.models.origin import LoadedModel
from mlflow_interp.models.signature import class_count

LARGEST_FREE_SIZE = 512  # of an image for a model that takes any size

#: What reads the chunks, how many inputs there are if known, and how they are prepared.
_Plan = tuple[Callable[[], Iterator[Chunk]], int | None, dict[str, Any]]


@dataclass
class Reader:
    """Reads any source as chunks for one model.

    Attributes:
        loaded: the model.
        shape: the shape of its input, None where it has several or it is not known.
        class_names: the names of its classes, None where not known.
        preprocess: see `load_inputs`; so are `resize`, `batch_size` and `max_inputs`.
        warnings: warnings so far; reading may add more.
        skipped: what could not be read and why, by name; filled while reading.
    """

    loaded: LoadedModel
    shape: tuple[int | None, ...] | None
    class_names: tuple[str, ...] | None
    preprocess: str
    resize: Resize
    batch_size: int
    max_inputs: int | None
    warnings: list[str]
    skipped: dict[str, str] = field(default_factory=dict)

    def batch(self, source: Source) -> Batch:
        """The batch of a source, its options checked and resolved."""
        if isinstance(source, ImageFiles):
            read, total, preparation = self._images(source)
        elif isinstance(source, ArrayRows):
            read, total, preparation = self._arrays(source)
        else:
            read, total, preparation = self._blocks(source)
        # In place, as the preparation of a dataset is completed while it is read.
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

    def _find_preprocess(self, *, takes_floats: bool) -> tuple[str, Preprocess]:
        if takes_floats and self.preprocess == "auto":
            return "none", lambda values: values
        name, function, warning = find_preprocess(self.preprocess, self.loaded.keras, self.loaded.metadata)
        self.warnings.extend([warning] if warning else [])
        return name, function

    def _sample(self, total: int) -> np.ndarray:
        """Positions to read: all, or `max_inputs` evenly spaced, so that no class folder is left out."""
        most = self.max_inputs or total
        return np.arange(total) if total <= most else np.arange(most) * total // most

    def _images(self, source: ImageFiles) -> _Plan:
        size, channels = self._image_shape(source)
        name, prepare = self._find_preprocess(takes_floats=False)
        labels = self._annotations(source.labels, len(source.paths))
        sample = self._sample(len(source.paths))

        def read() -> Iterator[Chunk]:
            for start in range(0, len(sample), self.batch_size):
                images = {}
                for index in sample[start : start + self.batch_size].tolist():
                    try:
                        images[index] = read_image(
                            source.paths[index], size=size, channels=channels, resize=self.resize
                        )
                    except InputsError as error:
                        self.skipped[source.names[index]] = str(error)
                if images:
                    rows = list(images)
                    names = [source.names[index] for index in rows]
                    pixels = np.stack(list(images.values()))
                    yield self._chunk(rows, names, pixels, labels.of(rows), prepare)

        preparation = {"preprocess": name, "resize": self.resize, "size": list(size)}
        return read, len(sample), preparation

    def _image_shape(self, source: ImageFiles) -> tuple[tuple[int, int], int]:
        """(height, width) and channels that images are converted to."""
        shape = self.shape
        if shape is None or len(shape) != 4:
            takes = f"shape {shape}" if shape else "several inputs, or none that is known"
            raise InputsError(
                f"model {self.loaded.keras.name!r} takes {takes}, which pictures don't fit; give arrays"
            )
        channels_first = is_channels_first(self.loaded.keras)
        height, width, channels = (shape[2], shape[3], shape[1]) if channels_first else shape[1:]
        if channels not in (1, 3, 4, None):
            raise InputsError(
                f"the model takes {channels} channels, and pictures have 1, 3 or 4; give arrays"
            )
        if height is None or width is None:
            free_height, free_width = self._first_size(source)
            height = height or free_height
            width = width or free_width
        return (height, width), channels or 3

    def _first_size(self, source: ImageFiles) -> tuple[int, int]:
        """(height, width) of the first readable image, reduced to `LARGEST_FREE_SIZE`."""
        for path in source.paths:
            try:
                height, width = read_image(path, size=None, channels=1, resize=self.resize).shape[:2]
            except InputsError:
                continue
            scale = min(1.0, LARGEST_FREE_SIZE / max(height, width))
            return max(1, round(height * scale)), max(1, round(width * scale))
        return LARGEST_FREE_SIZE, LARGEST_FREE_SIZE

    def _arrays(self, source: ArrayRows) -> _Plan:
        total = len(flatten(source.inputs)[0])
        name, prepare = self._array_preprocess(source.inputs)
        labels = self._annotations(source.labels, total)
        sample = self._sample(total)

        def read() -> Iterator[Chunk]:
            for start in range(0, len(sample), self.batch_size):
                rows = sample[start : start + self.batch_size]
                values = map_arrays(partial(np.take, indices=rows, axis=0), source.inputs)
                yield self._chunk(rows.tolist(), [str(row) for row in rows], values, labels.of(rows), prepare)

        return read, len(sample), {"preprocess": name, "resize": None, "size": None}

    def _array_preprocess(self, inputs: Arrays) -> tuple[str, Preprocess]:
        """Bytes are pixels and are preprocessed; floats already are what the model takes."""
        arrays = flatten(inputs)
        are_pixels = len(arrays) == 1 and arrays[0].dtype == np.uint8 and arrays[0].ndim >= 3
        return self._find_preprocess(takes_floats=not are_pixels)

    def _blocks(self, source: Blocks) -> _Plan:
        resolved: list[tuple[str, Preprocess]] = []  # by the first block
        preparation: dict[str, Any] = {"preprocess": self.preprocess, "resize": None, "size": None}

        def read() -> Iterator[Chunk]:
            start = 0
            for values, labels, weights in source.read():
                if not resolved:
                    resolved.append(self._array_preprocess(values))
                name, prepare = resolved[0]
                preparation["preprocess"] = name
                rows = np.arange(start, start + len(flatten(values)[0]))
                start += len(rows)
                annotations = self._annotations(labels, len(rows), weights)
                yield self._chunk(rows.tolist(), [str(row) for row in rows], values, annotations, prepare)

        return read, source.total, preparation

    def _chunk(
        self,
        indices: list[int],
        names: list[str],
        values: Arrays,
        annotations: Annotations,
        prepare: Preprocess,
    ) -> Chunk:
        values = values if isinstance(values, (tuple, dict)) else self._channels_last(values)
        inputs = map_arrays(_as_float, values)
        if not isinstance(inputs, (tuple, dict)):
            inputs = self._model_channels(prepare(self._with_channels(inputs)))
        self._check(inputs, names)
        return Chunk(
            indices=np.array(indices, np.int64),
            names=tuple(names),
            inputs=inputs,
            labels=annotations.labels,
            images=shown_as_images(flatten(values)[0]),
            label_rows=annotations.rows,
            weights=annotations.weights,
        )

    def _with_channels(self, values: np.ndarray) -> np.ndarray:
        """Grey images, which often come as (n, h, w), as (n, h, w, 1) if the model has four axes."""
        rank = len(self.shape) if self.shape else values.ndim
        return values[..., np.newaxis] if values.ndim == 3 and rank == 4 else values

    def _channels_last(self, values: np.ndarray) -> np.ndarray:
        """Images with channels last, for preprocessing and display, whichever way they come."""
        channels = self._first_channels(values)
        move = channels is not None and values.shape[1] == channels != values.shape[-1]
        return np.moveaxis(values, 1, -1) if move else values

    def _model_channels(self, values: np.ndarray) -> np.ndarray:
        """Images with the axis of channels where the model takes it."""
        channels = self._first_channels(values)
        return np.moveaxis(values, -1, 1) if channels in (values.shape[-1], -1) else values

    def _first_channels(self, values: np.ndarray) -> int | None:
        """The channels of images for a channels-first model, -1 where it takes any; else None."""
        if values.ndim != 4 or not self.shape or not is_channels_first(self.loaded.keras):
            return None
        return self.shape[1] or -1

    def _check(self, inputs: Arrays, names: Sequence[str]) -> None:
        for array in flatten(inputs):
            if not np.isfinite(array).all():
                rows = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))
                raise InputsError(
                    f"input {names[rows[0]]!r} holds NaN or infinite values "
                    f"({len(rows)} of {len(array)} in its batch do); clean them, or leave them out"
                )
        if self.shape is None or isinstance(inputs, (tuple, dict)):
            return
        fits = len(inputs.shape) == len(self.shape) and all(
            expected in (None, size) for expected, size in zip(self.shape[1:], inputs.shape[1:], strict=True)
        )
        if not fits:
            raise InputsError(
                f"inputs have shape {inputs.shape[1:]} each, and model {self.loaded.keras.name!r} takes "
                f"{tuple(self.shape[1:])}; resize or reshape them"
            )

    def _annotations(self, labels: Any, total: int, weights: Any = None) -> Annotations:
        classes = class_count(self.loaded.keras)
        annotations, warnings = annotate(labels, total, self.class_names, classes, weights)
        self.warnings.extend(warning for warning in warnings if warning not in self.warnings)
        return annotations


def _as_float(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "biuf" or values.dtype == np.float32:
        return values
    with np.errstate(over="ignore"):  # overflow gives infinite values, which are refused later
        return values.astype(np.float32)
