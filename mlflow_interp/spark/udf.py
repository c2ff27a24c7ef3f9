"""A lazy column: interprets inputs wherever Spark evaluates it, also in a stream; nothing is logged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mlflow_interp.call_options import plan_call
from mlflow_interp.core.accepted import checked
from mlflow_interp.exceptions import OptionError
from mlflow_interp.method_registry import kind_of
from mlflow_interp.models.load import load_model
from mlflow_interp.models.origin import digested
from mlflow_interp.models.signature import input_shape
from mlflow_interp.spark.job import IMAGES, NUMBERS, Columns, Job
from mlflow_interp.spark.preparing import check_options, make_job, on_all_rows
from mlflow_interp.spark.rows import Layout
from mlflow_interp.spark.session import check_installed
from mlflow_interp.spark.tasks import exclude_from_collections
from mlflow_interp.spark.worker import Worker

#: What the column holds for each input.
RETURNS = (
    "predicted int, probability float, target int, score float, heatmap array<float>, shape array<int>, "
    "error string"
)


@checked
def interpret_udf(spark: Any, model: Any, method: str = "gradcam", **options: Any) -> Any:
    """A function of a column that returns the prediction and the heatmap of each input, evaluated lazily.

    It can be used in `withColumn` and in streams, and logs nothing. The column holds images as binary, or the
    numbers of an input as array<float>. An input that can't be interpreted gets an `error`.

    Args:
        spark: The Spark session.
        model: A Keras model, or where to find one; see `load_model`.
        method: A method that makes heatmaps in one pass, such as gradcam.
        **options: Options of the method, and of loading models and inputs.

    Returns:
        The function. Its result is a struct of predicted, probability, target, score, heatmap, shape, error.

    Raises:
        InterpretationError: an error that the user can fix; the message says how.
    """
    check_installed()
    plan = plan_call(method, options)
    check_options(plan)
    if len(plan.options) != 1 or not kind_of(method).has_heatmaps or not on_all_rows(plan):
        raise OptionError(f"interpret_udf takes one method that makes heatmaps in one pass, not {method!r}")
    loaded = digested(load_model(model, **plan.shared["model"]))
    columns = Columns("input", IMAGES, None, "id")
    job = make_job(spark, loaded, columns, plan, class_names=plan.shared["inputs"].get("class_names"), seed=0)
    job = replace(job, layout=Layout(heatmaps=(method,)))
    _try_out(job, loaded)
    return _column_function(job, method)


def _try_out(job: Job, loaded: Any) -> None:
    """Interpret one input of zeros, so that what fails for all inputs fails here.

    Raises:
        InterpretationError: the method can't be used, or an option is not accepted.
    """
    import pyarrow as pa

    sides = [side for side in (input_shape(loaded) or ())[1:] if side is not None]
    if len(sides) + 1 != len(input_shape(loaded) or ()):  # of several inputs, or of any size
        return
    zeros = pa.array([[0.0] * int(np.prod(sides))], pa.list_(pa.float32()))
    trial = Worker(replace(job, columns=replace(job.columns, kind=NUMBERS)), loaded)
    errors = trial.layout_of([pa.record_batch([zeros, pa.array(["zeros"])], names=job.columns.names)])[1]
    if errors:
        raise next(iter(errors.values()))


def _column_function(job: Job, method: str) -> Any:
    from pyspark.sql import functions as sql

    # Local, so that Spark sends it by value with the job, and workers import nothing to find it.
    def on_arrays(arrays: Iterator[Any]) -> Iterator[Any]:
        from mlflow_interp.spark.udf import interpreted

        yield from interpreted(arrays, job, method)

    if hasattr(sql, "arrow_udf"):
        import pyarrow as pa

        on_arrays.__annotations__ = {"arrays": Iterator[pa.Array], "return": Iterator[pa.Array]}
        return sql.arrow_udf(on_arrays, returnType=RETURNS)
    import pandas as pd

    def on_series(batches: Iterator[Any]) -> Iterator[Any]:
        import pyarrow as pa

        from mlflow_interp.spark.udf import interpreted

        for rows in interpreted((pa.Array.from_pandas(each) for each in batches), job, method):
            yield pd.DataFrame(rows.to_pylist(), columns=[field.name for field in rows.type])

    on_series.__annotations__ = {"batches": Iterator[pd.Series], "return": Iterator[pd.DataFrame]}
    return sql.pandas_udf(on_series, returnType=RETURNS)


def interpreted(arrays: Iterator[Any], job: Job, method: str) -> Iterator[Any]:
    """The results for arrays of inputs, an array of structs for each, in their order. Runs on workers."""
    import pyarrow as pa

    from mlflow_interp.spark.session import shipped, use_own_gpu
    from mlflow_interp.spark.worker import worker_for

    use_own_gpu()
    for inputs in arrays:
        is_binary = pa.types.is_binary(inputs.type) or pa.types.is_large_binary(inputs.type)
        own = replace(job, columns=replace(job.columns, kind=IMAGES if is_binary else NUMBERS))
        ids = pa.array([str(row) for row in range(len(inputs))], pa.string())
        record = pa.record_batch([inputs, ids], names=own.columns.names)
        rows = worker_for(own, shipped).each([record])
        yield _in_order(rows, len(inputs), method)
    exclude_from_collections(job.key)


def _in_order(rows: Iterator[Any], count: int, method: str) -> Any:
    import pyarrow as pa

    batches = list(rows)
    table = pa.Table.from_batches(batches).combine_chunks()
    order = np.argsort(np.array(table["id"].to_pylist(), np.int64))
    table = table.take(pa.array(order))
    heat = table[method].combine_chunks()
    columns: Mapping[str, Any] = {
        "predicted": table["predicted"],
        "probability": table["probability"],
        **{name: heat.field(name) for name in ("target", "score", "heatmap", "shape")},
        "error": table["error"],
    }
    arrays = [each.combine_chunks() if hasattr(each, "combine_chunks") else each for each in columns.values()]
    if len(table) != count:
        raise RuntimeError(f"{len(table)} results for {count} inputs")
    return pa.StructArray.from_arrays(arrays, names=list(columns))
