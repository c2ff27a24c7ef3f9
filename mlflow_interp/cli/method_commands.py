"""A command for each method, made from its function's signature, and one for several methods."""

from __future__ import annotations

import functools
import inspect
from dataclasses import replace
from typing import Any

import click

from mlflow_interp.call_options import methods_help
from mlflow_interp.cli.help import flag, help_of, of_methods, with_flags
from mlflow_interp.cli.interpreting import interpret_from_shell
from mlflow_interp.cli.options import NamedChoice, parameters
from mlflow_interp.cli.outcome import InterpretingCommand, Outcome
from mlflow_interp.exceptions import OptionError
from mlflow_interp.method_registry import find_method
from mlflow_interp.options import Option, declared_options, listed_methods, options_of, summary

_ENGINE = (
    "Where to run: local, in this process, or spark, for folders of any size, on the active Spark session or "
    "a new one. [default: local]"
)
_ARGUMENTS = "What MODEL and INPUTS can be: mlflow-interp --help"


@functools.cache
def method_command(method: str) -> click.Command:
    """The command of a method.

    Raises:
        OptionError: the package that registers it is broken.
    """
    function = find_method(method)

    def run(model: str, inputs: str, tracking_uri: str | None = None, **options: Any) -> Outcome:
        return interpret_from_shell(model, inputs, {method: {}}, tracking_uri=tracking_uri, **options)

    options = options_of(method)
    text = with_flags((inspect.getdoc(function) or "").partition("\nArgs:")[0], options)
    return InterpretingCommand(
        method,
        callback=run,
        params=parameters(options),
        help="\n".join(line.strip() for line in text.splitlines()),
        short_help=summary(function),
        epilog=_ARGUMENTS,
    )


@functools.cache
def interpret_command() -> click.Command:
    """Run several methods on the same model and inputs.

    All results are logged to one run. Each option goes to every method that takes it; where only some methods
    take an option, they are named in brackets. See the help of a method for the defaults that are each
    method's own, and the help of umap for the options of umap-learn, which are accepted here too.
    """
    options, takers = of_methods({method: options_of(method) for method in listed_methods()})
    on_spark = _options_of_spark()

    def run(
        model: str,
        inputs: str,
        methods: str,
        engine: str = "local",
        tracking_uri: str | None = None,
        **options: Any,
    ) -> Outcome:
        given = {name: options.pop(name) for name in on_spark if name in options}
        if given and engine != "spark":
            raise OptionError(
                f"{flag(next(iter(given)))} is an option of Spark; add --engine spark, or omit it"
            )
        spark = given if engine == "spark" else None
        return interpret_from_shell(
            model, inputs, methods, tracking_uri=tracking_uri, on_spark=spark, **options
        )

    engine = click.Option(["--engine"], type=NamedChoice(["local", "spark"]), default="local", help=_ENGINE)
    methods = click.Option(["--methods"], default="all", show_default=True, help=methods_help())
    return InterpretingCommand(
        "interpret",
        callback=run,
        params=[methods, engine, *parameters(options | on_spark, takers)],
        epilog=_ARGUMENTS,
        **help_of(interpret_command.__doc__),
    )


def _options_of_spark() -> dict[str, Option]:
    """The options of `interpret` that apply to Spark only."""
    from mlflow_interp.spark.folder import interpret_folder

    options = {
        each.name: each for each in declared_options(interpret_folder, "spark") if each.name != "quiet"
    }
    return {
        name: replace(each, help=f"Spark: {each.help[0].lower()}{each.help[1:]}")
        for name, each in options.items()
    }
