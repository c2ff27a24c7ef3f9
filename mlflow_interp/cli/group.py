"""The group of all commands, which are made when they are used; errors and warnings take one line."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import click

from mlflow_interp.cli.compare_command import compare_command
from mlflow_interp.cli.method_commands import interpret_command, method_command
from mlflow_interp.cli.options import one_line_errors
from mlflow_interp.cli.wrapping import Context
from mlflow_interp.exceptions import InterpretationWarning, OptionError, nearest
from mlflow_interp.method_registry import registered_names
from mlflow_interp.options import listed_methods


class MethodGroup(click.Group):
    """The group of all commands; a method's command is made when it is used."""

    context_class = Context

    def main(self, *args: Any, **settings: Any) -> Any:
        """Run a command; each of our warnings takes one line."""
        with _one_line_warnings() as shown:
            return super().main(*args, obj=shown, **settings)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Methods first, then the rest."""
        return [*listed_methods(), "interpret", "compare", *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a method, or one of the others."""
        name = cmd_name.replace("-", "_")
        if name in registered_names():
            return method_command(name)
        made = {"interpret": interpret_command, "compare": compare_command}
        return made[name]() if name in made else super().get_command(ctx, cmd_name)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Report an unknown option before the command, in one line."""
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
