"""Runs a job on the rows of a table, and collects what its tasks accumulated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache, partial
from typing import Any

from mlflow_interp import progress
from mlflow_interp.core.process_switch import ProcessSwitch
from mlflow_interp.exceptions import InputsError, OptionError
from mlflow_interp.spark.blocks import BATCHES
from mlflow_interp.spark.output import Output
from mlflow_interp.spark.part import TaskPart, merged, read_part
from mlflow_interp.spark.rows import PART, ddl
from mlflow_interp.spark.session import one_line_errors
from mlflow_interp.spark.tasks import MapInArrow, merging

MOST_BROADCAST = 5_000_000  # ids of finished rows that every worker gets; more are joined
TASKS = 16  # for each core, if files are large enough: a core that finishes early waits only briefly
MOST_TASKS = 4_096  # that files are divided into for this reason
UNKNOWN_CORES = 16  # assumed on Spark Connect, which does not say
MOST_PARTS = 16  # that the driver merges itself; more are merged by workers first
_LEAST_TASKS = "spark.sql.files.minPartitionNum"
#: What Spark derives this number from if it is not set.
_PARALLELISM = ("spark.sql.leafNodeDefaultParallelism", "spark.default.parallelism")
_FILE_COST = "spark.sql.files.openCostInBytes"


@contextmanager
def _arrow_batches(spark: Any, rows: int) -> Iterator[None]:
    """Let Spark send few rows at a time to workers: its own choice of 10,000 images may fill the memory."""
    name = "spark.sql.execution.arrow.maxRecordsPerBatch"
    before = spark.conf.get(name)
    spark.conf.set(name, str(min(rows, int(before))))
    try:
        yield
    finally:
        spark.conf.set(name, before)


@lru_cache(maxsize=8)
def task_sizes(spark: Any) -> ProcessSwitch:
    """Let Spark divide files into enough tasks to keep all cores busy until the end.

    Its tasks are as many as there are cores, or as 128 MB need: if one of three takes longest, the other
    cores wait for it. A small file counts as 4 MB, as for a scan; a model takes longer than opening it.
    What the user has set stays.
    """
    return ProcessSwitch(partial(_changed, spark))


@contextmanager
def _changed(spark: Any) -> Iterator[None]:
    own = {}
    if all(spark.conf.get(name, None) is None for name in (_LEAST_TASKS, *_PARALLELISM)):
        own[_LEAST_TASKS] = min(MOST_TASKS, TASKS * _cores(spark))
    if spark.conf.get(_FILE_COST, None) is None:
        own[_FILE_COST] = 64 * 2**10
    with ExitStack() as stack:
        for name, value in own.items():
            # A server may not let its users change it, and a job runs without it.
            with suppress(Exception):
                spark.conf.set(name, str(value))
                stack.callback(spark.conf.unset, name)
        yield


def _cores(spark: Any) -> int:
    try:
        return int(spark.sparkContext.defaultParallelism)
    # Spark Connect, whose class of this error differs between versions.
    except Exception:
        return UNKNOWN_CORES


def write_rows(rows: Any, task: MapInArrow, table: Output[Any], *, is_begun: bool, overwrite: bool) -> None:
    """Run a task on the rows that the table lacks, and write what it makes of them.

    Args:
        rows: the columns that the task takes.
        task: makes rows of the table.
        table: the table.
        is_begun: whether it has rows of this call already.
        overwrite: whether to replace what it holds.

    Raises:
        InterpretationError: Spark, or an input.
    """
    job = table.job
    rows = _missing(rows, table) if is_begun else rows
    size = BATCHES * int(job.inputs.get("batch_size", 32))
    with _arrow_batches(table.spark, size), task_sizes(table.spark)():
        table.write(rows.mapInArrow(task, ddl(job.layout.schema())), overwrite=overwrite)


def _missing(rows: Any, table: Output[Any]) -> Any:
    """The rows that the table of an interrupted job lacks.

    Raises:
        OptionError: rows have no id.
    """
    column = table.job.columns.id
    if column is None:
        raise OptionError(
            f"table {table.where!r} has rows of this call already, and without id= the missing ones can't be "
            "determined; name the column that identifies rows, or overwrite the table"
        )
    done = table.rows().select("id")
    count = done.count()
    progress.say(f"{count} rows are in {table.where} already; the others are added")
    if count <= MOST_BROADCAST:
        from pyspark.sql import functions as sql

        done = sql.broadcast(done)
    return rows.join(done, rows[column] == done["id"], "left_anti")


def merged_part(table: Output[Any]) -> TaskPart:
    """What all tasks accumulated.

    Raises:
        InputsError: no row could be interpreted.
    """
    with one_line_errors():
        parts = table.rows().where(f"{PART} IS NOT NULL").select(PART)
        count = parts.count()
        if count > MOST_PARTS:
            groups = max(1, round(count**0.5))
            parts = parts.repartition(groups).mapInArrow(merging(), f"{PART} binary")
        whole = merged(read_part(bytes(row[0])) for row in parts.toLocalIterator())
    if whole.parts.inputs is None or not whole.parts.inputs.count:
        raise InputsError(
            f"none of {whole.errors} rows could be interpreted; see the column error of the table"
        )
    return whole
