"""Check and run one call from the command line, and evaluate its gate."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from mlflow_interp import progress
from mlflow_interp.backend.startup import check_backend, import_quietly
from mlflow_interp.call_options import plan_call
from mlflow_interp.cli.gate import Condition, check_conditions, failures, parse_condition
from mlflow_interp.cli.options import print_error
from mlflow_interp.cli.outcome import Outcome
from mlflow_interp.exceptions import OptionError
from mlflow_interp.method_registry import registered_names
from mlflow_interp.report.interpretation import Interpretation


def interpret_from_shell(
    model: str,
    inputs: str,
    methods: Any,
    *,
    tracking_uri: str | None,
    as_json: bool,
    fail_if: Sequence[str],
    on_spark: Mapping[str, Any] | None = None,
    **options: Any,
) -> Outcome:
    """Check everything that can be checked, then import TensorFlow, interpret, and evaluate the gate.

    `on_spark` are the options of `interpret_folder`, to interpret on Spark.
    """
    from mlflow_interp.api import interpret
    from mlflow_interp.cli.preflight import find_here, find_in_mlflow
    from mlflow_interp.spark.folder import check_spark, interpret_folder

    given = dict(options)
    quiet = given.pop("quiet", False)
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        conditions = [parse_condition(text) for text in fail_if]
        call = plan_call(methods, given).options
        check_conditions(conditions, list(call), registered_names())
        check_backend()
        if on_spark is not None:
            check_spark(**on_spark)
            # Nothing here passes pandas objects to Spark.
            warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        check_destination(given, printed=as_json or bool(conditions))
        if "MLFLOW_RUN_ID" in os.environ:  # that run must be ended, whatever fails
            use_uri(tracking_uri)
        if ":" in str(given.get("preprocess")) and os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())  # a console script doesn't look there for module:function
        with progress.shown(not quiet):
            # Spark finds the inputs, which may be where this process can't read.
            found = find_here(model, inputs if on_spark is None else None, call)
            use_uri(tracking_uri)
            found = find_in_mlflow(*found, call)
            progress.say("Loading TensorFlow…")
        import_quietly()
        # Pillow logs errors for damaged images; our own warning about each is clearer.
        logging.getLogger("PIL").setLevel(logging.CRITICAL)
        if on_spark is None:
            interpretations: Mapping[str, Interpretation] = interpret(*found, methods, quiet=quiet, **given)
        else:
            made = interpret_folder(found[0], inputs, methods, quiet=quiet, **on_spark, **given)
            interpretations = made.interpretations
        return _decide(conditions, interpretations)


def check_destination(given: Mapping[str, Any], *, printed: bool) -> None:
    """Refuse --no-log if it contradicts another option, or if the results would be lost."""
    if given.get("log", True):
        return
    for name in ("run_id", "experiment"):
        if name in given:
            option = f"--{name.replace('_', '-')}"
            raise OptionError(f"--no-log and {option} contradict each other; omit one of them")
    if "save" not in given and not printed:
        raise OptionError(
            "--no-log without --save would discard the results; give a folder with --save, or omit --no-log"
        )


def _decide(conditions: Sequence[Condition], interpretations: Mapping[str, Interpretation]) -> Outcome:
    """The outcome of a call after all its methods have run, with the verdict of its gate."""
    run_id = next((each.run_id for each in interpretations.values()), None)
    if not conditions:
        return Outcome(0, None, interpretations, run_id)
    try:
        failed = failures(conditions, {name: each.metrics for name, each in interpretations.items()})
    except OptionError as error:
        _tag(run_id, f"failed: {error}")
        error.interpretations, error.run_id = interpretations, run_id
        raise
    _tag(run_id, f"failed: {'; '.join(failed)}" if failed else "passed")
    for line in failed:
        print_error(line)
    return Outcome(int(bool(failed)), "; ".join(failed) or None, interpretations, run_id)


def _tag(run_id: str | None, verdict: str) -> None:
    if run_id is not None:
        from mlflow_interp.tracking.tags import tag_gate

        tag_gate(run_id, verdict)


def use_uri(uri: str | None) -> None:
    """Use a tracking server or store from now on; None changes nothing.

    Raises:
        OptionError: MLflow does not support the URI.
    """
    if uri is None:
        return
    from mlflow_interp.tracking.destination import use_tracking_uri

    try:
        use_tracking_uri(uri)
    except Exception as error:
        raise OptionError(f"tracking URI {uri!r} can't be used: {error}") from error
