"""The results of a table's methods: counts of all rows, embeddings of many, everything else of the sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlflow_interp import progress
from mlflow_interp.api import run_methods
from mlflow_interp.call_options import CallPlan
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.inputs_record import InputsRecord
from mlflow_interp.data.prepare import load_inputs
from mlflow_interp.engine.method import ShowsImages
from mlflow_interp.engine.parts import Part, Parts
from mlflow_interp.exceptions import InterpretationError
from mlflow_interp.models.origin import LoadedModel
from mlflow_interp.models.signature import class_count
from mlflow_interp.options import options_of
from mlflow_interp.report.provenance import Provenance
from mlflow_interp.spark.blocks import row_indices, with_indices
from mlflow_interp.spark.embedding import Placer, embedded, read_fit_rows, with_images
from mlflow_interp.spark.job import Job
from mlflow_interp.spark.output import Output
from mlflow_interp.spark.part import TaskPart
from mlflow_interp.spark.sample import SampleRow, read_sample, sample_of, small_images
from mlflow_interp.spark.session import one_line_errors, ship, shipped_files
from mlflow_interp.spark.tasks import placing
from mlflow_interp.spark.worker import Worker


@dataclass(frozen=True, eq=False)
class WrittenTable:
    """A table that was written.

    Attributes:
        output: where it is.
        worker: has interpreted its first rows on the driver.
        part: what all tasks accumulated.
        source: where the rows came from.
    """

    output: Output[Job]
    worker: Worker
    part: TaskPart
    source: str

    def provenance(self) -> Provenance:
        """The model and all inputs, for manifests."""
        return provenance_of(
            self.worker.loaded, self.worker.first_batch, self.part, self.output, source=self.source
        )


def provenance_of(
    loaded: LoadedModel, first: Batch, part: TaskPart, output: Output[Any], *, source: str
) -> Provenance:
    """A model and all inputs of a table, for manifests.

    Args:
        loaded: the model.
        first: the first inputs, which say how all are prepared.
        part: what all tasks accumulated.
        output: the table.
        source: where the inputs come from.
    """
    record = part.parts.inputs or InputsRecord()
    batch = replace(first, source=source, total=record.count, _passes=[record])
    batch = replace(batch, skipped={}, warnings=list(record.warnings))
    found = Provenance.of(loaded, batch)
    return replace(found, inputs=dict(found.inputs) | {"table": dict(output.facts())})


@dataclass(frozen=True)
class _Finished:
    """An accumulator whose result is known."""

    found: Any

    def update(self, chunk: Any, passed: Any) -> None:
        """Not used: all inputs are in the result."""

    def merge(self, other: Any) -> None:
        """Not used: all inputs are in the result."""

    def result(self, examples: Any, previous: Any = None) -> Any:
        """The result."""
        return self.found


def parts_of(
    table: WrittenTable, data: Any, plan: CallPlan, count: int, failed: Mapping[str, InterpretationError]
) -> Parts:
    """What each method has for its result.

    Args:
        table: the table.
        data: the data frame that it was made of, to read the sample again.
        plan: the methods.
        count: the number of rows in the sample.
        failed: the methods that can't be used, and why.
    """
    counted = table.part.parts.parts
    parts = Parts(dict(counted), {**failed, **table.part.parts.errors})
    others = [name for name in plan.by_stage if name not in counted and name not in parts.errors]
    _add_images(table, data)
    if not others:
        return parts
    with one_line_errors():
        rows = sample_of(table.output.rows(), count)
        source = read_sample(data, table.worker.job.columns, rows, table.worker.loaded, table.source)
    batch = load_inputs(source, table.worker.loaded, **table.worker.job.inputs)
    # The same indices in all results, by which the page of the run joins them.
    batch = with_indices(batch, row_indices(row.id for row in rows))
    layers = dict(table.output.job.layout.vectors)
    for name in [each for each in others if each in layers]:
        others.remove(name)
        try:
            parts.parts[name] = _embedding(table, name, plan, rows, sample=batch)
        except InterpretationError as error:
            parts.errors[name] = error
    if others:
        by_stage = {name: plan.by_stage[name] for name in others}
        on_sample = run_methods(table.worker.loaded, batch, replace(plan, by_stage=by_stage))
        parts.parts |= {name: _shown(part, batch, table) for name, part in on_sample.parts.items()}
        parts.errors |= on_sample.errors
    return parts


def _add_images(table: WrittenTable, data: Any) -> None:
    """Give results of all rows the images that they show; a result that misses some says so."""
    job = table.worker.job
    if not (table.worker.has_images and job.inputs.get("log_images", True)):
        return
    for part in table.part.parts.parts.values():
        accumulator = part.accumulator
        names = accumulator.without_image() if isinstance(accumulator, ShowsImages) else {}
        if not isinstance(accumulator, ShowsImages) or not names:
            continue
        try:
            with one_line_errors():
                images = small_images(data, job, names, accumulator.image_side)
            missing = len(names.keys() - images.keys())
            why = "these inputs are not there any more, or have changed"
        except InterpretationError as error:
            images, missing, why = {}, len(names), str(error)
        accumulator.add_images(images)
        if missing:
            part.notes = (
                *part.notes,
                f"the images of {missing} of {len(names)} errors can't be shown: {why}",
            )


def _shown(part: Part, batch: Batch, table: WrittenTable) -> Part:
    """The part of a method that ran on the sample, which says so."""
    if batch.count == table.part.read:
        return part
    if part.examples is not None:
        part.examples.is_selection = True
    note = (
        f"{batch.count:,} of {table.part.read:,} inputs are shown, sampled from each label and prediction in "
        f"turn; all are in {table.output.where}"
    )
    return replace(part, notes=(*part.notes, note))


def _embedding(
    table: WrittenTable, name: str, plan: CallPlan, rows: list[SampleRow], *, sample: Batch
) -> Part:
    """The embedding of at most `max_fit` rows; workers place all others in it."""
    job, worker = table.output.job, table.worker
    options = plan.by_stage[name]["method"]
    most = int(options.get("max_fit", options_of(name)["max_fit"].default))
    progress.say(f"{worker.methods[name].title or name}: reading the activations of up to {most:,} rows")
    fit = read_fit_rows(table.output.rows(), name, most, [row.id for row in rows])
    result = embedded(
        fit,
        worker.methods[name].accumulator(),
        dict(job.layout.vectors)[name],
        classes=class_count(worker.loaded.keras) or int(fit.predicted.max()) + 1,
        head=table.part.head,
        class_names=sample.class_names,
    )
    images = _images(sample)
    result = replace(result, examples=with_images(result.examples, images)) if images else result
    metric = str(options.get("metric", options_of(name)["metric"].default))
    placer = Placer(fit.vectors, result.embeddings, int(result.chosen["n_neighbors"]), metric)
    file = placer.save(shipped_files())
    ship(table.output.spark, file)
    activations = table.output.rows().where(f"`{name}` IS NOT NULL").select("id", f"{name}.activations")
    progress.say(f"{worker.methods[name].title or name}: placing all rows")
    where = table.output.write_points(
        activations.mapInArrow(placing(file.name), "id string, points array<array<float>>"), name
    )
    note = f"{len(fit.ids):,} of {table.part.read:,} inputs are shown; the points of all are in {where}"
    return Part(_Finished(result), notes=(note,) if len(fit.ids) < table.part.read else ())


def _images(batch: Batch) -> dict[int, np.ndarray]:
    """The images of the sample, by index."""
    return {
        index: image
        for chunk in batch.chunks()
        if chunk.images is not None
        for index, image in zip(chunk.indices.tolist(), chunk.images.copy(), strict=True)
    }
