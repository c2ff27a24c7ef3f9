"""Reads any source as chunks that fit one model, or each of several: resized, preprocessed, labelled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np

from mlflow_interp.backend.heads import VALUES_BY_LOSS
from mlflow_interp.backend.layer_tree import is_channels_first
from mlflow_interp.core.annotations import Annotations, annotate
from mlflow_interp.core.batch import Batch, closed_at_end
from mlflow_interp.core.chunk import Arrays, Chunk, flatten, position_names
from mlflow_interp.data.array_files import StreamedRows, open_rows
from mlflow_interp.data.datasets import Block, Blocks
from mlflow_interp.data.elements import check_takes_text
from mlflow_interp.data.folders import ImageFiles
from mlflow_interp.data.image_files import FilesPart, image_shape
from mlflow_interp.data.images import Form
from mlflow_interp.data.preparation import Preparation, Rows, is_pixels, is_text
from mlflow_interp.data.preprocessing import Preprocess, find_preprocess
from mlflow_interp.data.read_ahead import Decoders
from mlflow_interp.data.resizing import Resizing
from mlflow_interp.data.shared_pass import Reading, SharedPasses
from mlflow_interp.data.sources import ArrayRows, Source, is_same
from mlflow_interp.models.origin import LoadedModel
from mlflow_interp.models.signature import class_count, gives_one_number, gives_positions, model_inputs

_NOT_RESIZED = {"resize": None, "interpolation": None, "size": None}


@dataclass
class Reader:
    """Reads any source as chunks for one model.

    Attributes:
        loaded: the model.
        shape: the shape of its input; None if it has several inputs or the shape is not known.
        class_names: the names of its classes, None if not known.
        preprocess: see `load_inputs`, also for `batch_size` and `max_inputs`.
        resizing: how images are resized to the model's input size.
        warnings: warnings so far; reading may add more.
        skipped: by name, inputs that could not be read and why; filled while reading.
        preparations: how inputs are prepared; filled at the latest while reading.
    """

    loaded: LoadedModel
    shape: tuple[int | None, ...] | None
    class_names: tuple[str, ...] | None
    preprocess: str
    resizing: Resizing
    batch_size: int
    max_inputs: int | None
    warnings: list[str]
    skipped: dict[str, str] = field(default_factory=dict)
    preparations: list[Preparation] = field(default_factory=list)

    def reading(self, source: Source) -> Reading:
        """How a source is read, its options checked and resolved."""
        self._warn(*source.warnings)
        if isinstance(source, ImageFiles):
            reading = self._images(source)
        elif isinstance(source, ArrayRows):
            reading = self._arrays(source)
        else:
            reading = self._blocks(source)
        # In place, as the preparation of a dataset is only complete after reading.
        reading.facts.update(batch_size=self.batch_size, max_inputs=self.max_inputs)
        return reading

    def batch(self, reading: Reading, read: Callable[[], Iterator[Chunk]]) -> Batch:
        """The batch of what is read."""
        source = reading.source
        return Batch(
            source=source.uri,
            read=read,
            total=reading.total,
            class_names=self.class_names,
            preparation=reading.facts,
            head=self.loaded.head,
            ignored_label=self.loaded.ignored_label,
            labelled=source.labelled if isinstance(source, Blocks) else source.labels is not None,
            skipped=self.skipped,
            warnings=self.warnings,
            black_like=self._black,
        )

    def _black(self, shape: tuple[int, ...]) -> np.ndarray | None:
        return self.preparations[-1].black(shape) if self.preparations else None

    def _preparation(self, *, takes_floats: bool) -> Preparation:
        name, function, warning = self._find_preprocess(takes_floats=takes_floats)
        self._warn(*([warning] if warning else []))
        model = self.loaded.keras
        preparation = Preparation(
            name,
            function,
            model.name,
            self.shape,
            is_channels_first(model),
            is_stated=self.preprocess != "auto",
            takes_pixels=not takes_floats or self.preprocess not in ("auto", "none"),
            input_names=tuple(tensor.name for tensor in getattr(model, "inputs", None) or ()),
        )
        self.preparations.append(preparation)
        return preparation

    def _find_preprocess(self, *, takes_floats: bool) -> tuple[str, Preprocess, str | None]:
        if takes_floats and self.preprocess == "auto":
            return "none", lambda values: values, None
        return find_preprocess(self.preprocess, self.loaded.keras, self.loaded.metadata)

    def _sample(self, total: int) -> np.ndarray:
        """Positions to read: all, or `max_inputs` evenly spaced, so that no class folder is left out."""
        most = self.max_inputs or total
        return np.arange(total) if total <= most else np.arange(most) * total // most

    def _parts(self, sample: np.ndarray) -> Iterator[np.ndarray]:
        for start in range(0, len(sample), self.batch_size):
            yield sample[start : start + self.batch_size]

    def _images(self, source: ImageFiles) -> Reading:
        model = self.loaded.keras
        size, channels = image_shape(
            source.paths, model.name, self.shape, is_channels_first=is_channels_first(model)
        )
        preparation = self._preparation(takes_floats=False)
        labels = self._annotations(source.labels, len(source.paths))
        sample = self._sample(len(source.paths))
        form = Form(size, channels, self.resizing)
        facts = {"preprocess": preparation.name, "resize": None, "interpolation": None, "size": list(size)}

        @contextmanager
        def opened(forms: Sequence[Form]) -> Iterator[Iterator[FilesPart]]:
            with Decoders() as decoders:
                yield (FilesPart(source, rows, forms, decoders) for rows in self._parts(sample))

        def job(part: FilesPart) -> Callable[[], Any]:
            return lambda: part.rows(form, preparation)

        def chunk(read: tuple[Rows | None, bool, dict[str, str]]) -> Chunk | None:
            rows, are_resized, skipped = read
            self.skipped.update(skipped)
            if are_resized:
                self._record_resizing(facts)
            return None if rows is None else _chunk(preparation, rows, labels.of(rows.indices))

        return Reading(source, opened, job, chunk, form, len(sample), facts)

    def _record_resizing(self, facts: dict[str, Any]) -> None:
        """Record that images were resized, and warn if the way was a guess."""
        facts.update(resize=self.resizing.resize, interpolation=self.resizing.interpolation)
        if self.resizing.guess is not None:
            height, width = facts["size"]
            self._warn(f"images of other sizes than {height}×{width} are resized; {self.resizing.guess}")

    def _warn(self, *warnings: str) -> None:
        self.warnings.extend(warning for warning in warnings if warning not in self.warnings)

    def _arrays(self, source: ArrayRows) -> Reading:
        total = len(flatten(source.inputs)[0])
        preparation = self._array_preparation(source.inputs)
        labels = self._annotations(source.labels, total, source.weights)
        sample = self._sample(total)

        @contextmanager
        def opened(_forms: Sequence[Any]) -> Iterator[Iterator[_RowsPart]]:
            with open_rows(source.inputs) as take:
                yield (_RowsPart(positions, take) for positions in self._parts(sample))

        def job(part: _RowsPart) -> Callable[[], Rows]:
            names = position_names(part.positions)
            return lambda: preparation.rows(part.positions, names, part.values)

        def chunk(rows: Rows) -> Chunk:
            return _chunk(preparation, rows, labels.of(rows.indices))

        return Reading(
            source, opened, job, chunk, None, len(sample), _array_facts(preparation, source.inputs)
        )

    def _array_preparation(self, inputs: Arrays | StreamedRows) -> Preparation:
        """Bytes are pixels and are preprocessed; floats are used unchanged.

        Raises:
            InputsError: text for a model that doesn't take text.
        """
        if any(map(is_text, flatten(inputs))):
            check_takes_text(model_inputs(self.loaded))
        return self._preparation(takes_floats=not any(map(is_pixels, flatten(inputs))))

    def _blocks(self, source: Blocks) -> Reading:
        resolved: list[Preparation] = []  # determined by the first block
        options: dict[str, Any] = {"preprocess": self.preprocess} | _NOT_RESIZED

        @contextmanager
        def opened(_forms: Sequence[Any]) -> Iterator[Iterator[tuple[np.ndarray, Block]]]:
            with closed_at_end(source.read()) as blocks:
                yield _numbered(blocks)

        def job(part: tuple[np.ndarray, Block]) -> Callable[[], tuple[Rows, Any, Any]]:
            indices, (values, labels, weights) = part
            if not resolved:
                resolved.append(self._array_preparation(values))
                options.update(_array_facts(resolved[0], values))
            names = position_names(indices)
            return lambda: (resolved[0].rows(indices, names, values), labels, weights)

        def chunk(read: tuple[Rows, Any, Any]) -> Chunk:
            rows, labels, weights = read
            return _chunk(resolved[0], rows, self._annotations(labels, len(rows.indices), weights))

        return Reading(source, opened, job, chunk, None, source.total, options)

    def _annotations(self, labels: Any, total: int, weights: Any = None) -> Annotations:
        labels, weights = map(self.loaded.labels_of, (labels, weights))
        # The targets of a regression are not classes, whatever their range.
        are_values = self.loaded.head in ("values", VALUES_BY_LOSS)
        annotations, warnings = annotate(
            labels,
            total,
            self.class_names,
            None if are_values else class_count(self.loaded.keras),
            weights,
            by_position=gives_positions(self.loaded.keras),
            are_values=are_values or (self.loaded.head == "auto" and gives_one_number(self.loaded.keras)),
        )
        self._warn(*warnings)
        return annotations


def read_together(readers: Sequence[Reader], sources: Sequence[Source]) -> list[Batch]:
    """The batch of each reader; those that read the same share passes: see `SharedPasses`.

    Args:
        readers: one for each model, with equal batch sizes and numbers of inputs.
        sources: the source of each.
    """
    readings = [reader.reading(source) for reader, source in zip(readers, sources, strict=True)]
    batches: dict[int, Batch] = {}
    for first, reading in enumerate(readings):
        if first in batches:
            continue
        sharing = [
            at for at in range(first, len(readings))
            if at not in batches and is_same(reading.source, readings[at].source)
        ]  # fmt: skip
        passes = SharedPasses([readings[at] for at in sharing])
        for position, at in enumerate(sharing):
            batches[at] = readers[at].batch(readings[at], partial(passes.chunks, position))
    return [batches[at] for at in range(len(readings))]


@dataclass(frozen=True, eq=False)
class _RowsPart:
    """Some rows of arrays, read when the first model prepares them."""

    positions: np.ndarray
    take: Callable[[np.ndarray], Arrays]

    @cached_property
    def values(self) -> Arrays:
        return self.take(self.positions)


def _numbered(blocks: Iterator[Block]) -> Iterator[tuple[np.ndarray, Block]]:
    """Blocks with the positions of their rows."""
    start = 0
    for block in blocks:
        indices = np.arange(start, start + len(flatten(block[0])[0]))
        start += len(indices)
        yield indices, block


def _array_facts(preparation: Preparation, inputs: Arrays | StreamedRows) -> dict[str, Any]:
    """How arrays are prepared, for the manifest; for several, which are preprocessed."""
    facts: dict[str, Any] = {"preprocess": preparation.name} | _NOT_RESIZED
    if isinstance(inputs, (dict, tuple)):
        names = sorted(inputs) if isinstance(inputs, dict) else range(len(inputs))
        selected = zip(names, preparation.selected(inputs), strict=True)
        facts["preprocessed"] = [str(name) for name, is_selected in selected if is_selected]
    return facts


def _chunk(preparation: Preparation, rows: Rows, annotations: Annotations) -> Chunk:
    rows = preparation.finished(rows)
    return Chunk(
        indices=rows.indices,
        names=tuple(rows.names),
        inputs=rows.inputs,
        labels=annotations.labels,
        images=rows.images,
        label_rows=annotations.rows,
        weights=annotations.weights,
        given_labels=annotations.given,
        digests=rows.digests,
        blue_first=preparation.takes_blue_first(rows),
        parts=rows.parts,
        wholes=rows.wholes,
    )
