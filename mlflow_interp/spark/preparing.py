"""Checks and preparation on the driver, before a job runs: columns, options, the model, the first rows."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlflow_interp.call_options import CallPlan
from mlflow_interp.data.class_names import declared_class_names, load_class_names
from mlflow_interp.engine.method import Streaming
from mlflow_interp.exceptions import InputsError, InterpretationError, ModelError, OptionError, nearest
from mlflow_interp.method_registry import class_of, method_module
from mlflow_interp.models import keras_files
from mlflow_interp.models.origin import LoadedModel
from mlflow_interp.models.signature import class_count, input_shape
from mlflow_interp.spark.job import IMAGES, NUMBERS, Columns, Job
from mlflow_interp.spark.session import one_line_errors, ship, shipped_files
from mlflow_interp.spark.worker import Worker

FIRST_ROWS = 16  # that the driver interprets itself, so that what fails for all rows fails before the job
_NUMBERS = ("float", "double", "int", "bigint", "smallint", "tinyint")  # types of columns
_OF_ARRAYS = {
    "labels": "label= to name the column of labels",
    "max_inputs": "DataFrame.limit",
    "masks": "interpret without Spark",
    "boxes": "interpret without Spark",
    "positions": "interpret without Spark",
}
_OF_METHODS = ("predictions", "sample_weight", "cache", "align")


def find_columns(data: Any, *, input: str | None, label: str | None, id: str | None) -> Columns:
    """The columns of a data frame that hold the inputs.

    Args:
        data: the data frame.
        input: the column of inputs; by default "content", or the only binary column, or the only one.
        label: the column of labels; None for none.
        id: the column that identifies rows; by default "path" if there is one.

    Raises:
        OptionError: there is no such column, or it has another type.
    """
    with one_line_errors():
        types = {field.name: field.dataType.simpleString() for field in data.schema.fields}
    input = input or _usual_input(types)
    for option, name in (("input", input), ("label", label), ("id", id)):
        if name is not None and name not in types:
            raise OptionError(f"{option}: there is no column {name!r}{nearest(name, types)}")
    kind = IMAGES if types[input] == "binary" else NUMBERS
    element = types[input].removeprefix("array<").removesuffix(">")
    if kind == NUMBERS and element not in _NUMBERS:
        raise OptionError(
            f"column {input!r} has the type {types[input]}; give images as binary, or numbers as array<float>"
        )
    if label is not None and types[label] not in (*_NUMBERS, "string"):
        raise OptionError(f"column {label!r} has the type {types[label]}; give labels as integers or names")
    if id is None and "path" in types:
        id = "path"
    if id is None and kind == NUMBERS:
        raise OptionError("rows of numbers need an id to be found again; name its column with id=")
    return Columns(input, kind, label, id)


def _usual_input(types: Mapping[str, str]) -> str:
    binary = [name for name, each in types.items() if each == "binary"]
    if "content" in types:
        return "content"
    candidates = binary or [name for name, each in types.items() if each.startswith("array<")]
    if len(candidates) != 1:
        raise OptionError(f"name the column of inputs with input=; there are: {', '.join(types)}")
    return candidates[0]


def check_options(plan: CallPlan) -> None:
    """Check that no option needs a value for each input, which a table has in its columns.

    Raises:
        OptionError: one does, or a target or contrast names a class for each input.
    """
    for name, instead in _OF_ARRAYS.items():
        if plan.shared["inputs"].get(name) is not None:
            raise OptionError(f"{name} can't be used with engine 'spark'; use {instead}")
    for method, options in plan.options.items():
        for name in _OF_METHODS:
            if options.get(name) is not None:
                raise OptionError(f"{method}: {name} can't be used with engine 'spark'; omit it")


def selected(data: Any, columns: Columns) -> Any:
    """The columns that workers get, in their order, with ids as text."""
    from pyspark.sql import functions as sql

    ids = [sql.col(columns.id).cast("string").alias(columns.id)] if columns.id is not None else []
    with one_line_errors():
        return data.select(*[each for each in (columns.input, columns.label) if each is not None], *ids)


def class_names_of(data: Any, columns: Columns, loaded: LoadedModel, given: Any) -> tuple[str, ...] | None:
    """The names of the classes: as given, as the model says, or the sorted labels if there are as many.

    Raises:
        InputsError: labels are names whose classes can't be determined.
    """
    names = load_class_names(given if given is not None else declared_class_names(loaded.metadata)[0])
    if (
        names is not None
        or columns.label is None
        or data.schema[columns.label].dataType.simpleString() != "string"
    ):
        return names
    classes = class_count(loaded.keras) or 0
    with one_line_errors():
        labels = (
            data.select(columns.label).where(f"`{columns.label}` IS NOT NULL").distinct().limit(classes + 1)
        )
        found = sorted(row[0] for row in labels.collect())
    if len(found) != classes:
        raise InputsError(
            f"labels are {len(found)} names such as {found[0] if found else ''!r}, and the model has "
            f"{classes} classes; pass class_names= with the names in the order of the classes"
        )
    return tuple(found)


def on_all_rows(plan: CallPlan) -> dict[str, dict[str, Any]]:
    """The options of the methods that run on all rows; the others run on the sample.

    A streaming method whose results can't be stored row by row says so in `ROW_BY_ROW`, next to its function.
    """
    return {
        name: dict(by_stage["method"])
        for name, by_stage in plan.by_stage.items()
        if issubclass(class_of(name), Streaming) and getattr(method_module(name), "ROW_BY_ROW", True)
    }


def make_job(
    spark: Any, loaded: LoadedModel, columns: Columns, plan: CallPlan, *, class_names: Any, seed: int
) -> Job:
    """The job of a call, and its model shipped to the workers.

    Raises:
        ModelError: the model can't be saved, or can't be loaded again without its own code.
        OptionError: the model takes images of any size.
    """
    shape = input_shape(loaded)
    if columns.kind == IMAGES and shape is not None and None in shape[1:]:
        raise OptionError(
            f"the model takes images of shape {shape[1:]}, and all rows of a table need one size; give a "
            "model with a fixed input size"
        )
    options = plan.shared
    trusted = bool(options["model"].get("trust_model_code", False))
    path = _saved(loaded, trusted)
    ship(spark, path)
    threads = spark.conf.get("spark.task.cpus", "1")
    return Job(
        model_file=path.name,
        model=str(loaded.origin.weights_sha256),
        loaded=replace(loaded, keras=None),
        columns=columns,
        methods=on_all_rows(plan),
        inputs=options["inputs"] | ({} if class_names is None else {"class_names": class_names}),
        class_names=class_names,
        trust_model_code=trusted,
        imports=options["model"].get("imports"),
        seed=seed,
        threads=int(threads),
    )


def _saved(loaded: LoadedModel, trusted: bool) -> Path:
    """The model in a file for the workers, named by its digest."""
    written = shipped_files() / "model.keras"
    try:
        loaded.keras.save(written)
    # A layer's get_config may raise anything.
    except Exception as error:
        raise ModelError(
            f"the model can't be saved for the workers: {keras_files.shortened(error)}; give its classes a "
            "get_config"
        ) from error
    keras_files.read(written, trusted)  # which says what a worker would
    with written.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    # Spark refuses other contents under the same name.
    return written.rename(shipped_files() / f"mlflow-interp-{sha256[:16]}.keras")


def with_layout(
    job: Job, loaded: LoadedModel, rows: Any, *, optional: Collection[str] = ()
) -> tuple[Job, Worker, dict[str, InterpretationError]]:
    """The job with the columns of its table, from the first rows, without methods that can't be used.

    Args:
        job: the job without these columns.
        loaded: the model.
        rows: the columns that workers get.
        optional: the methods that may be left out.

    Returns:
        The job, a worker that has interpreted these rows, and the errors of methods.

    Raises:
        InterpretationError: what would fail for all rows.
    """
    worker = Worker(job, loaded)
    layout, errors = worker.layout_of(first_rows(rows))
    for name, error in errors.items():
        if name not in optional:
            raise error
    methods = {name: options for name, options in job.methods.items() if name not in errors}
    return replace(job, methods=methods, layout=layout), worker, dict(errors)


def first_rows(rows: Any) -> list[Any]:
    """The first rows as record batches, which the driver interprets itself."""
    with one_line_errors():
        batches: list[Any] = to_arrow(rows.limit(FIRST_ROWS)).to_batches()
    return batches


def to_arrow(data: Any) -> Any:
    """A small data frame as an Arrow table."""
    if hasattr(data, "toArrow"):
        return data.toArrow()
    import pyarrow as pa  # Spark 3

    names = data.columns
    rows = data.collect()
    return pa.table({name: [row[place] for row in rows] for place, name in enumerate(names)})
