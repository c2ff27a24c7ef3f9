"""Command options, made from signatures, in all spellings that users try; errors take one line."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import IO, Any, Literal, get_args, get_origin

import click

from mlflow_interp.cli.help import facts, flag, shell_help
from mlflow_interp.cli.wrapping import Context
from mlflow_interp.core.accepted import check, types_of
from mlflow_interp.exceptions import InterpretationError, OptionError, without_password
from mlflow_interp.options import Option
from mlflow_interp.tracking.destination import note_failure

_NUMBERS: Mapping[Any, click.ParamType[Any, Any]] = {int: click.INT, float: click.FLOAT}
_YES = ("true", "1", "yes", "on")
_NO = ("false", "0", "no", "off")
_QUIET = Option("quiet", "run", bool, False, "Hide progress and the location of the results.")
#: What follows are names and values, as `mlflow run` appends parameters that MLproject does not declare.
MLFLOW_PARAMETERS = "--mlflow-parameters"
_TERMINATED = 143  # as shells report it: 128 + SIGTERM


class Command(click.Command):
    """A command whose errors are one line, and whose options may be spelled as `mlflow run` does."""

    context_class = Context

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let flags take `=true` and `=false`, and any option be empty for its default."""
        flags = {name for param in self.params if getattr(param, "is_flag", False) for name in param.opts}
        try:
            with one_line_errors(ctx):
                return super().parse_args(ctx, list(_normalized(args, flags)))
        except OneLineUsageError as error:
            if not ctx.resilient_parsing:
                note_failure(OptionError(str(error)))
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """Exit with 2 and one line on an error that a user can fix, with 130 on Ctrl-C, 143 on SIGTERM."""
        # The run of a process that gets SIGTERM must end as KILLED, not stay RUNNING for ever.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
        try:
            return super().invoke(ctx)
        # Besides our own errors: a full disk, a folder without write permission, not enough memory.
        except (InterpretationError, OSError, MemoryError) as error:
            note_failure(error)
            reason = one_line(error if isinstance(error, InterpretationError) else os_error_message(error))
            print_error(reason)
            self.ended(ctx, 2, reason, error)
            sys.exit(2)
        except KeyboardInterrupt as error:
            print_error("interrupted")
            self.ended(ctx, 130, "interrupted", error)
            sys.exit(130)
        except SystemExit as error:
            if error.code == _TERMINATED:
                self.ended(ctx, _TERMINATED, "terminated", error)
            raise

    def ended(self, ctx: click.Context, code: int, reason: str, error: BaseException) -> None:
        """Called before an error ends the process; does nothing here."""


def _normalized(args: Sequence[str], flags: set[str]) -> Iterator[str]:
    for arg in _joined(args):
        name, equals, value = arg.partition("=")
        name = name.replace("_", "-")
        if not (equals and name.startswith("--")):
            yield arg
        elif name not in flags:
            # `mlflow run` passes an option that was not given as an empty string.
            yield from [f"{name}={value}"] if value else []
        elif value.lower() in _YES:
            yield name
        elif value.lower() in _NO:
            yield name.replace("--", "--no-", 1)
        elif value:
            raise click.BadParameter(f"{name} is {value!r}; give true or false")


def _joined(args: Sequence[str]) -> Iterator[str]:
    """Arguments with `--name value` as `--name=value` after `MLFLOW_PARAMETERS`."""
    marker = args.index(MLFLOW_PARAMETERS) if MLFLOW_PARAMETERS in args else len(args)
    yield from args[:marker]
    pairs = args[marker + 1 :]
    yield from (f"{name}={value}" for name, value in zip(pairs[::2], pairs[1::2], strict=False))
    yield from pairs[len(pairs) // 2 * 2 :]


def is_on(flag: str, args: Sequence[str]) -> bool:
    """Whether a flag is set in arguments that could not be parsed."""
    return any(arg == flag or arg.lower() in [f"{flag}={yes}" for yes in _YES] for arg in args)


def _parameter(option: Option, names: Collection[str], methods: Collection[str]) -> click.Option:
    """The command line's form of an option.

    Args:
        option: the option.
        names: the names of all options of the command.
        methods: the methods that take it, if not all methods of the command do.
    """
    name = flag(option.name)
    common: dict[str, Any] = {
        "default": None,
        "help": shell_help(option, names) + facts(option, methods),
        "hidden": option.forwarded and bool(methods),
    }
    if option.annotation is bool:
        return click.Option([f"{name}/--no-{name[2:]}", option.name], **common)
    type_ = _click_type(option.annotation)
    return click.Option([name, option.name], type=type_, callback=_checked(option), **common)


def _checked(option: Option) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Check a value while arguments are parsed, before any slow import."""

    def callback(ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
        if value is not None and not ctx.resilient_parsing:
            try:
                check(option.name, option.annotation, value)
            except OptionError as error:
                raise click.UsageError(str(error), ctx) from error
        return value

    return callback


def _click_type(annotation: Any) -> click.ParamType[Any, Any]:
    """The type in a union that Click can check; text for all others."""
    types = set(types_of(annotation))
    choices = [choice for each in types if get_origin(each) is Literal for choice in get_args(each)]
    if choices and not types - {type(None)} - {each for each in types if get_origin(each) is Literal}:
        return NamedChoice(choices)
    if bool in types and str not in types:
        return _YesNoOrNone()
    number = next((kind for each, kind in _NUMBERS.items() if each in types and str not in types), None)
    if number is None:
        return click.STRING
    return _NumberOrNone(number) if type(None) in types else number


class NamedChoice(click.Choice[str]):
    """A choice that is shown with its own spelling; any spelling of dashes and underscores is accepted."""

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """All choices."""
        return f"[{'|'.join(self.choices)}]"

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Names all choices."""
        return f"{value!r} is not one of {', '.join(map(repr, self.choices))}"


class _YesNoOrNone(click.ParamType[Any, Any]):
    """True or false, or "none" for Python's None."""

    name = "true|false"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """True or false; None for "none"."""
        text = str(value).lower()
        if text in (*_YES, *_NO):
            return text in _YES
        return None if text == "none" else self.fail(f"{value!r} is not true or false", param, ctx)


class _NumberOrNone(click.ParamType[Any, Any]):
    """A number, or "none" for Python's None."""

    def __init__(self, number: click.ParamType[Any, Any]) -> None:
        self.name = number.name
        self._number = number

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; None for "none"."""
        return None if str(value).lower() == "none" else self._number.convert(value, param, ctx)


def _change_folder(_ctx: click.Context, _param: click.Parameter, folder: str | None) -> None:
    if folder is not None:
        os.chdir(folder)


def parameters(
    options: Mapping[str, Option], takers: Mapping[str, Collection[str]] | None = None
) -> list[click.Parameter]:
    """The parameters of a command that interprets: model, inputs, its options, the tracking URI.

    Args:
        options: its options by name.
        takers: the methods that take an option, for the options that not all methods of the command take.
    """
    tracking_uri = click.Option(
        ["--tracking-uri"], help="Tracking server or store. By default, the one in MLFLOW_TRACKING_URI."
    )
    fail_if = click.Option(
        ["--fail-if"],
        multiple=True,
        metavar="CONDITION",
        help="Exit with 1 if a metric meets a condition, such as 'accuracy < 0.9'; repeatable.",
    )
    # `mlflow run` changes to the project's folder, but the user's paths are relative to another.
    relative_to = click.Option(
        ["--relative-to"],
        type=click.Path(exists=True, file_okay=False),
        hidden=True,
        expose_value=False,
        callback=_change_folder,
    )
    return [
        click.Argument(["model"]),
        click.Argument(["inputs"]),
        *(
            _parameter(option, options.keys(), (takers or {}).get(option.name, ()))
            for option in (*options.values(), _QUIET)
        ),
        json_option("one JSON object"),
        fail_if,
        tracking_uri,
        relative_to,
    ]


def json_option(what: str) -> click.Option:
    """The option --json of a command."""
    return click.Option(
        ["--json/--no-json", "as_json"],
        default=False,
        help=f"Print {what} on standard output, for scripts. [default: no-json]",
    )


class OneLineUsageError(click.UsageError):
    """A usage error that is printed in one line, as every other error is."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it without the usage lines that Click prepends."""
        print_error(self, file)


def print_error(error: Exception | str, file: IO[Any] | None = None) -> None:
    """Print an error as the one line that a user sees."""
    click.echo(f"mlflow-interp: {one_line(error)}", file=file, err=True)


def one_line(message: Exception | str) -> str:
    """A message in one line."""
    return " ".join(str(message).split())


def os_error_message(error: OSError | MemoryError) -> str:
    """The message for a full disk, missing permissions or not enough memory."""
    if isinstance(error, MemoryError):
        return f"not enough memory: {error}; use a smaller --batch-size or --max-inputs"
    return f"{without_password(str(error))}; check the path, its permissions and the free disk space"


@contextlib.contextmanager
def one_line_errors(ctx: click.Context) -> Iterator[None]:
    """Turn Click's usage errors into errors of one line."""
    try:
        yield
    except click.UsageError as error:
        message = error.format_message().rstrip(".")
        raise OneLineUsageError(f"{message}; see `{ctx.command_path} --help`", ctx) from error
