"""The sample of a table that figures and pages show: the same rows however the table is partitioned."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.digests import bytes_digest
from mlflow_interp.data.folders import ImageFiles
from mlflow_interp.data.sources import ArrayRows
from mlflow_interp.exceptions import InputsError
from mlflow_interp.models.origin import LoadedModel
from mlflow_interp.spark.blocks import as_inputs, shape_of_numbers
from mlflow_interp.spark.job import IMAGES, Columns
from mlflow_interp.spark.output import PATTERNS
from mlflow_interp.spark.tasks import picking


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
    """The inputs of a sample, read again from the data; see `read_again` and `as_source`."""
    return as_source(read_again(data, columns, sample), columns, sample, loaded, uri)


def read_again(data: Any, columns: Columns, rows: Sequence[SampleRow]) -> Mapping[str, Any]:
    """The inputs of rows, by id, read again from the data.

    Args:
        data: the data frame, with the columns that a job names.
        columns: their names.
        rows: the rows.

    Raises:
        InputsError: some are not there any more.
    """
    contents = _contents(data, columns, rows) if rows else {}
    missing = [row.id for row in rows if row.id not in contents]
    if missing:
        raise InputsError(
            f"{len(missing)} of {len(rows)} inputs to show are missing when the data is read again, "
            f"such as {missing[0]!r}; give data that stays the same while it is interpreted"
        )
    return contents


def as_source(
    contents: Mapping[str, Any], columns: Columns, sample: Sequence[SampleRow], loaded: LoadedModel, uri: str
) -> ImageFiles | ArrayRows:
    """Rows whose inputs were read again, to be prepared for a model.

    Args:
        contents: the inputs, by id.
        columns: the columns that they came from.
        sample: the rows.
        loaded: the model, whose input has the shape of rows of numbers.
        uri: where the data comes from, for display.
    """
    labels = np.array([row.label for row in sample], np.int64)
    given = labels if (labels != UNKNOWN).any() else None
    names = short_names([row.id for row in sample])
    if columns.kind == IMAGES:
        return ImageFiles(uri, [contents[row.id] for row in sample], names, labels=given)
    numbers = np.array([contents[row.id] for row in sample])
    return ArrayRows(uri, as_inputs(numbers, shape_of_numbers(loaded)), labels=given)


def _contents(data: Any, columns: Columns, sample: Sequence[SampleRow]) -> dict[str, Any]:
    """The inputs of the sample, by id; without ids, by the digest that takes their place."""
    from pyspark.sql import functions as sql

    if columns.id is None:
        digests = frozenset(row.digest for row in sample)
        found = data.select(columns.input).mapInArrow(
            picking(columns.input, digests), data.select(columns.input).schema
        )
        contents = (bytes(row[0]) for row in found.collect())
        return {bytes_digest(each).hex(): each for each in contents}
    if (files := _files_again(data, columns, sample)) is not None:
        return files
    ids = [row.id for row in sample]
    wanted = data.where(sql.col(columns.id).cast("string").isin(ids))
    rows = wanted.select(sql.col(columns.id).cast("string"), columns.input).collect()
    return {row[0]: bytes(row[1]) if columns.kind == IMAGES else row[1] for row in rows}


def _files_again(data: Any, columns: Columns, sample: Sequence[SampleRow]) -> dict[str, bytes] | None:
    """The files of the sample by their paths, without reading all others; None if rows are no such files."""
    if (columns.input, columns.id) != ("content", "path") or columns.kind != IMAGES:
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


def short_names(ids: Sequence[str]) -> list[str]:
    """Ids without the folder that all of them share, for display."""
    folder = os.path.commonpath(ids) if len(ids) > 1 and all("/" in each for each in ids) else ""
    # What a URI has before its path counts as a folder too: file:/photos/a.jpg.
    return [each[len(folder) + 1 :] if folder and each.startswith(folder + "/") else each for each in ids]
