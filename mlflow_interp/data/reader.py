"""Reads any source as chunks that fit one model: resized, preprocessed, labelled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from mlflow_interp.backend.heads import VALUES_BY_LOSS
from mlflow_interp.backend.layer_tree import is_channels_first
from mlflow_interp.core.annotations import Annotations, annotate
from mlflow_interp.core.batch import Batch, closed_at_end
from mlflow_interp.core.chunk import Arrays, Chunk, flatten, position_names
from mlflow_interp.data.array_files import StreamedRows, open_rows
from mlflow_interp.data.datasets import Blocks
from mlflow_interp.data.elements import check_takes_text
from mlflow_interp.data.folders import ImageFiles
from mlflow_interp.data.image_files import decoded, image_shape, read_files
from mlflow_interp.data.preparation import Preparation, Rows, is_pixels, is_text
from mlflow_interp.data.preprocessing import Preprocess, find_preprocess
from mlflow_interp.data.read_ahead import DECODERS, read_ahead
from mlflow_interp.data.resizing import Resizing
from mlflow_interp.data.sources import ArrayRows, Source
from mlflow_interp.models.origin import LoadedModel
from mlflow_interp.models.signature import class_count, gives_one_number, gives_positions, model_inputs

_NOT_RESIZED = {"resize": None, "interpolation": None, "size": None}

#: A function that reads the chunks, the number of inputs if known, and how they are prepared.
_Plan = tuple[Callable[[], Iterator[Chunk]], int | None, dict[str, Any]]


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

    def batch(self, source: Source) -> Batch:
        """The batch of a source, its options checked and resolved."""
        self._warn(*source.warnings)
        if isinstance(source, ImageFiles):
            read, total, preparation = self._images(source)
        elif isinstance(source, ArrayRows):
            read, total, preparation = self._arrays(source)
        else:
            read, total, preparation = self._blocks(source)
        # In place, as the preparation of a dataset is only complete after reading.
        preparation.update(batch_size=self.batch_size, max_inputs=self.max_inputs)
        return Batch(
            source=source.uri,
            read=read,
            total=total,
            class_names=self.class_names,
            preparation=preparation,
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

    def _images(self, source: ImageFiles) -> _Plan:
        model = self.loaded.keras
        size, channels = image_shape(
            source.paths, model.name, self.shape, is_channels_first=is_channels_first(model)
        )
        preparation = self._preparation(takes_floats=False)
        labels = self._annotations(source.labels, len(source.paths))
        sample = self._sample(len(source.paths))
        decode = partial(decoded, size=size, channels=channels, resizing=self.resizing)
        facts = {"preprocess": preparation.name, "resize": None, "interpolation": None, "size": list(size)}

        def read() -> Iterator[Chunk]:
            with ThreadPoolExecutor(DECODERS, thread_name_prefix="mlflow-interp-decode") as decoders:
                jobs = (
                    partial(read_files, source, rows, partial(decoders.map, decode), preparation)
                    for rows in self._parts(sample)
                )
                with closed_at_end(read_ahead(jobs)) as parts:
                    for rows, are_resized, skipped in parts:
                        self.skipped.update(skipped)
                        if are_resized:
                            self._record_resizing(facts)
                        if rows is not None:
                            yield _chunk(preparation, rows, labels.of(rows.indices))

        return read, len(sample), facts

    def _record_resizing(self, facts: dict[str, Any]) -> None:
        """Record that images were resized, and warn if the way was a guess."""
        facts.update(resize=self.resizing.resize, interpolation=self.resizing.interpolation)
        if self.resizing.guess is not None:
            height, width = facts["size"]
            self._warn(f"images of other sizes than {height}×{width} are resized; {self.resizing.guess}")

    def _warn(self, *warnings: str) -> None:
        self.warnings.extend(warning for warning in warnings if warning not in self.warnings)

    def _arrays(self, source: ArrayRows) -> _Plan:
        total = len(flatten(source.inputs)[0])
        preparation = self._array_preparation(source.inputs)
        labels = self._annotations(source.labels, total, source.weights)
        sample = self._sample(total)

        def read() -> Iterator[Chunk]:
            with open_rows(source.inputs) as take:
                jobs = (partial(_read_rows, take, rows, preparation) for rows in self._parts(sample))
                with closed_at_end(read_ahead(jobs)) as parts:
                    for rows in parts:
                        yield _chunk(preparation, rows, labels.of(rows.indices))

        return read, len(sample), _array_facts(preparation, source.inputs)

    def _array_preparation(self, inputs: Arrays | StreamedRows) -> Preparation:
        """Bytes are pixels and are preprocessed; floats are used unchanged.

        Raises:
            InputsError: text for a model that doesn't take text.
        """
        if any(map(is_text, flatten(inputs))):
            check_takes_text(model_inputs(self.loaded))
        return self._preparation(takes_floats=not any(map(is_pixels, flatten(inputs))))

    def _blocks(self, source: Blocks) -> _Plan:
        resolved: list[Preparation] = []  # determined by the first block
        options: dict[str, Any] = {"preprocess": self.preprocess} | _NOT_RESIZED

        def jobs() -> Iterator[Callable[[], tuple[Rows, Any, Any]]]:
            # Runs in the caller's thread, and with it the user's code in a dataset.
            start = 0
            with closed_at_end(source.read()) as blocks:
                for values, labels, weights in blocks:
                    if not resolved:
                        resolved.append(self._array_preparation(values))
                        options.update(_array_facts(resolved[0], values))
                    indices = np.arange(start, start + len(flatten(values)[0]))
                    start += len(indices)
                    yield partial(_read_block, indices, values, labels, weights, resolved[0])

        def read() -> Iterator[Chunk]:
            with closed_at_end(read_ahead(jobs())) as parts:
                for rows, labels, weights in parts:
                    annotations = self._annotations(labels, len(rows.indices), weights)
                    yield _chunk(resolved[0], rows, annotations)

        return read, source.total, options

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


def _array_facts(preparation: Preparation, inputs: Arrays | StreamedRows) -> dict[str, Any]:
    """How arrays are prepared, for the manifest; for several, which are preprocessed."""
    facts: dict[str, Any] = {"preprocess": preparation.name} | _NOT_RESIZED
    if isinstance(inputs, (dict, tuple)):
        names = sorted(inputs) if isinstance(inputs, dict) else range(len(inputs))
        selected = zip(names, preparation.selected(inputs), strict=True)
        facts["preprocessed"] = [str(name) for name, is_selected in selected if is_selected]
    return facts


def _read_rows(take: Callable[[np.ndarray], Arrays], positions: np.ndarray, preparation: Preparation) -> Rows:
    return preparation.rows(positions, position_names(positions), take(positions))


def _read_block(
    indices: np.ndarray, values: Arrays, labels: Any, weights: Any, preparation: Preparation
) -> tuple[Rows, Any, Any]:
    return preparation.rows(indices, position_names(indices), values), labels, weights


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
