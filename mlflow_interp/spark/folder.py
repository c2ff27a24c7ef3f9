"""A folder of images as a data frame, with the class folders as labels, and its interpretation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from mlflow_interp.call_options import Methods
from mlflow_interp.core.accepted import Range, checked
from mlflow_interp.data.folders import has_class_folders
from mlflow_interp.data.images import SUFFIXES
from mlflow_interp.exceptions import InputsError, OptionError, warn
from mlflow_interp.spark.interpreting import TableInterpretation, interpret
from mlflow_interp.spark.session import check_installed, find_session, one_line_errors

_LABEL = "label"


@checked
def interpret_folder(
    model: Any,
    folder: str | Path,
    methods: Methods = "all",
    *,
    table: str | None = None,
    sample: Annotated[int, Range(least=1)] = 200,
    sample_seed: Annotated[int, Range(least=0)] = 0,
    append: bool = False,
    overwrite: bool = False,
    max_errors: Annotated[float, Range(least=0, most=1)] = 0.1,
    spark_conf: str | Sequence[str] | None = None,
    quiet: bool = False,
    **options: Any,
) -> TableInterpretation:
    """Interpret all images of a folder on Spark.

    Args:
        model: A Keras model, or where to find one; see `load_model`.
        folder: The folder, on any file system that Spark reads. Class folders become labels.
        methods: See `mlflow_interp.interpret`.
        table: The folder to write a row for each input to, or the name of a table in Spark's catalog.
        sample: Number of inputs that figures and pages show and that costly methods explain.
        sample_seed: Seed of this sample.
        append: Add the rows to a table that holds those of other calls.
        overwrite: Replace such a table.
        max_errors: Share of inputs that can't be interpreted above which the run fails. The table is kept.
        spark_conf: Settings for Spark, separated by commas, such as spark.master=local[4].
        quiet: Hide progress and the location of the results.
        **options: Each option goes to every method and every stage that takes it.

    Raises:
        InterpretationError: an error that the user can fix; the message says how.
    """
    check_spark(table=table, spark_conf=spark_conf)
    spark = find_session(parse_conf(spark_conf))
    data, has_labels = read_folder(spark, folder)
    return interpret(
        data,
        model,
        methods,
        table=str(table),
        label=_LABEL if has_labels else None,
        id="path",
        sample=sample,
        sample_seed=sample_seed,
        append=append,
        overwrite=overwrite,
        max_errors=max_errors,
        source=str(folder),
        quiet=quiet,
        **options,
    )


def check_spark(*, table: str | None = None, spark_conf: str | Sequence[str] | None = None, **_: Any) -> None:
    """Check the options of Spark, before anything heavy is imported.

    Raises:
        OptionError: no table, a setting of another form, or no pyspark.
    """
    if table is None:
        raise OptionError("engine 'spark' writes a row for each input; name a folder or a table with table=")
    parse_conf(spark_conf)
    check_installed()


def read_folder(spark: Any, folder: str | Path) -> tuple[Any, bool]:
    """The images of a folder, with the columns path and content, and label if it has class folders.

    Args:
        spark: the session.
        folder: a path or URI that Spark reads.

    Returns:
        The data frame, and whether it has labels.

    Raises:
        InputsError: there are no images, or no such folder.
    """
    from pyspark.sql import functions as sql

    name = str(folder).rstrip("/")
    if "://" not in name and ":/" not in name and not Path(name).is_dir():
        raise InputsError(f"there is no folder {name!r}; give a folder of images that Spark can read")
    root = name if ":/" in name else str(Path(name).resolve())
    suffixes = ",".join(_any_case(suffix[1:]) for suffix in SUFFIXES)
    files = spark.read.format("binaryFile").options(
        recursiveFileLookup="true", pathGlobFilter=f"*.{{{suffixes}}}"
    )
    within = sql.substring_index(sql.col("path"), f"{root.partition(':')[2] or root}/", -1)
    with one_line_errors():
        data = files.load(root).withColumn("within", within).where(~sql.col("within").rlike(r"(^|/)\."))
        first = sql.when(sql.instr("within", "/") > 0, sql.substring_index("within", "/", 1))
        counts = data.groupBy(first.alias(_LABEL)).count().collect()
    by_folder = {row[_LABEL]: row["count"] for row in counts}
    beside = by_folder.pop(None, 0)
    if not by_folder and not beside:
        raise InputsError(f"no images in {name!r}; give files that end in {', '.join(SUFFIXES)}")
    if not has_class_folders(len(by_folder), sum(by_folder.values()), beside):
        if len(by_folder) > 1:
            warn(f"{name!r} has {beside} images next to {len(by_folder)} subfolders, so there are no labels")
        return data.select("path", "content"), False
    if beside:
        warn(f"{beside} images outside the class folders of {name!r} are left out")
    data = data.withColumn(_LABEL, first).where(sql.col(_LABEL).isNotNull())
    return data.select("path", "content", _LABEL), True


def _any_case(suffix: str) -> str:
    """A pattern for a suffix in capitals or not, as Spark's patterns tell them apart."""
    return "".join(f"[{letter}{letter.upper()}]" for letter in suffix)


def parse_conf(conf: str | Sequence[str] | None) -> dict[str, str]:
    """Settings for Spark as name=value.

    Raises:
        OptionError: one has another form.
    """
    given = conf.split(",") if isinstance(conf, str) else conf or ()
    pairs = [each.partition("=") for each in given if each.strip()]
    for name, equals, _ in pairs:
        if not equals or not name.strip().startswith("spark."):
            raise OptionError(f"spark_conf has {name!r}; give settings such as spark.executor.memory=4g")
    return {name.strip(): value.strip() for name, _, value in pairs}
