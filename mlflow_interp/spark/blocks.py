"""The rows of a table as inputs of one or several models, some hundred at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.core.annotations import class_indices
from mlflow_interp.core.batch import Batch, closed_at_end
from mlflow_interp.core.chunk import UNKNOWN, Chunk, some
from mlflow_interp.data.folders import ImageFiles
from mlflow_interp.data.prepare import load_inputs_for
from mlflow_interp.data.sources import ArrayRows
from mlflow_interp.models.origin import LoadedModel
from mlflow_interp.models.signature import input_shape
from mlflow_interp.spark.job import IMAGES, Job

if TYPE_CHECKING:
    import pyarrow as pa

BATCHES = 8  # of inputs in a block: enough to decode some while the model runs, few enough for memory
SOURCE = "table"


@dataclass
class Block:
    """Some rows of a table, as inputs of models, which are named by their position in the block.

    Attributes:
        batches: the inputs, prepared for each model.
        ids: what identifies each row.
        errors: the id of each row that could not be interpreted, and why; filled while reading.
        has_ids: whether rows are identified by an id, not by the digest of their input.
    """

    batches: Sequence[Batch]
    ids: Sequence[str]
    errors: list[tuple[str, str]] = field(default_factory=list)
    has_ids: bool = True

    def chunks(self) -> Iterator[tuple[Chunk, ...]]:
        """The inputs that can be read, in chunks, with indices that identify rows across all tasks.

        Yields:
            The same inputs for each model. What one of them can't have is left out for all.
        """
        with ExitStack() as stack:
            streams = [stack.enter_context(closed_at_end(batch.read())) for batch in self.batches]
            for chunks in side_by_side(streams):
                yield tuple(map(self._identified, chunks))
        skipped: dict[str, str] = {}
        for batch in self.batches:
            skipped |= batch.skipped
        self.errors += [(self.ids[int(position)], reason) for position, reason in skipped.items()]

    def _identified(self, chunk: Chunk) -> Chunk:
        names = tuple(self.ids[int(position)] for position in chunk.names)
        if not self.has_ids and chunk.digests is not None:
            names = tuple(digest.tobytes().hex() for digest in chunk.digests)
        return replace(chunk, names=names, indices=row_indices(names))

    @property
    def warnings(self) -> list[str]:
        """What a user should know about these inputs."""
        return list(dict.fromkeys(each for batch in self.batches for each in batch.warnings))


def side_by_side(streams: Sequence[Iterator[Chunk]]) -> Iterator[tuple[Chunk, ...]]:
    """Chunks of several streams with the same inputs: those that all have, by their ascending indices."""
    current = [next(each, None) for each in streams]
    while None not in current:
        chunks = [each for each in current if each is not None]
        common = reduce(np.intersect1d, [each.indices for each in chunks])
        if len(common):
            yield tuple(some(each, np.flatnonzero(np.isin(each.indices, common))) for each in chunks)
        last = min(each.indices[-1] for each in chunks)
        current = [
            next(stream, None) if each.indices[-1] == last else each
            for stream, each in zip(streams, chunks, strict=True)
        ]


def row_indices(ids: Iterable[str]) -> np.ndarray:
    """(n,) int64, 53 bits of the blake2b digest of each id, in place of positions, which a table has not.

    JavaScript, and so pages, have no larger integers.
    """
    digests = (hashlib.blake2b(each.encode(), digest_size=8).digest() for each in ids)
    return np.array([int.from_bytes(each, "little") >> 11 for each in digests], np.int64)


def with_indices(batch: Batch, indices: np.ndarray) -> Batch:
    """A batch whose inputs have other indices than their positions."""
    read = batch.read

    def chunks() -> Iterator[Chunk]:
        return (replace(chunk, indices=indices[chunk.indices]) for chunk in read())

    return replace(batch, read=chunks)


def blocks_of(records: Iterable[pa.RecordBatch], job: Job, models: Sequence[LoadedModel]) -> Iterator[Block]:
    """Rows of a table as blocks of inputs.

    Args:
        records: the columns that the job names, in its order.
        job: names the columns, and has the options of `load_inputs`.
        models: the models that the inputs are prepared for.
    """
    rows = BATCHES * int(job.inputs.get("batch_size", 32))
    start = 0
    for record in records:
        for first in range(0, record.num_rows, rows):
            part = record.slice(first, rows)
            block = _block(part, job, models, start)
            start += part.num_rows
            yield block


def _block(record: pa.RecordBatch, job: Job, models: Sequence[LoadedModel], start: int) -> Block:
    columns = dict(zip(job.columns.names, record.columns, strict=True))
    ids = [f"#{start + row}" for row in range(record.num_rows)]
    if job.columns.id is not None:
        ids = list(map(str, columns[job.columns.id].to_pylist()))
    inputs = columns[job.columns.input]
    labels: Any = None
    warnings: list[str] = []
    if job.columns.label is not None:
        labels, warnings = _labels(columns[job.columns.label], job)
    source: ImageFiles | ArrayRows | None
    if job.columns.kind == IMAGES:
        source, reasons = _images(inputs.to_pylist(), labels)
    else:
        source, reasons = _numbers(inputs, labels, models[0])
    errors = [(ids[row], reason) for row, reason in reasons.items()]
    if source is None:
        return Block([Batch(SOURCE, lambda: iter(()), total=0)], ids, errors)
    batches = load_inputs_for(source, models, **job.inputs)
    if isinstance(source, ArrayRows):
        kept = [row for row in range(len(ids)) if row not in reasons]
        batches = [_named(each, kept) for each in batches]
    batches[0].warnings.extend(warnings)
    return Block(batches, ids, errors, job.columns.id is not None)


def _images(contents: list[bytes | None], labels: Any) -> tuple[ImageFiles | None, dict[int, str]]:
    """The images of rows, named by their position, and why others have none, by position."""
    present = [row for row, content in enumerate(contents) if content is not None]
    reasons = {row: "is null" for row, content in enumerate(contents) if content is None}
    if not present:
        return None, reasons
    files = ImageFiles(
        SOURCE,
        [bytes(contents[row] or b"") for row in present],
        list(map(str, present)),
        labels=None if labels is None else labels[present],
    )
    return files, reasons


def _numbers(inputs: pa.Array, labels: Any, loaded: LoadedModel) -> tuple[ArrayRows | None, dict[int, str]]:
    """The numbers of rows, and why others have none that fit, by position."""
    import pyarrow as pa
    import pyarrow.compute as pc

    shape = shape_of_numbers(loaded)
    size = int(np.prod(shape))
    lengths = pc.list_value_length(inputs).to_pylist()
    fit = np.array([length == size for length in lengths])
    reasons = {
        row: "is null" if length is None else f"has {length} numbers, but the model takes {size}"
        for row, length in enumerate(lengths)
        if length != size
    }
    if not fit.any():
        return None, reasons
    values = as_inputs(inputs.filter(pa.array(fit)).flatten().to_numpy(zero_copy_only=False), shape)
    finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
    rows = np.flatnonzero(fit)
    reasons |= dict.fromkeys(rows[~finite].tolist(), "contains NaN or infinite values")
    if not finite.any():
        return None, reasons
    labels = None if labels is None else labels[rows[finite]]
    return ArrayRows(SOURCE, values[finite], labels), reasons


def shape_of_numbers(loaded: LoadedModel) -> list[int]:
    """The shape of an input whose numbers stand in one row; 1 for an axis of any length."""
    return [side or 1 for side in (input_shape(loaded) or ())[1:]]


def as_inputs(numbers: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Numbers of rows, one after another, as inputs (n, *shape).

    Spark has no narrower type for numbers that Python wrote, and models compute in single precision.
    """
    values = numbers.astype(np.float32) if numbers.dtype == np.float64 else numbers
    return values.reshape(-1, *shape)


def _named(batch: Batch, positions: list[int]) -> Batch:
    """A batch of arrays whose inputs are named by other positions than their own."""
    read = batch.read

    def chunks() -> Iterator[Chunk]:
        for chunk in read():
            yield replace(chunk, names=tuple(str(positions[index]) for index in chunk.indices.tolist()))

    return replace(batch, read=chunks)


def _labels(column: pa.Array, job: Job) -> tuple[np.ndarray, list[str]]:
    """The labels of rows, class indices for names; and a warning about names that are no classes."""
    import pyarrow as pa

    missing = column.is_null().to_numpy(zero_copy_only=False)
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        values = column.fill_null(UNKNOWN).to_numpy(zero_copy_only=False)
        return np.where(missing, np.nan, values) if values.dtype.kind == "f" else values, []
    class_names = job.class_names
    indices, unknown = class_indices(np.array(column.fill_null("").to_pylist(), object), class_names)
    unknown = [name for name in unknown if name]
    if not unknown:
        return indices, []
    return indices, [
        f"labels that are not class names count as unknown: {', '.join(unknown[:5])}; pass class_names= with "
        "the model's classes"
    ]
