"""The result of a comparison over a table: numbers of all rows, everything else of a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlflow_interp.call_options import CallPlan
from mlflow_interp.comparing.sides import Side, name_of, results_of, told_apart
from mlflow_interp.comparison.version import ClassOrder, VersionResults
from mlflow_interp.data.prepare import load_inputs_for
from mlflow_interp.engine.anchors import MOST as MOST_ANCHORS
from mlflow_interp.exceptions import InputsError
from mlflow_interp.kinds.comparison.build import compared
from mlflow_interp.kinds.comparison.result import ComparisonResult
from mlflow_interp.models.origin import LoadedModel
from mlflow_interp.report.provenance import Provenance
from mlflow_interp.spark.blocks import row_indices, with_indices
from mlflow_interp.spark.comparing.job import VERSIONS, ComparedJob
from mlflow_interp.spark.comparing.numbers import collected, paired_of
from mlflow_interp.spark.comparing.worker import ComparingWorker
from mlflow_interp.spark.interpreting import SOURCE
from mlflow_interp.spark.output import Output
from mlflow_interp.spark.part import TaskPart
from mlflow_interp.spark.results import provenance_of
from mlflow_interp.spark.sample import SampleRow, read_sample, sample_of
from mlflow_interp.spark.session import one_line_errors


@dataclass(frozen=True, eq=False)
class ComparedTable:
    """Two versions that explained all rows of a table.

    Attributes:
        data: the inputs.
        models: the old and the new version.
        plan: the methods.
        output: the table.
        part: what all tasks accumulated.
        worker: has compared the first rows.
    """

    data: Any
    models: Sequence[LoadedModel]
    plan: CallPlan
    output: Output[ComparedJob]
    part: TaskPart
    worker: ComparingWorker

    @property
    def sides(self) -> list[Side]:
        """Both versions, with the first inputs."""
        sides = [
            Side(loaded, batch, name_of(loaded.origin.as_dict()))
            for loaded, batch in zip(self.models, self.worker.first_batches, strict=True)
        ]
        return told_apart(sides)

    def provenance(self, source: str) -> Provenance:
        """The new version and all inputs."""
        first = self.worker.first_batches[1]
        return provenance_of(self.models[1], first, self.part, self.output, source=source)

    def result(
        self, sample: int, *, anchors: bool, fewest: int, chosen: Mapping[str, Any]
    ) -> ComparisonResult:
        """The comparison: numbers of all rows, everything else of a sample.

        Raises:
            InputsError: too few inputs, or the data has changed.
        """
        if self.part.read < fewest:
            raise InputsError(
                f"both versions have {self.part.read} inputs in common; give at least {fewest}, or state a "
                "smaller min_inputs"
            )
        rows = self._sample(sample, MOST_ANCHORS if anchors else 0)
        order = self.output.job.order
        old, new = self._of_sample(rows, order, anchors=anchors)
        result = compared(old, new, order, {}, chosen={"methods": sorted(self.plan.options), **chosen})
        if len(result.examples) == self.part.read:
            return result
        numbers, note = collected(self.output, self.part.read, [row.id for row in rows])
        place_of = {index: place for place, index in enumerate(row_indices(row.id for row in rows).tolist())}
        places = np.array([place_of[index] for index in result.examples.indices.tolist()], np.int64)
        whole = paired_of(numbers, result.paired, places, result.examples.class_name)
        notes = (*result.notes, *([note] if note else []))
        return replace(result, of_all=whole, notes=notes)

    def _sample(self, count: int, by_hash: int) -> list[SampleRow]:
        table = self.output.rows()
        columns = [f"{version}.predicted AS `{version}`" for version in VERSIONS]
        with one_line_errors():
            return sample_of(
                table.selectExpr("id", "digest", "key", "label", "error", *columns),
                count,
                ("label", *VERSIONS),
                by_hash=by_hash,
            )

    def _of_sample(
        self, rows: Sequence[SampleRow], order: ClassOrder, *, anchors: bool
    ) -> tuple[VersionResults, VersionResults]:
        """The results of both versions for the sample, with the counts of all rows."""
        job = self.output.job
        with one_line_errors():
            source = read_sample(self.data, job.columns, rows, self.models[0], SOURCE)
        batches = load_inputs_for(source, self.models, **job.inputs)
        indices = row_indices(row.id for row in rows)
        sides = [
            replace(side, batch=with_indices(batch, indices))
            for side, batch in zip(self.sides, batches, strict=True)
        ]
        found = results_of(sides, [order], self.plan, anchors=anchors)
        counted: list[dict[str, Any]] = [{}, {}]
        for name, part in self.part.parts.parts.items():
            version, _, method = name.partition("/")
            counted[VERSIONS.index(version)][method] = part.result()
        old, new = (
            replace(each, results={**each.results, **of_all})
            for each, of_all in zip(found, counted, strict=True)
        )
        return old, new
