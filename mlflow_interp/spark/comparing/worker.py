"""Compares two versions on the rows of a table; it knows nothing of Spark."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.comparing.explained import ExplainedByOld
from mlflow_interp.comparison.agreement import agreement
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import UNKNOWN, Chunk, split
from mlflow_interp.core.coarse_maps import coarse
from mlflow_interp.core.passed import Passed
from mlflow_interp.core.sampling import sampling_keys
from mlflow_interp.engine.explained_rows import ExplainedRows
from mlflow_interp.engine.method import Streaming
from mlflow_interp.engine.parts import Parts
from mlflow_interp.engine.stream import Stream
from mlflow_interp.exceptions import InputsError, ModelError
from mlflow_interp.method_registry import find_method, kind_of, takes_target
from mlflow_interp.models.origin import LoadedModel
from mlflow_interp.spark.blocks import SOURCE, Block
from mlflow_interp.spark.comparing.job import VERSIONS, ComparedJob, ComparedLayout
from mlflow_interp.spark.part import TaskPart
from mlflow_interp.spark.rows import MAPS, binary
from mlflow_interp.spark.worker import (
    OutputsOnly,
    TableWorker,
    kept,
    loaded_for,
    no_rows,
    unbounded,
    without_images,
)

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = "rows"  # beside the methods; no method has this name


def comparing_worker_for(job: ComparedJob, model_path: Callable[[str], Path]) -> TableWorker:
    """The worker of this process for a job, made when it is first asked for.

    Raises:
        InterpretationError: a model can't be loaded here.
    """
    return kept(
        job, lambda job: ComparingWorker(job, *(loaded_for(each, model_path) for each in (job.old, job.new)))
    )


@dataclass(frozen=True, eq=False)
class _Outputs:
    """What one version gives for a chunk.

    Attributes:
        chunk: the inputs, prepared for it.
        passed: the predictions.
        shares: the outputs for each method.
    """

    chunk: Chunk
    passed: Passed
    shares: dict[str, Passed]

    @property
    def explained(self) -> Mapping[str, np.ndarray]:
        """The explained class of each input, with its scores."""
        return self.shares[_ROWS].arrays


class ComparingWorker(TableWorker):
    """Compares two versions on rows: both explain the same class of each input, side by side.

    Args:
        job: what to do.
        old: the old version.
        new: the new version.

    Attributes:
        first_batches: the first inputs, prepared for each version.
    """

    def __init__(self, job: ComparedJob, old: LoadedModel, new: LoadedModel) -> None:
        super().__init__(job.old, [old, new])
        self.first_batches = [Batch(SOURCE, lambda: iter(()))] * 2
        self._compared = job
        self._explained = ExplainedByOld()
        self._methods: list[dict[str, Streaming[Any]]] = []
        self._streams: list[Stream] = []
        self._layout = job.layout

    def layout_of(self, records: Iterable[pa.RecordBatch]) -> ComparedLayout:
        """The columns of the table, from some rows.

        Raises:
            InputsError: none of these rows can be interpreted.
            InterpretationError: what would fail for every row, such as a method that can't be used.
        """
        part = TaskPart()
        rows = [row for batch in self.each(records, part) for row in batch.to_pylist()]
        if part.parts.errors:
            raise next(iter(part.parts.errors.values()))
        if not self._streams or not part.parts.inputs or not part.parts.inputs.count:
            raise no_rows(rows)
        return self._layout

    def _restart(self) -> None:
        for stream in self._streams:
            stream.restart()

    def _rows(self, block: Block, part: TaskPart) -> Iterator[pa.RecordBatch]:
        for old, new in block.chunks():
            labels = self._compared.order.new_labels(new.labels)
            for outputs in self._outputs(block, (old, replace(new, labels=labels))):
                part.add_inputs(outputs[0].chunk, outputs[0].passed)
                yield self._compared_rows(*outputs)

    def _errors(self, ids: Sequence[str], reasons: Sequence[str]) -> pa.RecordBatch:
        import pyarrow as pa

        texts = {"id": pa.array(ids, pa.string()), "error": pa.array(reasons, pa.string())}
        return self._batch(texts, len(ids))

    def _counted(self) -> Parts:
        """The counts of both versions; those of the old one are named "old/confusion_matrix"."""
        found = Parts()
        for version, stream, methods in zip(VERSIONS, self._streams, self._methods, strict=True):
            parts = stream.finish()
            found.errors |= {f"{version}/{name}": error for name, error in parts.errors.items()}
            found.parts |= {
                f"{version}/{name}": each
                for name, each in parts.parts.items()
                if name != _ROWS and not methods[name].needs_examples
            }
        return found

    def _outputs(self, block: Block, chunks: Sequence[Chunk]) -> Iterator[Sequence[_Outputs]]:
        """What both give for a chunk; if some outputs are not finite, for each input that has finite ones."""
        if not self._streams:
            self._start(block)
        try:
            found = self._passed(*chunks)
        except InputsError as error:
            if len(chunks[0]) == 1:
                block.errors.append((chunks[0].names[0], str(error)))
                return
            for singles in zip(*(split(each, 1) for each in chunks), strict=True):
                yield from self._outputs(block, singles)
            return
        # Only now, as one version may fail on a chunk that the other has passed.
        for stream, each in zip(self._streams, found, strict=True):
            stream.accumulate(each.chunk, each.passed, each.shares)
        yield found

    def _passed(self, old: Chunk, new: Chunk) -> Sequence[_Outputs]:
        first = _Outputs(old, *self._streams[0].outputs(old))
        if not first.passed.has_classes:
            raise ModelError("compare needs models with classes; these predict values")
        self._explained.clear()
        self._explained.add(old, first.shares[_ROWS])
        return first, _Outputs(new, *self._streams[1].outputs(new))

    def _start(self, block: Block) -> None:
        """The passes of this process, whose methods are made for the first inputs."""
        job = self._compared
        label = "label" if job.columns.label is not None else None
        targets = [
            label if job.target is None else job.target,
            partial(self._explained.targets, order=job.order),
        ]
        batches = [unbounded(each) for each in block.batches]
        methods = [
            _methods(loaded.keras, batch, job.old.methods, target)
            for loaded, batch, target in zip(self.models, batches, targets, strict=True)
        ]
        self._streams = [
            Stream(
                loaded.keras,
                without_images(batch),
                {name: OutputsOnly(each) if each.needs_examples else each for name, each in own.items()},
            )
            for loaded, batch, own in zip(self.models, batches, methods, strict=True)
        ]
        self._methods, self.first_batches = methods, batches

    def _compared_rows(self, old: _Outputs, new: _Outputs) -> pa.RecordBatch:
        import pyarrow as pa

        chunk = old.chunk
        labels = old.passed.labels_of(chunk)
        columns: dict[str, Any] = {
            "id": pa.array(list(chunk.names), pa.string()),
            "label": pa.array(labels, pa.int32(), mask=labels == UNKNOWN),
            "target": pa.array(old.explained["targets"], pa.int32()),
        }
        if chunk.digests is not None:
            columns["digest"] = binary(chunk.digests)
            columns["key"] = binary(sampling_keys(chunk.digests, self.job.seed))
        for version, each in zip(VERSIONS, (old, new), strict=True):
            probabilities = np.asarray(each.passed.probabilities)
            predicted = probabilities.argmax(axis=1)
            columns[version] = _struct(
                predicted=pa.array(
                    predicted if each is old else self._compared.order.old(predicted), pa.int32()
                ),
                probability=pa.array(probabilities.max(axis=1), pa.float32()),
                target_probability=pa.array(each.explained["probabilities"], pa.float32()),
            )
        columns |= self._agreements(old, new)
        return self._batch(columns, len(chunk))

    def _agreements(self, old: _Outputs, new: _Outputs) -> dict[str, Any]:
        import pyarrow as pa

        found = {}
        for name in self._methods[0]:
            if name == _ROWS or not kind_of(name).has_heatmaps or name not in old.shares:
                continue
            if name not in new.shares or MAPS not in old.shares[name].arrays:
                continue
            part = agreement(*(self._maps(each, name) for each in (old, new)))
            numbers = {
                key: pa.array(getattr(part, key), pa.float32(), mask=np.isnan(getattr(part, key)))
                for key in ("correlation", "overlap", "moved")
            }
            empty = {
                f"{version}_is_empty": pa.array(part.empty[:, at]) for at, version in enumerate(VERSIONS)
            }
            found[name] = _struct(**numbers, **empty)
        if not self._layout.heatmaps:
            self._layout = ComparedLayout(tuple(found))
        return found

    def _maps(self, outputs: _Outputs, name: str) -> np.ndarray:
        """The heatmaps of a method, reduced if they may not show the inputs, as those of one process are."""
        maps = np.asarray(outputs.shares[name].arrays[MAPS], np.float32)
        is_fine = self.job.inputs.get("log_images", True)
        return maps if is_fine else coarse(maps, outputs.chunk.inputs, maps.ndim - 1)

    def _batch(self, columns: Mapping[str, Any], count: int) -> pa.RecordBatch:
        import pyarrow as pa

        schema = self._layout.schema()
        arrays = [
            columns[field.name].cast(field.type) if field.name in columns else pa.nulls(count, field.type)
            for field in schema
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _methods(
    model: Any, batch: Batch, options: Mapping[str, Mapping[str, Any]], target: Any
) -> dict[str, Streaming[Any]]:
    """The methods of one version, and the one that notes the explained class of every input."""
    found: dict[str, Streaming[Any]] = {_ROWS: ExplainedRows(target)}
    for name, given in options.items():
        targets = {"target": target} if takes_target(name) else {}
        found[name] = find_method(name)(model, batch, **(dict(given) | targets))
    return found


def _struct(**columns: Any) -> Any:
    import pyarrow as pa

    return pa.StructArray.from_arrays(list(columns.values()), names=list(columns))
