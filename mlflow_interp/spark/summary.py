"""The summary of a table, as an interpretation of its own: what holds for all rows, not for a sample."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from mlflow_interp.api import Call
from mlflow_interp.call_options import CallPlan
from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.model_record import ModelRecord
from mlflow_interp.exceptions import InputsError, warn
from mlflow_interp.kinds.table.counts import BINS, Cells, no_bins
from mlflow_interp.kinds.table.heatmaps import ClassHeatmaps
from mlflow_interp.kinds.table.location import Location
from mlflow_interp.kinds.table.result import MOST_REASONS, TableResult, no_examples
from mlflow_interp.report.files import draw_files
from mlflow_interp.report.formats import to_json
from mlflow_interp.report.interpretation import Interpretation, InterpretationFiles
from mlflow_interp.report.manifest import complete_manifest, describe
from mlflow_interp.spark.output import Output
from mlflow_interp.spark.part import MeanMaps, TaskPart
from mlflow_interp.spark.results import WrittenTable
from mlflow_interp.spark.rows import CALL, PART
from mlflow_interp.spark.session import one_line_errors
from mlflow_interp.tracking.write import write

TABLE = "table"
FACTS = "table.json"
_ROUNDING = 1e-6  # by which a probability may exceed 1


def check_errors(output: Output[Any], part: TaskPart, most: float) -> None:
    """Check that few rows have errors.

    Raises:
        InputsError: more than a share of them has.
    """
    if part.errors <= most * part.rows:
        return
    named = "; ".join(f"{count} × {reason}" for reason, count in reasons_of(output, 3))
    raise InputsError(
        f"{part.errors} of {part.rows} rows could not be interpreted, more than max_errors={most:g} allows: "
        f"{named}. The rows are in {output.where}"
    )


def reasons_of(output: Output[Any], most: int) -> list[tuple[str, int]]:
    """Why rows could not be interpreted, and how often, the most frequent first."""
    from pyspark.sql import functions as sql

    counts = output.rows().where("error IS NOT NULL").groupBy("error").count()
    with one_line_errors():
        rows = counts.orderBy(sql.desc("count"), "error").limit(most).collect()
    return [(row["error"], row["count"]) for row in rows]


def summary_of(
    table: WrittenTable, interpretations: Mapping[str, Interpretation], *, sample: int
) -> TableResult:
    """The summary of a table.

    Args:
        table: the table.
        interpretations: of the methods, which know how their heatmaps are drawn.
        sample: the maximum number of inputs that pages of methods show.
    """
    output, worker, part = table.output, table.worker, table.part
    heatmaps = []
    for name, maps in part.mean_maps.items():
        drawn = interpretations[name].result if name in interpretations else None
        made = _heatmaps(name, worker.methods[name].title or name, maps)
        explained = getattr(drawn, "explained", None)
        heatmaps.append(
            replace(
                made,
                relu=bool(getattr(drawn, "relu", False)),
                has_target=explained is None or explained.has_target,
            )
        )
    with one_line_errors():
        cells, bins = _cells(output.rows()), _bins(output.rows())
    return TableResult(
        rows=part.rows,
        errors=part.errors,
        reasons=tuple(reasons_of(output, MOST_REASONS)) if part.errors else (),
        cells=cells,
        bins=bins,
        heatmaps=tuple(heatmaps),
        location=_location(output),
        sample=min(sample, part.read),
        examples=no_examples(worker.first_batch.class_names),
    )


def concluded_summary(
    result: TableResult, call: Call, given: Mapping[str, Any], started: float
) -> Interpretation:
    """Draw the summary, and write it to the run of the call.

    Args:
        result: the summary.
        call: the call, whose provenance is that of all rows.
        given: the options of the call, None where not given.
        started: when the call began, by `time.perf_counter`.

    Raises:
        TrackingError: it can't be logged.
    """
    given = _of_methods(call.plan) | dict(given)
    given = {name: value for name, value in given.items() if value is not None}
    record = ModelRecord.of(call.provenance.model, datetime.now(UTC).date().isoformat())
    result = replace(result, examples=replace(result.examples, model_record=record))
    figure, files = draw_files(TABLE, result, {})
    files[FACTS] = to_json(result.facts())
    seconds = time.perf_counter() - started
    described = describe(TABLE, result, given, call.provenance, parameters=given, seconds=seconds)
    described |= {"calls": {"Python": _python(described)}}
    manifest = complete_manifest(described, files)
    for warning in result.warnings():
        warn(warning)
    path, folder = write(InterpretationFiles(TABLE, files, manifest), call.destination)
    return Interpretation(TABLE, result, figure, manifest, call.destination.run_id, path, files, folder)


def _of_methods(plan: CallPlan) -> dict[str, Any]:
    """The methods and their options: each option once, unless methods have different values of it."""
    common: dict[str, Any] = {}
    for options in plan.options.values():
        for name, value in options.items():
            if common.setdefault(name, value) is not value:
                return {"methods": {method: dict(each) for method, each in plan.options.items()}}
    return {"methods": list(plan.options)} | common


def _python(manifest: Mapping[str, Any]) -> str:
    """The call in Python, with variables for what was in memory."""
    given = dict(manifest["given"])
    uri = str(manifest["model"]["uri"])
    methods = repr(given.pop("methods")) if "methods" in given else "methods"
    arguments = ["data", "model" if uri == "keras.Model" else repr(uri), methods]
    arguments += [f"{name}={value!r}" for name, value in given.items()]
    arguments += [f"{name}={name}" for name in manifest["at_hand"] if name != "methods"]
    return f"import mlflow_interp.spark\n\nfound = mlflow_interp.spark.interpret({', '.join(arguments)})"


def _cells(rows: Any) -> Cells:
    """The number of rows of each label and prediction, sorted."""
    from pyspark.sql import functions as sql

    groups = rows.where("error IS NULL").groupBy("label", "predicted")
    sums = sql.sum(sql.col("probability").cast("double")).alias("sum")
    found = [
        (_known(row["label"]), _known(row["predicted"]), row["inputs"], row["sum"] or 0.0)
        for row in groups.agg(sql.count("*").alias("inputs"), sums).collect()
    ]
    found.sort(key=lambda row: row[:2])
    classes = np.array([row[:2] for row in found], np.int64).reshape(-1, 2)
    counts = np.array([row[2] for row in found], np.int64)
    return Cells(classes, counts, np.array([row[3] for row in found], np.float64))


def _known(label: int | None) -> int:
    return UNKNOWN if label is None else int(label)


def _bins(rows: Any) -> Any:
    """The number of rows by state and bin of the probability; rows without a probability are left out."""
    from pyspark.sql import functions as sql

    probability = sql.col("probability").cast("double")
    state = (
        sql.when(sql.col("label").isNull(), 2).when(sql.col("label") == sql.col("predicted"), 0).otherwise(1)
    )
    column = sql.least(sql.floor(probability * BINS), sql.lit(BINS - 1).cast("long"))
    known = rows.where("error IS NULL AND predicted IS NOT NULL").where(probability.between(0, 1 + _ROUNDING))
    groups = known.groupBy(state.alias("state"), column.alias("bin"))
    bins = no_bins()
    for row in groups.agg(sql.count("*").alias("inputs"), sql.sum(probability).alias("sum")).collect():
        bins.counts[row["state"], row["bin"]] = row["inputs"]
        bins.sums[row["state"], row["bin"]] = row["sum"]
    return bins


def _heatmaps(name: str, title: str, maps: MeanMaps) -> ClassHeatmaps:
    classes = sorted(maps.classes)
    each = [maps.classes[label] for label in classes]
    return ClassHeatmaps(
        name,
        title,
        False,
        np.array(classes, np.int64),
        np.array([of_class.count for of_class in each], np.int64),
        np.stack([of_class.mean for of_class in each]),
        np.stack([of_class.deviation for of_class in each]),
    )


def _location(output: Output[Any]) -> Location:
    columns = {field.name: field.dataType.simpleString() for field in output.rows().drop(PART).schema.fields}
    facts = output.facts()
    return Location(
        str(facts["where"]),
        str(facts["format"]),
        str(facts[CALL]),
        tuple((columns | {CALL: "string"}).items()),
        output.is_path,
    )
