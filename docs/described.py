"""The reference, made from docstrings, signatures and `--help`; `docs.tables` puts it into its pages."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any

import click
import docstring_parser
from click.testing import CliRunner

import mlflow_interp
from mlflow_interp import exceptions
from mlflow_interp.cli import main
from mlflow_interp.kinds import confusion_matrix
from mlflow_interp.method_registry import own_method_names

_SECTION = re.compile(r"^[A-Z][a-z ]+:\n(?=    )", re.MULTILINE)


def python_reference() -> str:
    """Every public name, under a heading each."""
    public = {f"mlflow_interp.{name}": getattr(mlflow_interp, name) for name in mlflow_interp.__all__}
    public |= {
        f"mlflow_interp.kinds.confusion_matrix.{name}": getattr(confusion_matrix, name)
        for name in ("ConfusionMatrixResult", "Counter", "from_predictions")
    }
    public |= {f"mlflow_interp.exceptions.{each.__name__}": each for each in _own_exceptions()}
    return "\n".join(line for name, thing in public.items() for line in _described(name, thing))


def command_reference() -> str:
    """What `--help` says of every command."""
    return "\n".join(
        line for name in ["", *main.list_commands(click.Context(main))] for line in _helped(name)
    )


def _helped(command: str) -> Iterator[str]:
    asked = [command] if command else []
    said = CliRunner().invoke(main, [*asked, "--help"], prog_name="mlflow-interp", terminal_width=100)
    yield from (f"## {command or 'mlflow-interp'}", "", "```text", said.output.rstrip(), "```", "")


def _own_exceptions() -> list[type]:
    found = [each for _, each in inspect.getmembers(exceptions, inspect.isclass)]
    return [each for each in found if each.__module__ == exceptions.__name__]


def _described(name: str, thing: Any) -> Iterator[str]:
    yield from (f"## {name}", "")
    if inspect.isclass(thing) and issubclass(thing, Exception):
        yield from _paragraphs(thing)
        return
    yield from ("```py", _call(thing.__name__, _parameters(thing)), "```", "")
    method = name.rpartition(".visualize_")[2]
    if method in own_method_names():
        yield from _paragraphs(thing, "model", "inputs")
        yield from (
            f"The other options are explained on [the method's page](../methods/{method}.md#options).",
            "",
        )
        return
    yield from _paragraphs(thing)
    if inspect.isclass(thing):
        yield from _members(thing)


def _call(name: str, parameters: list[inspect.Parameter]) -> str:
    """The call, an argument a line where one line can't hold it."""
    arguments = [str(each.replace(annotation=each.empty)) for each in parameters]
    kinds = [each.kind for each in parameters]
    if inspect.Parameter.KEYWORD_ONLY in kinds:
        arguments.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "*")
    line = f"{name}({', '.join(arguments)})"
    if len(line) <= 88:
        return line
    return "\n".join([f"{name}(", *(f"    {each}," for each in arguments), ")"])


def _parameters(thing: Any) -> list[inspect.Parameter]:
    found = inspect.signature(thing).parameters.values()
    return [each for each in found if each.name != "self" and not each.name.startswith("_")]


def _paragraphs(thing: Any, *only: str) -> Iterator[str]:
    text = inspect.getdoc(thing) or ""
    parsed = docstring_parser.parse(text)
    # The parser would take the indentation of an example away.
    yield from (_SECTION.split(text)[0].rstrip(), "")
    described = [each for each in parsed.params if not only or each.arg_name in only]
    yield from _listed((f"`{each.arg_name}`", each.description) for each in described)
    if parsed.returns:
        yield from (f"Returns: {_line(parsed.returns.description)}", "")
    if parsed.raises:
        yield from ("Raises:", "")
        yield from _listed((f"`{each.type_name}`", each.description) for each in parsed.raises)


def _listed(entries: Iterable[tuple[str, str | None]]) -> Iterator[str]:
    lines = [f"- {name}: {_line(text)}" for name, text in entries]
    yield from [*lines, ""] if lines else []


def _members(thing: type) -> Iterator[str]:
    """What a class can do, a line each; what Keras or Python calls is left out."""
    members = {
        name: member
        for name, member in vars(thing).items()
        if not name.startswith(("_", "on_", "set_")) and (callable(member) or isinstance(member, property))
    }
    if members:
        yield from ("Attributes and methods:", "")
    for name, member in members.items():
        call = name if isinstance(member, property) else _call(name, _parameters(member))
        yield f"- `{call}`: {_first(member)}"
    yield ""


def _first(member: Any) -> str:
    return str(docstring_parser.parse(inspect.getdoc(member) or "").short_description)


def _line(text: str | None) -> str:
    return " ".join((text or "").split())
