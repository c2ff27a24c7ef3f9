"""The Spark session: found or started, and files shipped to its workers; Spark's errors in one line."""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib.util
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlflow_interp import exceptions
from mlflow_interp.exceptions import InputsError, InterpretationError, OptionError, first_line

_OWN_ERROR = re.compile(r"mlflow_interp\.exceptions\.(\w+): (.+)")
_MISSING_MODULE = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")
_CAUSE = re.compile(r"Caused by: [\w.$]+: (.+)")
_CONDITION = re.compile(r"^\[[A-Z_.]+\] ")


def find_session(conf: Mapping[str, str] | None = None) -> Any:
    """The active Spark session, else a new one.

    Args:
        conf: settings for Spark.

    Raises:
        OptionError: pyspark is not installed, there is no Java, or Spark rejects a setting.
    """
    check_installed()
    from pyspark.sql import SparkSession

    active = SparkSession.getActiveSession()
    if active is None:
        _check_java(conf or {})
        # The workers' Python must have the packages of this one; a cluster has settings of its own.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder
    for name, value in (conf or {}).items():
        builder = builder.config(name, value)
    with one_line_errors():
        return builder.getOrCreate()


def check_installed() -> None:
    """Check that pyspark can be imported, without importing it.

    Raises:
        OptionError: it is not installed.
    """
    if importlib.util.find_spec("pyspark") is None:
        raise OptionError(
            "engine 'spark' needs pyspark, which is not installed; install it with "
            "pip install 'mlflow-interp[spark]'"
        )


def _check_java(conf: Mapping[str, str]) -> None:
    """Check that there is a Java to start Spark with; a remote Spark needs none here.

    Raises:
        OptionError: there is none.
    """
    is_remote = "SPARK_REMOTE" in os.environ or "spark.remote" in conf
    if not (is_remote or "JAVA_HOME" in os.environ or shutil.which("java")):
        raise OptionError(
            "Spark needs Java 17 or later, and there is none; install a JRE such as default-jre-headless, or "
            "set JAVA_HOME"
        )


@functools.cache
def shipped_files() -> Path:
    """The folder of files to ship: workers that Spark starts later ask for them too, so it lives as long."""
    folder = Path(tempfile.mkdtemp(prefix="mlflow-interp-spark-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def ship(spark: Any, path: Path) -> None:
    """Make a file in `shipped_files` available to all workers, where `shipped` finds it by its name."""
    with one_line_errors():
        is_connect = ".connect." in type(spark).__module__
        if is_connect or int(spark.version.partition(".")[0]) >= 4:
            spark.addArtifacts(str(path), file=True)
        else:
            spark.sparkContext.addFile(str(path))


def shipped(name: str) -> Path:
    """Where a shipped file is on this worker."""
    from pyspark import SparkFiles

    return Path(SparkFiles.get(name))


def use_own_gpu() -> None:
    """Show TensorFlow only the GPUs that Spark gave to this task; called before TensorFlow is imported."""
    from pyspark import TaskContext

    context = TaskContext.get()
    resources = {} if context is None else context.resources()
    if "gpu" in resources and "tensorflow" not in sys.modules:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(resources["gpu"].addresses)


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Convert Spark's errors to ours, of one line: those that a worker raised keep their class.

    Raises:
        InterpretationError: any error of Spark.
    """
    try:
        yield
    except InterpretationError:
        raise
    except Exception as error:
        if not type(error).__module__.startswith(("pyspark.", "py4j.", "grpc")):
            raise
        raise in_one_line(error) from error


def in_one_line(error: BaseException) -> InterpretationError:
    """The reason of an error of Spark."""
    text = str(error)
    if own := _OWN_ERROR.search(text):
        kind = getattr(exceptions, own[1], InterpretationError)
        is_ours = isinstance(kind, type) and issubclass(kind, InterpretationError)
        return (kind if is_ours else InterpretationError)(own[2].strip())
    if missing := _MISSING_MODULE.search(text):
        package = missing[1].partition(".")[0]
        return OptionError(
            f"the workers' Python has no package {package!r}; install mlflow-interp[spark] on every worker, "
            "or set PYSPARK_PYTHON to a Python that has it"
        )
    reasons = [line.strip() for line in text.splitlines() if line.strip()]
    python = [line for line in reasons if re.match(r"[\w.]+(Error|Exception): ", line)]
    causes = _CAUSE.findall(text)
    reason = first_line(error)
    if python and "Traceback" in text:
        reason = python[-1]
    elif causes:
        reason = causes[-1]
    return InputsError(f"Spark could not finish: {_CONDITION.sub('', reason)[:300]}")
