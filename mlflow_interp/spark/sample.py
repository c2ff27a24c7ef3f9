"""The sample of a table that figures and pages show: the same rows however the table is partitioned."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.digests import bytes_digest
from mlflow_interp.data.folders import ImageFiles
from mlflow_interp.data.sources import ArrayRows
from mlflow_interp.exceptions import InputsError
from mlflow_interp.models.origin import LoadedModel
from mlflow_interp.spark.blocks import as_inputs, shape_of_numbers
from mlflow_interp.spark.job import IMAGES, Columns, Job
from mlflow_interp.spark.output import PATTERNS
from mlflow_interp.spark.tasks import picking, shrinking


@dataclass(frozen=True)
class SampleRow:
    """A row of the sample.

    Attributes:
        id: what identifies it.
        digest: the digest of its input.
        label: the class, `UNKNOWN` where not given.
    """

    id: str
    digest: bytes
    label: int


def sample_of(
    table: Any, count: int, cells: Sequence[str] = ("label", "predicted"), *, by_hash: int = 0
) -> list[SampleRow]:
    """A sample of a table, each label and prediction in turn; see `core.sampling.sample_rows`.

    Args:
        table: the rows of a call, with the columns id, digest, key, label and those of `cells`.
        count: the maximum number of rows.
        cells: the columns whose combinations take turns.
        by_hash: the number of rows with the smallest keys that are among them in any case.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as sql

    in_cell = Window.partitionBy(*cells).orderBy("key", "id")
    columns = ["id", "digest", "key", *dict.fromkeys(["label", *cells])]
    known = table.where("error IS NULL").select(*columns)
    ranked = known.withColumn("rank", sql.row_number().over(in_cell))
    ranked = ranked.where(sql.col("rank") <= count)  # which Spark applies before it sorts
    rows = ranked.orderBy("rank", "key", "id").limit(count).collect()
    if by_hash:
        rows += known.orderBy("key", "id").limit(by_hash).collect()
    found = {
        row["id"]: SampleRow(
            row["id"], bytes(row["digest"]), UNKNOWN if row["label"] is None else row["label"]
        )
        for row in rows
    }
    return [found[id] for id in sorted(found)]


def read_sample(
    data: Any, columns: Columns, sample: Sequence[SampleRow], loaded: LoadedModel, uri: str
) -> ImageFiles | ArrayRows:
    """The inputs of a sample, read again from the data.

    Args:
        data: the data frame, with the columns that a job names.
        columns: their names.
        sample: the rows.
        loaded: the model, whose input has the shape of rows of numbers.
        uri: where the data comes from, for display.

    Raises:
        InputsError: some are not there any more.
    """
    contents = _contents(data, columns, sample)
    missing = [row.id for row in sample if row.id not in contents]
    if missing:
        raise InputsError(
            f"{len(missing)} of {len(sample)} inputs of the sample are missing when the data is read again, "
            f"such as {missing[0]!r}; give data that stays the same while it is interpreted"
        )
    labels = np.array([row.label for row in sample], np.int64)
    given = labels if (labels != UNKNOWN).any() else None
    names = short_names([row.id for row in sample])
    if columns.kind == IMAGES:
        return ImageFiles(uri, [contents[row.id] for row in sample], names, labels=given)
    numbers = np.array([contents[row.id] for row in sample])
    return ArrayRows(uri, as_inputs(numbers, shape_of_numbers(loaded)), labels=given)


def _contents(data: Any, columns: Columns, sample: Sequence[SampleRow]) -> dict[str, Any]:
    """The inputs of the sample, by id; without ids, by the digest that takes their place."""
    if (files := _files_again(data, columns, sample)) is not None:
        return files
    rows = _rows_again(data, columns, [row.id for row in sample], [row.digest for row in sample]).collect()
    if columns.id is None:
        return {bytes_digest(bytes(row[0])).hex(): bytes(row[0]) for row in rows}
    return {str(row[1]): bytes(row[0]) if columns.kind == IMAGES else row[0] for row in rows}


def _files_again(data: Any, columns: Columns, sample: Sequence[SampleRow]) -> dict[str, bytes] | None:
    """The files of the sample by their paths, without reading all others; None if rows are no such files."""
    if not _are_files(columns):
        return None
    paths = [row.id for row in sample]
    if any(set(path) & PATTERNS for path in paths):
        return None
    digests = {row.id: row.digest for row in sample}
    try:
        rows = data.sparkSession.read.format("binaryFile").load(paths).select("path", "content").collect()
    # The column may have this name for any reason.
    except Exception:
        return None
    found = {row["path"]: bytes(row["content"]) for row in rows}
    is_same = found.keys() == digests.keys() and all(
        bytes_digest(content) == digests[path] for path, content in found.items()
    )
    return found if is_same else None


def small_images(data: Any, job: Job, names: Mapping[bytes, str], side: int) -> dict[bytes, np.ndarray]:
    """Small images of some inputs, made by workers, as whole files would fill the driver's memory.

    Args:
        data: the data frame, with the columns that the job names.
        job: how inputs are prepared.
        names: by the digest of an input, what identifies its row.
        side: the longer side of the images in pixels.

    Returns:
        (height, width, 3) uint8, by digest; without those of inputs that are not there any more.
    """
    columns = replace(job.columns, label=None)
    ids = list(names.values())
    rows = _rows_again(data, columns, ids, names)
    if _are_files(columns) and not any(set(id) & PATTERNS for id in ids):
        # The columns may have these names for any reason.
        with suppress(Exception):
            rows = data.sparkSession.read.format("binaryFile").load(ids).select(*columns.names)
    task = shrinking(job, columns, frozenset(names), side)
    found = rows.mapInArrow(task, "digest binary, height int, width int, pixels binary").collect()
    return {
        bytes(digest): np.frombuffer(pixels, np.uint8).reshape(height, width, 3)
        for digest, height, width, pixels in found
    }


def _rows_again(data: Any, columns: Columns, ids: Sequence[str], digests: Iterable[bytes]) -> Any:
    """The input and the id of the rows with some ids; without ids, the inputs with some digests."""
    from pyspark.sql import functions as sql

    if columns.id is None:
        inputs = data.select(columns.input)
        return inputs.mapInArrow(picking(columns.input, frozenset(digests)), inputs.schema)
    id = sql.col(columns.id).cast("string")
    return data.where(id.isin(list(ids))).select(columns.input, id.alias(columns.id))


def _are_files(columns: Columns) -> bool:
    return (columns.input, columns.id, columns.kind) == ("content", "path", IMAGES)


def short_names(ids: Sequence[str]) -> list[str]:
    """Ids without the folder that all of them share, for display."""
    folder = os.path.commonpath(ids) if len(ids) > 1 and all("/" in each for each in ids) else ""
    # What a URI has before its path counts as a folder too: file:/photos/a.jpg.
    return [each[len(folder) + 1 :] if folder and each.startswith(folder + "/") else each for each in ids]
