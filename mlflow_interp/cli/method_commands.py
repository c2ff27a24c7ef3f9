"""A command for each method, made from its function's signature, and one for several methods."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import click

from mlflow_interp.call_options import methods_help
from mlflow_interp.cli.help import combined, with_flags
from mlflow_interp.cli.interpreting import interpret_from_shell
from mlflow_interp.cli.options import parameters
from mlflow_interp.cli.outcome import InterpretingCommand, Outcome
from mlflow_interp.method_registry import find_method
from mlflow_interp.options import listed_methods, options_of, summary

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
    by_method = {method: options_of(method) for method in listed_methods()}
    names = dict.fromkeys(name for options in by_method.values() for name in options)
    options = {
        name: {method: options[name] for method, options in by_method.items() if name in options}
        for name in names
    }
    takers = {name: found.keys() for name, found in options.items() if len(found) < len(by_method)}

    def run(
        model: str, inputs: str, methods: str, tracking_uri: str | None = None, **options: Any
    ) -> Outcome:
        return interpret_from_shell(model, inputs, methods, tracking_uri=tracking_uri, **options)

    methods = click.Option(["--methods"], default="all", show_default=True, help=methods_help())
    doc = interpret_command.__doc__ or ""
    return InterpretingCommand(
        "interpret",
        callback=run,
        params=[methods, *parameters({name: combined(found) for name, found in options.items()}, takers)],
        help="\n".join(line.strip() for line in doc.splitlines()),
        short_help=doc.partition("\n")[0],
        epilog=_ARGUMENTS,
    )
