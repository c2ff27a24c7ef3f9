"""The command line: one command per method, made from its function's signature."""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from mlflow_interp import __version__, progress
from mlflow_interp.backend.startup import import_quietly
from mlflow_interp.call_options import METHODS_HELP, plan_call
from mlflow_interp.cli_options import Command, json_option, one_line_errors, parameters, print_error
from mlflow_interp.cli_outcome import InterpretingCommand, Outcome
from mlflow_interp.exceptions import InterpretationWarning, OptionError, nearest
from mlflow_interp.gate import Condition, check_conditions, failures, parse_condition
from mlflow_interp.method_registry import find_method, registered_names
from mlflow_interp.options import Option, listed_methods, options_of, summary
from mlflow_interp.report.interpretation import Interpretation

# Read by TensorFlow's C++ side when it is loaded, which no command has done yet.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


class MethodGroup(click.Group):
    """The group of all commands; a method's command is made when it is used."""

    def main(self, *args: Any, **settings: Any) -> Any:
        """Run a command, with our warnings in one line each."""
        with _one_line_warnings() as shown:
            return super().main(*args, obj=shown, **settings)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Methods first, then the rest."""
        return [*listed_methods(), "interpret", *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a method, or one of the others."""
        name = cmd_name.replace("-", "_")
        if name in registered_names():
            return _method_command(name)
        return _interpret_command() if name == "interpret" else super().get_command(ctx, cmd_name)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Report an unknown option before the command in one line."""
        if not args:  # which Click answers with the help
            return super().parse_args(ctx, args)
        with one_line_errors(ctx):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Report an unknown command with the nearest ones."""
        with one_line_errors(ctx):
            try:
                command = self.get_command(ctx, args[0])
            except OptionError as error:  # the package that registers the method is broken
                ctx.fail(str(error))
            if not args[0].startswith("-") and command is None:
                ctx.fail(f"no command {args[0]!r}{nearest(args[0], self.list_commands(ctx), most=3)}")
            return super().resolve_command(ctx, args)


@contextlib.contextmanager
def _one_line_warnings() -> Iterator[list[str]]:
    """Print each of our warnings in one line; yields a list that they are added to."""
    show_other = warnings.showwarning
    shown: list[str] = []

    def show(message: Warning | str, category: type[Warning], *details: Any) -> None:
        if issubclass(category, InterpretationWarning):
            shown.append(str(message))
            click.echo(f"warning: {message}", err=True)
        else:
            show_other(message, category, *details)

    with warnings.catch_warnings():
        warnings.simplefilter("always", InterpretationWarning)
        warnings.showwarning = show  # type: ignore[assignment]
        yield shown


_SETTINGS = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": 100,
    "token_normalize_func": lambda name: name.replace("_", "-"),
}


@click.group(cls=MethodGroup, context_settings=_SETTINGS)
@click.version_option(__version__, prog_name="mlflow-interp")
def main() -> None:
    """See what a Keras model looks at, and keep it with the MLflow run.

    MODEL is models:/name/version, models:/name@alias, runs:/id/path, a model folder, a .keras or .h5
    file. INPUTS is a picture, a folder, a glob, .npy or .npz, an artifact URI, or keras:cifar10.
    """


@functools.cache
def _method_command(method: str) -> click.Command:
    function = find_method(method)

    def run(model: str, inputs: str, **options: Any) -> Outcome:
        return _interpret(model, inputs, {method: {}}, **options)

    text = (inspect.getdoc(function) or "").partition("\nArgs:")[0]
    return InterpretingCommand(
        method,
        callback=run,
        params=parameters(options_of(method)),
        help="\n".join(line.strip() for line in text.splitlines()),
        short_help=summary(function),
    )


@functools.cache
def _interpret_command() -> click.Command:
    """Run several methods on one model and the same inputs, into one run.

    An option goes to every method that takes it.
    """
    all_options: dict[str, Option] = {}
    for method in listed_methods():
        for name, option in options_of(method).items():
            if not option.forwarded:
                all_options.setdefault(name, option)  # of methods that share a name, the first one's help

    def run(model: str, inputs: str, methods: str, **options: Any) -> Outcome:
        return _interpret(model, inputs, methods, **options)

    methods = click.Option(["--methods"], default="all", show_default=True, help=METHODS_HELP)
    return InterpretingCommand(
        "interpret",
        callback=run,
        params=[*parameters(all_options), methods],
        help="\n".join(line.strip() for line in (_interpret_command.__doc__ or "").splitlines()),
    )


def _interpret(
    model: str,
    inputs: str,
    methods: Any,
    *,
    tracking_uri: str | None,
    as_json: bool,
    fail_if: Sequence[str],
    **options: Any,
) -> Outcome:
    """Check all that can be checked, then import TensorFlow, interpret, and decide the gate."""
    from mlflow_interp.api import interpret
    from mlflow_interp.preflight import find_here, find_in_mlflow

    given = {name: value for name, value in options.items() if value is not None}
    quiet = given.pop("quiet", False)
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        conditions = [parse_condition(text) for text in fail_if]
        call = plan_call(methods, given).options
        check_conditions(conditions, list(call), registered_names())
        _check_destination(given, printed=as_json or bool(conditions))
        if "MLFLOW_RUN_ID" in os.environ:  # a run that must be ended whatever is wrong
            _use_tracking_uri(tracking_uri)
        if ":" in str(given.get("preprocess")) and os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())  # a console script doesn't look there for module:function
        with progress.shown(not quiet):
            found = find_here(model, inputs, call)
            _use_tracking_uri(tracking_uri)
            found = find_in_mlflow(*found, call)
            progress.say("Loading TensorFlow…")
        import_quietly()
        # Pillow logs errors of damaged images, about each of which there is a clearer warning.
        logging.getLogger("PIL").setLevel(logging.CRITICAL)
        interpretations = interpret(*found, methods, quiet=quiet, **given)
        return _decide(conditions, interpretations)


def _check_destination(given: Mapping[str, Any], *, printed: bool) -> None:
    """Refuse --no-log where it contradicts another option, or where nothing would remain of the results."""
    if given.get("log", True):
        return
    for name in ("run_id", "experiment"):
        if name in given:
            option = f"--{name.replace('_', '-')}"
            raise OptionError(f"--no-log and {option} contradict each other; leave one of them out")
    if "save" not in given and not printed:
        raise OptionError(
            "--no-log without --save would leave nothing of the results; give a folder with --save, or leave "
            "--no-log out"
        )


def _decide(conditions: Sequence[Condition], interpretations: Mapping[str, Interpretation]) -> Outcome:
    """The outcome of a call whose methods have all run, with the verdict of its gate."""
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


def _use_tracking_uri(uri: str | None) -> None:
    if uri is None:
        return
    from mlflow_interp.tracking.destination import use_tracking_uri

    try:
        use_tracking_uri(uri)
    except Exception as error:
        raise OptionError(f"tracking URI {uri!r} can't be used: {error}") from error


@main.command("methods", cls=Command, params=[json_option("a list of objects")])
def methods_command(as_json: bool) -> None:
    """List the methods."""
    summaries = {name: summary(find_method(name)) for name in listed_methods()}
    if as_json:
        click.echo(json.dumps([{"name": name, "summary": text} for name, text in summaries.items()]))
        return
    for name, text in summaries.items():
        click.echo(f"{name:18} {text}")


@main.command("resume", cls=Command)
@click.argument("folder", required=False)
@click.option("--tracking-uri", help="The tracking server or store, where it is no longer the one it was.")
def resume_command(folder: str | None, tracking_uri: str | None) -> None:
    """Log what could not be logged: what a server that was gone or a killed process has left.

    FOLDER is the one that the error or the warning named. Without it, lists those on this machine.
    """
    from mlflow_interp.tracking.resume import resume
    from mlflow_interp.tracking.spool import left_behind

    if folder is None:
        for spool_folder in left_behind():
            click.echo(str(spool_folder))
        return
    click.echo(f"run: {resume(folder, tracking_uri=tracking_uri)}")


@main.command("layers", cls=Command, params=[json_option("a list of objects")])
@click.argument("model")
@click.option("--trust-model-code", is_flag=True, help="Allow code that the model carries to run.")
@click.option("--imports", help="Modules to import before, which register the model's own layers.")
@click.option("--output", help="Which output of a model with several to look at.")
@click.option("--tracking-uri", help="The tracking server or store to find the model in.")
def layers_command(model: str, tracking_uri: str | None, as_json: bool, **options: Any) -> None:
    """List a model's layers: index, path, type, output shape, and the methods that can use each."""
    from mlflow_interp.engine.layer_table import describe_layers
    from mlflow_interp.models.artifact_store import is_uri
    from mlflow_interp.models.custom_objects import check_imports
    from mlflow_interp.models.load import find_model

    check_imports(options["imports"])
    if is_uri(model):
        _use_tracking_uri(tracking_uri)
    with progress.shown(True):
        found = find_model(model, trust_model_code=options["trust_model_code"])
        progress.say("Loading TensorFlow…")
        import_quietly()
        rows = describe_layers(found, **options)
    click.echo(_json_of(rows) if as_json else _table(rows))


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    cells = ((cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join("  ".join(row).rstrip() for row in cells)


def _json_of(rows: Sequence[Sequence[str]]) -> str:
    """The rows of the table of layers as objects; shapes and methods as lists."""
    header, *layers = rows
    objects: list[dict[str, Any]] = [dict(zip(header, row, strict=True)) for row in layers]
    for each in objects:
        shape, methods = each.pop("output shape"), each.pop("methods")
        each["output_shape"] = list(ast.literal_eval(shape)) if shape else None
        each["methods"] = methods.split(", ") if methods else []
    return json.dumps(objects, ensure_ascii=False)
