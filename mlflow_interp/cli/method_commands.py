"""A command for each method, made from its function's signature, and one for several methods."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import click

from mlflow_interp.call_options import METHODS_HELP
from mlflow_interp.cli.interpreting import interpret_from_shell
from mlflow_interp.cli.options import parameters
from mlflow_interp.cli.outcome import InterpretingCommand, Outcome
from mlflow_interp.method_registry import find_method
from mlflow_interp.options import Option, listed_methods, options_of, summary


@functools.cache
def method_command(method: str) -> click.Command:
    """The command of a method.

    Raises:
        OptionError: the package that registers it is broken.
    """
    function = find_method(method)

    def run(model: str, inputs: str, **options: Any) -> Outcome:
        return interpret_from_shell(model, inputs, {method: {}}, **options)

    text = (inspect.getdoc(function) or "").partition("\nArgs:")[0]
    return InterpretingCommand(
        method,
        callback=run,
        params=parameters(options_of(method)),
        help="\n".join(line.strip() for line in text.splitlines()),
        short_help=summary(function),
    )


@functools.cache
def interpret_command() -> click.Command:
    """Run several methods on the same model and inputs, in one run.

    Each option goes to every method that takes it.
    """
    all_options: dict[str, Option] = {}
    for method in listed_methods():
        for name, option in options_of(method).items():
            if not option.forwarded:
                all_options.setdefault(name, option)  # where methods share a name: the help of the first

    def run(model: str, inputs: str, methods: str, **options: Any) -> Outcome:
        return interpret_from_shell(model, inputs, methods, **options)

    methods = click.Option(["--methods"], default="all", show_default=True, help=METHODS_HELP)
    return InterpretingCommand(
        "interpret",
        callback=run,
        params=[*parameters(all_options), methods],
        help="\n".join(line.strip() for line in (interpret_command.__doc__ or "").splitlines()),
    )
