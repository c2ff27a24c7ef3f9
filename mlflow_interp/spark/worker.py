"""Interprets the rows of a table: Arrow record batches in, record batches out. It knows nothing of Spark.

A process makes one `Worker` for each job and keeps it, so that a model is loaded and compiled once, however
many tasks the process runs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow_interp.backend.startup import limit_threads
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk, split
from mlflow_interp.core.inputs_record import InputsRecord
from mlflow_interp.core.passed import Passed
from mlflow_interp.engine.method import Method, Streaming
from mlflow_interp.engine.parts import Parts
from mlflow_interp.engine.stream import Stream
from mlflow_interp.engine.trace import Trace
from mlflow_interp.exceptions import InputsError, InterpretationError
from mlflow_interp.method_registry import find_method
from mlflow_interp.models import keras_files
from mlflow_interp.models.custom_objects import import_modules
from mlflow_interp.models.origin import LoadedModel
from mlflow_interp.spark.blocks import SOURCE, Block, blocks_of
from mlflow_interp.spark.job import J, Job
from mlflow_interp.spark.part import TaskPart
from mlflow_interp.spark.rows import PART, Layout, RowBuilder

if TYPE_CHECKING:
    import pyarrow as pa

MOST_WORKERS = 2  # that a process keeps, each with its compiled models

_workers: dict[str, TableWorker] = {}


def kept(job: J, make: Callable[[J], TableWorker]) -> TableWorker:
    """The worker of this process for a job, made when it is first asked for.

    Raises:
        InterpretationError: a model can't be loaded here.
    """
    if job.key not in _workers:
        while len(_workers) >= MOST_WORKERS:
            del _workers[next(iter(_workers))]
        _workers[job.key] = make(job)
    return _workers[job.key]


def worker_for(job: Job, model_path: Callable[[str], Path]) -> TableWorker:
    """The worker of this process for a job; see `kept`."""
    return kept(job, lambda job: Worker(job, loaded_for(job, model_path)))


def loaded_for(job: Job, model_path: Callable[[str], Path]) -> LoadedModel:
    """The model of a job, read from where its file is.

    Raises:
        InterpretationError: it can't be loaded here.
    """
    limit_threads(job.threads)
    import_modules(job.imports)
    model = keras_files.read(model_path(job.model_file), job.trust_model_code)
    return replace(job.loaded, keras=model)


class TableWorker(ABC):
    """Interprets rows of a table, record batches in, record batches out.

    Args:
        job: names the columns, and has the options of inputs.
        models: the models.
    """

    def __init__(self, job: Job, models: Sequence[LoadedModel]) -> None:
        self.job = job
        self.models = models

    def __call__(self, records: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Interpret the rows of a task.

        Args:
            records: the columns that the job names, in its order.

        Yields:
            A row for each input. The last one also has what the task accumulated.

        Raises:
            InterpretationError: what would fail for every row, such as a class that does not exist.
        """
        part = TaskPart()
        last = None
        for batch in self.each(records, part):
            if last is not None:
                yield last
            last = batch
        if last is not None:
            yield _with_part(last, part)

    def each(
        self, records: Iterable[pa.RecordBatch], part: TaskPart | None = None
    ) -> Iterator[pa.RecordBatch]:
        """A row for each input, those with errors after those without; `part` accumulates what they have."""
        part = part or TaskPart()
        part.parts.inputs = InputsRecord()
        self._restart()
        for block in blocks_of(records, self.job, self.models):
            yield from self._rows(block, part)
            part.parts.inputs.warn(*block.warnings)
            if block.errors:
                part.errors += len(block.errors)
                yield self._errors(*zip(*block.errors, strict=True))
        if part.parts.inputs.count:
            part.parts = replace(self._counted(), inputs=part.parts.inputs)

    @abstractmethod
    def _restart(self) -> None:
        """Forget the rows of earlier tasks."""

    @abstractmethod
    def _rows(self, block: Block, part: TaskPart) -> Iterator[pa.RecordBatch]:
        """The rows of inputs without errors; the others go to `block.errors`."""

    @abstractmethod
    def _errors(self, ids: Sequence[str], reasons: Sequence[str]) -> pa.RecordBatch:
        """The rows of inputs that could not be interpreted, and why."""

    @abstractmethod
    def _counted(self) -> Parts:
        """What methods accumulated over all rows."""


class Worker(TableWorker):
    """Interprets rows with one model.

    Args:
        job: what to do.
        loaded: the model.

    Attributes:
        methods: the methods, by name, once rows were interpreted.
        first_batch: the first inputs, with how all are prepared.
        has_images: whether inputs can be shown as images; known once rows were interpreted.
    """

    def __init__(self, job: Job, loaded: LoadedModel) -> None:
        super().__init__(job, [loaded])
        self.loaded = loaded
        self.methods: dict[str, Streaming[Any]] = {}
        self.first_batch = Batch(SOURCE, lambda: iter(()))
        self.has_images = False
        self._layout: Layout | None = None if job.layout == Layout() else job.layout
        self._stream: Stream | None = None

    def layout_of(
        self, records: Iterable[pa.RecordBatch]
    ) -> tuple[Layout, Mapping[str, InterpretationError]]:
        """The columns of the table, from some rows, and the methods that can't be used, with the reason.

        Raises:
            InputsError: none of these rows can be interpreted.
            InterpretationError: what would fail for every row.
        """
        part = TaskPart()
        rows = [row for batch in self.each(records, part) for row in batch.to_pylist()]
        if self._stream is None or self._layout is None:
            raise no_rows(rows)
        return self._layout, part.parts.errors

    def _restart(self) -> None:
        if self._stream is not None:
            self._stream.restart()

    def _rows(self, block: Block, part: TaskPart) -> Iterator[pa.RecordBatch]:
        for (chunk,) in block.chunks():
            self.has_images |= chunk.images is not None
            for good, passed, shares in self._passes(block, chunk):
                part.add_inputs(good, passed)
                builder = self._builder(shares)
                for name in builder.layout.heatmaps:
                    if name in shares:
                        part.add_maps(name, shares[name], builder.maps_of(good, shares[name]))
                yield builder.rows(good, passed, shares)

    def _errors(self, ids: Sequence[str], reasons: Sequence[str]) -> pa.RecordBatch:
        return self._builder({}).errors(ids, reasons)

    def _counted(self) -> Parts:
        parts = self._stream.finish() if self._stream is not None else Parts()
        counted = {name: each for name, each in parts.parts.items() if not self.methods[name].needs_examples}
        return replace(parts, parts=counted)

    def _passes(self, block: Block, chunk: Chunk) -> Iterator[tuple[Chunk, Passed, dict[str, Passed]]]:
        """The outputs for a chunk; where some are not finite, for each input that has finite ones."""
        if self._stream is None:
            self._stream = self._started(block)
        try:
            yield (chunk, *self._stream.update(chunk))
        except InputsError as error:
            if len(chunk) == 1:
                block.errors.append((chunk.names[0], str(error)))
                return
            for single in split(chunk, 1):
                yield from self._passes(block, single)

    def _started(self, block: Block) -> Stream:
        """The pass of this process, whose methods are made for the first inputs."""
        batch = self.first_batch = unbounded(block.batches[0])
        self.methods = {
            name: find_method(name)(self.loaded.keras, batch, **options)
            for name, options in self.job.methods.items()
        }
        methods = {
            name: OutputsOnly(each) if each.needs_examples else each for name, each in self.methods.items()
        }
        return Stream(self.loaded.keras, without_images(batch), methods)

    def _builder(self, shares: Mapping[str, Passed]) -> RowBuilder:
        if self._layout is None and shares:
            self._layout = Layout.of(self.methods, shares)
        log_images = bool(self.job.inputs.get("log_images", True))
        return RowBuilder(self._layout or Layout(), self.methods, seed=self.job.seed, log_images=log_images)


def unbounded(batch: Batch) -> Batch:
    """The inputs of a block, for methods: a task does not know how many inputs there are in all."""
    return replace(batch, total=None)


def without_images(batch: Batch) -> Batch:
    """The inputs of a block, for what a task accumulates: what results show is read again."""
    return replace(batch, log_images=False)


def no_rows(rows: Sequence[Mapping[str, Any]]) -> InputsError:
    """The error that none of the first rows can be interpreted."""
    reason = next((row["error"] for row in rows if row["error"]), "there are no rows")
    return InputsError(f"none of the first {len(rows)} rows can be interpreted: {reason}")


class OutputsOnly(Streaming[Any]):
    """A method whose outputs are stored in rows, so that nothing is accumulated."""

    needs_examples = False

    def __init__(self, method: Method[Any]) -> None:
        self._method = method
        method.of_other_classes = False
        self.title = method.title
        self.targets = method.targets
        self.contrast = method.contrast

    def trace(self, trace: Trace) -> Mapping[str, Any]:
        """The tensors of the method."""
        return self._method.trace(trace)

    def accumulator(self) -> _Nothing:
        """Accumulates nothing."""
        return _Nothing()


class _Nothing:
    """An accumulator of nothing."""

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Do nothing."""

    def merge(self, other: Any) -> None:
        """Do nothing."""

    def result(self, examples: Any, previous: Any = None) -> None:
        """Return nothing."""


def _with_part(rows: pa.RecordBatch, part: TaskPart) -> pa.RecordBatch:
    import pyarrow as pa

    parts = pa.array([None] * (rows.num_rows - 1) + [part.to_bytes()], pa.binary())
    place = rows.schema.get_field_index(PART)
    return rows.set_column(place, rows.schema.field(place), parts)
