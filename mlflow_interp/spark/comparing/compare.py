"""Compare two versions on the rows of a table: numbers of all rows, heatmaps of a sample, one run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from mlflow_interp import progress
from mlflow_interp.call_options import CallPlan, Methods, plan_call
from mlflow_interp.comparing.conclude import FEWEST_INPUTS, About, Comparison, GateOption, concluded
from mlflow_interp.comparing.models import check_methods, find_version, gate_name, without_old
from mlflow_interp.comparing.sides import name_of
from mlflow_interp.comparison.gate_file import read_gate
from mlflow_interp.core.accepted import Range, checked
from mlflow_interp.exceptions import MissingModelError
from mlflow_interp.kinds.comparison.build import judged
from mlflow_interp.models.load import experiment_of, load_model
from mlflow_interp.models.origin import LoadedModel, digested
from mlflow_interp.report.provenance import Provenance
from mlflow_interp.spark.comparing.job import VERSIONS
from mlflow_interp.spark.comparing.preparing import make_compared_job
from mlflow_interp.spark.comparing.table import ComparedTable
from mlflow_interp.spark.comparing.worker import ComparingWorker
from mlflow_interp.spark.interpreting import SOURCE
from mlflow_interp.spark.output import Output
from mlflow_interp.spark.preparing import (
    check_options,
    find_columns,
    first_rows,
    selected,
)
from mlflow_interp.spark.rows import PART
from mlflow_interp.spark.session import check_installed
from mlflow_interp.spark.summary import check_errors
from mlflow_interp.spark.tasks import comparing
from mlflow_interp.spark.writing import merged_part, write_rows
from mlflow_interp.tracking.destination import open_run, without_autologging
from mlflow_interp.tracking.permission import check_may_log


@dataclass(frozen=True, eq=False)
class TableComparison:
    """Two versions compared on the rows of a table.

    Attributes:
        comparison: the verdict, the numbers, the report, as `mlflow_interp.compare` returns them.
        table: a data frame with a row for each input: both predictions, and how far heatmaps agree; see
            docs/howto/spark.md for its columns. None if there was no old version.
        rows: the number of inputs.
        errors: the number of inputs that could not be compared; their rows say why in `error`.
    """

    comparison: Comparison
    table: Any = field(default=None, repr=False)
    rows: int = 0
    errors: int = 0

    @property
    def passed(self) -> bool:
        """Whether the gate did not fail."""
        return self.comparison.passed

    @property
    def verdict(self) -> str:
        """Of the gate: "passed", "failed" or "undecided"; "" without a gate."""
        return self.comparison.verdict

    @property
    def metrics(self) -> dict[str, float]:
        """All numbers by name."""
        return self.comparison.metrics

    @property
    def run_id(self) -> str | None:
        """The MLflow run that holds the comparison, None if nothing was logged."""
        return self.comparison.run_id


@checked
def compare(
    data: Any,
    old: Any,
    new: Any,
    methods: Methods = ("gradcam",),
    *,
    table: str,
    input: str | None = None,
    label: str | None = None,
    id: str | None = None,
    sample: Annotated[int, Range(least=1)] = 200,
    gate: GateOption = "default",
    undecided: Literal["pass", "fail"] = "pass",
    anchors: bool = True,
    min_inputs: Annotated[int, Range(least=1)] = FEWEST_INPUTS,
    if_old_missing: Literal["fail", "pass"] = "fail",
    append: bool = False,
    overwrite: bool = False,
    max_errors: Annotated[float, Range(least=0, most=1)] = 0.1,
    source: str = SOURCE,
    quiet: bool = False,
    **options: Any,
) -> TableComparison:
    """Compare two versions of a model on all rows of a Spark data frame, and decide by a gate.

    Both versions predict and explain every row in one pass over the inputs. Numbers, verdicts and the change
    of counts are those of all rows; the inputs on the page, embeddings, and methods that need many passes are
    those of a sample. The scale of agreement is that of the 256 rows that `mlflow_interp.compare` would take.

    Args:
        data: The data frame.
        old: The version in use: a Keras model, or where to find one; see `load_model`.
        new: The version that may replace it.
        methods: See `mlflow_interp.compare`.
        table: The folder to write a row for each input to, or the name of a table in Spark's catalog.
        input: The column of inputs; see `interpret`.
        label: The column of true classes, as integers or names.
        id: The column that identifies rows. By default, path; without it, the digest of the input.
        sample: Number of rows that the page shows and that costly methods explain, of each label and change
            in turn.
        gate: See `mlflow_interp.compare`.
        undecided: See `mlflow_interp.compare`.
        anchors: See `mlflow_interp.compare`.
        min_inputs: Number of inputs that both versions must have in common.
        if_old_missing: See `mlflow_interp.compare`.
        append: Add the rows to a table that holds those of other calls.
        overwrite: Replace such a table.
        max_errors: Share of rows with errors above which the run fails. The table is kept.
        source: Where the data comes from, for display.
        quiet: Hide progress and the location of the results.
        **options: Each option goes to every method and every stage that takes it, for both versions.

    Raises:
        InterpretationError: an error that the user can fix; the message says how.
    """
    check_installed()
    rules = read_gate(gate)
    plan = plan_call(methods, options)
    check_options(plan)
    check_methods(plan)
    columns = find_columns(data, input=input, label=label, id=id)
    shared = plan.shared
    started = time.perf_counter()
    with without_autologging(), progress.shown(not quiet), open_run(**shared["run"]) as destination:
        found_new = find_version(new, shared)
        try:
            found_old = find_version(old, shared)
        except MissingModelError as error:
            return TableComparison(without_old(error, if_old_missing))
        if destination.log:
            check_may_log(destination.run_id, destination.experiment, experiment_of(found_new))
        models = [digested(load_model(each, **shared["model"])) for each in (found_old, found_new)]
        job = make_compared_job(data, models, columns, plan)
        rows = selected(data, columns)
        worker = ComparingWorker(job, *models)
        job = replace(job, layout=worker.layout_of(first_rows(rows)))
        output = Output(data.sparkSession, table, job)
        is_begun = output.prepare(append=append, overwrite=overwrite)
        destination.start(
            models[1].origin, f"compare {' → '.join(name_of(each.origin.as_dict()) for each in models)}"
        )
        write_rows(rows, comparing(job), output, is_begun=is_begun, overwrite=overwrite)
        part = merged_part(output)
        check_errors(output, part, max_errors)
        if part.parts.errors:
            raise next(iter(part.parts.errors.values()))
        made = ComparedTable(data, models, plan, output, part, worker)
        result = made.result(sample, anchors=anchors, fewest=min_inputs, chosen={"gate": gate_name(gate)})
        result = judged(result, rules, undecided_fails=undecided == "fail")
        given = _given(locals(), plan)
        about = _about(models, plan, given, made.provenance(source))
        found = concluded(result, about, destination, started)
        progress.say(f"table: {table}, {part.rows} rows in {time.perf_counter() - started:.0f} s")
    return TableComparison(found, output.rows().drop(PART), part.rows, part.errors)


def _given(values: Mapping[str, Any], plan: CallPlan) -> dict[str, Any]:
    """The options that were given, for the manifest and to reproduce the call."""
    defaults = {
        "input": None,
        "label": None,
        "id": None,
        "sample": 200,
        "gate": "default",
        "undecided": "pass",
        "anchors": True,
        "min_inputs": FEWEST_INPUTS,
    }
    given = {"table": values["table"]}
    given |= {name: values[name] for name, default in defaults.items() if values[name] != default}
    return given | {name: value for each in plan.options.values() for name, value in each.items()}


def _about(
    models: Sequence[LoadedModel], plan: CallPlan, given: Mapping[str, Any], provenance: Provenance
) -> About:
    uris = [each.origin.uri for each in models]
    arguments = [
        "data",
        *(name if uri == "keras.Model" else repr(uri) for name, uri in zip(VERSIONS, uris, strict=True)),
        f"methods={list(plan.options)!r}",
        *(f"{name}={value!r}" for name, value in given.items() if isinstance(value, (str, int, float, list))),
    ]
    call = f"import mlflow_interp.spark\n\nfound = mlflow_interp.spark.compare({', '.join(arguments)})"
    return About(models[0].origin.as_dict(), provenance, list(plan.options), given, {"Python": call})
