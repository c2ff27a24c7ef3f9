"""Interpret a table on Spark: every row by workers, figures and pages from a sample, one run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from mlflow_interp import progress
from mlflow_interp.api import Call, concluded, joined_error, report_destination, run_name
from mlflow_interp.call_options import Methods, plan_call
from mlflow_interp.core.accepted import Range, checked
from mlflow_interp.models.load import experiment_of, find_model, load_model
from mlflow_interp.models.origin import digested
from mlflow_interp.report.interpretation import Interpretation
from mlflow_interp.spark.output import Output
from mlflow_interp.spark.part import MeanMaps
from mlflow_interp.spark.preparing import (
    check_options,
    class_names_of,
    find_columns,
    make_job,
    selected,
    with_layout,
)
from mlflow_interp.spark.results import WrittenTable, parts_of
from mlflow_interp.spark.rows import PART
from mlflow_interp.spark.session import check_installed
from mlflow_interp.spark.summary import check_errors, concluded_summary, summary_of
from mlflow_interp.spark.tasks import interpreting
from mlflow_interp.spark.writing import merged_part, write_rows
from mlflow_interp.tracking.destination import open_run, without_autologging
from mlflow_interp.tracking.permission import check_may_log

SOURCE = "Spark DataFrame"


@dataclass(frozen=True, eq=False)
class TableInterpretation:
    """The interpretation of a table.

    Attributes:
        table: a data frame with a row for each input; see docs/howto/spark.md for its columns.
        run_id: the MLflow run with the figures and pages of the sample; None if nothing was logged.
        counts: the number of inputs of each label and predicted class; None where not known.
        points: for each method that embeds activations, such as umap, a data frame of the inputs' points.
        mean_heatmaps: for each method, the mean heatmap of each explained class, its count and deviation.
        rows: the number of inputs.
        errors: the number of inputs that could not be interpreted; their rows say why in `error`.
        interpretations: of each method, as `mlflow_interp.interpret` returns them.
        summary: of all rows: counts, probabilities and mean heatmaps, with its figure and page.
    """

    table: Any = field(repr=False)
    run_id: str | None
    counts: Mapping[tuple[int | None, int | None], int] = field(repr=False)
    points: Mapping[str, Any] = field(repr=False)
    mean_heatmaps: Mapping[str, MeanMaps] = field(repr=False)
    rows: int
    errors: int
    interpretations: Mapping[str, Interpretation] = field(repr=False)
    summary: Interpretation = field(repr=False)


@checked
def interpret(
    data: Any,
    model: Any,
    methods: Methods = "all",
    *,
    table: str,
    input: str | None = None,
    label: str | None = None,
    id: str | None = None,
    sample: Annotated[int, Range(least=1)] = 200,
    sample_seed: Annotated[int, Range(least=0)] = 0,
    append: bool = False,
    overwrite: bool = False,
    max_errors: Annotated[float, Range(least=0, most=1)] = 0.1,
    source: str = SOURCE,
    quiet: bool = False,
    **options: Any,
) -> TableInterpretation:
    """Interpret all rows of a Spark data frame, and log figures and pages of a sample to one run.

    Methods that share one pass over the inputs run on all rows: their heatmaps, activations and predictions
    become a table, and their counts are exact. Other methods explain the sample, which is the same for the
    same rows, however they are partitioned. The run holds the pages; the table stays where it is written. A
    row that can't be interpreted becomes a row with an error. A job that was interrupted is continued by the
    same call.

    Args:
        data: The data frame.
        model: A Keras model, or where to find one; see `load_model`.
        methods: See `mlflow_interp.interpret`.
        table: The folder to write a row for each input to, or the name of a table in Spark's catalog.
        input: The column of inputs: images as binary, as `binaryFile` reads them, or numbers as array<float>.
            By default, the column content, or the only binary one.
        label: The column of true classes, as integers or names.
        id: The column that identifies rows. By default, path; without it, the digest of the input.
        sample: Number of rows that figures and pages show and that costly methods explain.
        sample_seed: Seed of this sample.
        append: Add the rows to a table that holds those of other calls.
        overwrite: Replace such a table.
        max_errors: Share of rows with errors above which the run fails. The table is kept.
        source: Where the data comes from, for display.
        quiet: Hide progress and the location of the results.
        **options: Each option goes to every method and every stage that takes it.

    Raises:
        InterpretationError: an error that the user can fix; the message says how.
    """
    check_installed()
    plan = plan_call(methods, options)
    check_options(plan)
    columns = find_columns(data, input=input, label=label, id=id)
    spark = data.sparkSession
    shared = plan.shared
    started = time.perf_counter()
    with without_autologging(), progress.shown(not quiet), open_run(**shared["run"]) as destination:
        found = find_model(model, trust_model_code=bool(shared["model"].get("trust_model_code", False)))
        if destination.log:
            check_may_log(destination.run_id, destination.experiment, experiment_of(found))
        loaded = digested(load_model(found, **shared["model"]))
        names = class_names_of(data, columns, loaded, shared["inputs"].get("class_names"))
        rows = selected(data, columns)
        job = make_job(spark, loaded, columns, plan, class_names=names, seed=sample_seed)
        job, worker, failed = with_layout(job, loaded, rows, optional=plan.only_by_all)
        output = Output(spark, table, job)
        is_begun = output.prepare(append=append, overwrite=overwrite)
        destination.start(loaded.origin, run_name(plan, loaded))
        write_rows(rows, interpreting(job), output, is_begun=is_begun, overwrite=overwrite)
        part = merged_part(output)
        check_errors(output, part, max_errors)
        written = WrittenTable(output, worker, part, source)
        parts = parts_of(written, data, plan, sample, failed)
        call = Call(written.provenance(), destination, plan)
        interpretations, errors = concluded(parts, call)
        given: dict[str, Any] = {"table": table, "input": input, "label": label, "id": id}
        given |= {"sample": sample, "sample_seed": sample_seed}
        result = summary_of(written, interpretations, sample=sample)
        summary = concluded_summary(result, call, given, started)
        if errors:
            raise joined_error(errors, interpretations)
        report_destination(destination)
        progress.say(f"table: {table}, {part.rows} rows in {time.perf_counter() - started:.0f} s")
    return TableInterpretation(
        output.rows().drop(PART),
        destination.run_id,
        result.counts,
        {name: output.points(name) for name, _ in job.layout.vectors if name in interpretations},
        part.mean_maps,
        part.rows,
        part.errors,
        interpretations,
        summary,
    )
