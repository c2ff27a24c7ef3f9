"""The command that compares two versions, and decides by a gate."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from mlflow_interp import progress
from mlflow_interp.backend.startup import check_backend, import_quietly
from mlflow_interp.call_options import ALL, plan_call
from mlflow_interp.cli.help import help_of, of_methods
from mlflow_interp.cli.interpreting import check_destination, use_uri
from mlflow_interp.cli.options import parameters, print_error
from mlflow_interp.cli.outcome import InterpretingCommand, Outcome
from mlflow_interp.core.result import HasDifference
from mlflow_interp.exceptions import MissingModelError, OptionError
from mlflow_interp.method_registry import result_class_of
from mlflow_interp.options import declared_options, listed_methods, options_of

_SUMMARY_FILE = "GITHUB_STEP_SUMMARY"  # to which GitHub Actions appends what a job's page shows


@functools.cache
def compare_command() -> click.Command:
    """Compare two model versions on the same inputs, and decide by a gate.

    OLD is the version in use, NEW the one that may replace it. Both get the same INPUTS, each prepared in its
    own way, and their heatmaps are of the same class. Exits with 0 if the gate passes, 1 if it fails, and 2
    if the versions can't be compared. With --runs, OLD and NEW are runs that hold interpretations; no model
    is run.
    """
    from mlflow_interp.comparing.models import compare

    by_method = {
        method: options_of(method)
        for method in listed_methods()
        if method == "quality" or issubclass(result_class_of(method), HasDifference)
    }
    own = {each.name: each for each in declared_options(compare, "compare") if each.name != "quiet"}
    references = own.pop("reference")
    shared, takers = of_methods(by_method)
    del shared["quality"]  # which is compared as a method
    shared |= {name: replace(shared[name], help=text) for name, text in _HELPS.items()}
    made = parameters(own | shared, takers)
    # The first two are the model and the inputs.
    arguments = [
        click.Argument(["old"]),
        click.Argument(["new"]),
        click.Argument(["inputs"], required=False),
        click.Option(["--methods"], help=_METHODS_HELP),
        click.Option(["--reference"], multiple=True, metavar="MODEL", help=f"{references.help} Repeatable."),
        click.Option(["--runs/--no-runs"], default=False, help=_RUNS_HELP),
    ]
    return InterpretingCommand(
        "compare",
        callback=_run,
        params=[*arguments, *(each for each in made[2:] if each.name != "fail_if")],
        **help_of(compare_command.__doc__),
    )


#: What holds for a comparison of options that methods have too.
_HELPS = {
    "target": "The class to explain, for both versions: an index, a class name, or one of these for each "
    "input, separated by commas. By default, the label, or without labels the class that OLD predicts.",
    "log": "Log to MLflow. --no-log needs --save or --json.",
}
_METHODS_HELP = (
    "Methods whose results are compared, separated by commas. "
    "[default: gradcam; with --runs, all that both have]"
)
_RUNS_HELP = "Compare interpretations that are already logged to two runs. [default: no-runs]"


def _run(
    old: str,
    new: str,
    inputs: str | None = None,
    *,
    methods: str | None = None,
    reference: Sequence[str] = (),
    runs: bool = False,
    tracking_uri: str | None = None,
    as_json: bool = False,
    **options: Any,
) -> Outcome:
    """Check everything that can be checked, then import TensorFlow, and compare."""
    from mlflow_interp.comparing.models import compare
    from mlflow_interp.comparing.runs import compare_runs

    quiet = options.pop("quiet", False)
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        check_destination(options, printed=as_json)
        if runs:
            if inputs is not None:
                raise OptionError(f"--runs takes two runs and no inputs; omit {inputs!r}")
            if reference:
                raise OptionError("--reference has no meaning with --runs; omit it")
            use_uri(tracking_uri)
            found = compare_runs(old, new, methods or ALL, quiet=quiet, **options)
            return _outcome(found)
        methods = methods or "gradcam"
        if inputs is None:
            raise OptionError("INPUTS is missing; give the inputs that both versions are compared on")
        if "MLFLOW_RUN_ID" in os.environ:  # that run must be ended, whatever fails
            use_uri(tracking_uri)
        with progress.shown(not quiet):
            named = _find(
                old, [new, *reference], inputs, methods=methods, options=options, tracking_uri=tracking_uri
            )
            progress.say("Loading TensorFlow…")
        import_quietly()
        old_model, new_model, *others, found_inputs = named
        found = compare(old_model, new_model, found_inputs, methods, reference=others, quiet=quiet, **options)
        return _outcome(found)


def _find(
    old: str,
    news: Sequence[str],
    inputs: str,
    *,
    methods: str,
    options: Mapping[str, Any],
    tracking_uri: str | None,
) -> list[Any]:
    """The models and the inputs, after all checks that need no TensorFlow.

    An old version that does not exist stays a name, so that `compare` decides what it means.
    """
    from mlflow_interp.cli.preflight import find_here, find_in_mlflow
    from mlflow_interp.comparing.models import check_methods, options_of_compare
    from mlflow_interp.models.load import find_model

    own = options_of_compare()
    plan = plan_call(methods, {name: each for name, each in options.items() if name not in own})
    check_methods(plan)
    call = plan.options
    check_backend()
    new, found_inputs = find_here(news[0], inputs, call)
    use_uri(tracking_uri)
    new, found_inputs = find_in_mlflow(new, found_inputs, call)
    trust = bool(options.get("trust_model_code"))
    found_old: Any = old
    try:
        found_old = find_model(old, trust_model_code=trust)
    except MissingModelError:
        if options.get("if_old_missing") != "pass":
            raise
    others = [find_model(each, trust_model_code=trust) for each in news[1:]]
    return [found_old, new, *others, found_inputs]


def _outcome(found: Any) -> Outcome:
    """The exit code, the failed rules, and the summary for the page of a job."""
    made = found.interpretation
    interpretations = {} if made is None else {made.method: made}
    rules = found.report.get("rules", ())
    for each in rules:
        click.echo(f"{each['status']:9} {each['rule']}: {each['reason']}", err=True)
    if made is not None and "summary.md" in made._files and (path := os.environ.get(_SUMMARY_FILE)):
        with Path(path).open("ab") as file:
            file.write(made._files["summary.md"])
    if found.passed:
        return Outcome(0, None, interpretations, found.run_id)
    failed = [each["rule"] for each in rules if each["status"] == "failed"]
    undecided = [each["rule"] for each in rules if each["status"] == "undecided"]
    reason = f"the gate failed: {', '.join(failed or undecided)}"
    print_error(reason)
    return Outcome(1, reason, interpretations, found.run_id)
