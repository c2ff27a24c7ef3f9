"""The table of results: written once, continued after a failure, read back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic

from mlflow_interp.exceptions import OptionError
from mlflow_interp.spark.job import J, TableJob
from mlflow_interp.spark.rows import CALL, PART, ddl
from mlflow_interp.spark.session import one_line_errors

PATTERNS = frozenset("*?[]{}\\")  # in paths that Spark reads
_OWN_COLUMNS = {"id", "digest", "key", "error", PART}
_DELTA = "io.delta.sql.DeltaSparkSessionExtension"
# A finished task's file is in place at once, so that a job that is killed leaves what its tasks finished.
_COMMIT = {"mapreduce.fileoutputcommitter.algorithm.version": "2"}


def call_of(job: TableJob) -> str:
    """A text that identifies a job in the column `call`: equal jobs write equal rows."""
    return "c" + hashlib.blake2b(job.key.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Output(Generic[J]):
    """Where a job writes its rows.

    Attributes:
        spark: the session.
        where: a folder, or the name of a table in the session's catalog.
        job: the job.
    """

    spark: Any
    where: str
    job: J

    @property
    def is_path(self) -> bool:
        """Whether it is a folder: a name with a slash."""
        return "/" in self.where or self.where.startswith(".")

    @property
    def format(self) -> str:
        """Delta where the session has it, else Parquet; a table has the default format of its catalog."""
        extensions = self.spark.conf.get("spark.sql.extensions", "") or ""
        return "delta" if _DELTA in extensions else "parquet"

    @property
    def call(self) -> str:
        """See `call_of`."""
        return call_of(self.job)

    @property
    def _folder(self) -> str:
        """The folder of the call's rows."""
        return f"{self.where.rstrip('/')}/{CALL}={self.call}"

    def columns(self) -> list[str] | None:
        """The columns of what is there, whoever wrote it; None if there is nothing."""
        try:
            if not self.is_path and not self.spark.catalog.tableExists(self.where):
                return None
            if self.is_path and self.format == "parquet":
                # For a single missing folder, Spark logs a stack trace, as it looks for a stream's metadata.
                return list(self.spark.read.parquet(self.where, self.where).columns)
            return list(self._everything().columns)
        except Exception as error:
            if "PATH_NOT_FOUND" in str(error) or "Path does not exist" in str(error):  # Spark 4, Spark 3
                return None
            if "UNABLE_TO_INFER_SCHEMA" in str(error) or "Unable to infer schema" in str(error):
                return []
            raise

    def _everything(self) -> Any:
        if not self.is_path:
            return self.spark.table(self.where)
        return self.spark.read.format(self.format).load(self.where)

    def prepare(self, *, append: bool, overwrite: bool) -> bool:
        """Whether rows of this call are there already, so that only what is missing must be interpreted.

        Raises:
            OptionError: there is something else, and neither `append` nor `overwrite` says what to do.
        """
        if append and overwrite:
            raise OptionError("append and overwrite contradict each other; omit one of them")
        if set(self.where) & PATTERNS:
            raise OptionError(f"table {self.where!r} has characters that Spark reads as a pattern; rename it")
        with one_line_errors():
            columns = self.columns()
        if columns is None:
            return False
        if not set(columns) >= _OWN_COLUMNS and columns:
            raise OptionError(
                f"table {self.where!r} holds something else than results (columns {', '.join(columns[:5])}"
                "); give another folder or table"
            )
        if overwrite:
            return False
        if columns and self._has_call():
            return True
        if not append and columns:
            raise OptionError(
                f"table {self.where!r} has the results of another call; append to it, overwrite it, or give "
                "another folder or table"
            )
        return False

    def _has_call(self) -> bool:
        return bool(self._everything().where(f"{CALL} = '{self.call}'").limit(1).count())

    def rows(self) -> Any:
        """The rows of this call, with the column `part`."""
        if self.is_path and self.format == "parquet":
            return self.spark.read.schema(ddl(self.job.layout.schema())).parquet(self._folder)
        return self._everything().where(f"{CALL} = '{self.call}'")

    def write(self, rows: Any, *, overwrite: bool = False) -> None:
        """Add rows.

        Raises:
            InterpretationError: Spark, or an input.
        """
        with one_line_errors():
            if self.is_path and self.format == "parquet" and not overwrite:
                rows.write.options(**_COMMIT, compression="zstd").mode("append").parquet(self._folder)
                return
            writer = rows.selectExpr("*", f"'{self.call}' AS {CALL}").write
            writer = writer.mode("overwrite" if overwrite else "append")
            if self.is_path:
                writer.format(self.format).partitionBy(CALL).save(self.where)
            else:
                writer.saveAsTable(self.where)

    def write_points(self, rows: Any, method: str) -> str:
        """Write the points of rows beside the table, and return where: the same call replaces its own."""
        with one_line_errors():
            if self.is_path:
                where = f"{self.where.rstrip('/')}-{method}"
                folder = f"{where}/{CALL}={self.call}"
                rows.write.format(self.format).options(compression="zstd").mode("overwrite").save(folder)
                return where
            where = f"{self.where}_{method}_{self.call}"
            rows.write.mode("overwrite").saveAsTable(where)
            return where

    def points(self, method: str) -> Any:
        """The points of rows: columns id and points, one for each layer."""
        if not self.is_path:
            return self.spark.table(f"{self.where}_{method}_{self.call}")
        return self.spark.read.format(self.format).load(
            f"{self.where.rstrip('/')}-{method}/{CALL}={self.call}"
        )

    def facts(self) -> Mapping[str, Any]:
        """Where the rows are, for `table.json`."""
        return {"where": self.where, "format": self.format, CALL: self.call}
