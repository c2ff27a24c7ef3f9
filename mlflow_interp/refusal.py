"""How the command line says no: one line, whatever it is that went wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import IO, Any

import click

from mlflow_interp.exceptions import without_password


class Misspelt(click.UsageError):
    """A usage error that is told in one line, as every other error is."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it without the lines on usage that Click puts before."""
        say(self, file)


def say(error: Exception | str, file: IO[Any] | None = None) -> None:
    """Print an error as the one line that a user sees."""
    click.echo(f"mlflow-interp: {' '.join(str(error).split())}", file=file, err=True)


def of_the_machine(error: OSError | MemoryError) -> str:
    """What to say where the disk, the memory or the rights of the user end."""
    if isinstance(error, MemoryError):
        return f"memory is out: {error}; set --batch-size or --max-inputs lower"
    return f"{without_password(str(error))}; check the path, who may write there, and how much room is left"


@contextlib.contextmanager
def in_one_line(ctx: click.Context) -> Iterator[None]:
    """Turn Click's errors on how a command is written into ones of one line."""
    try:
        yield
    except click.UsageError as error:
        message = error.format_message().rstrip(".")
        raise Misspelt(f"{message}; see `{ctx.command_path} --help`", ctx) from error
