"""Fills what README and docs say of methods, options, functions and commands from the code."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import yaml

from docs import mlproject
from docs.described import command_reference, python_reference
from docs.method_pages import DOCS, method_pages
from mlflow_interp.call_options import methods_help
from mlflow_interp.options import options_of, shared_options

#: Every page that may hold such a block.
PAGES = [DOCS.parent / "README.md", *sorted(DOCS.rglob("*.md"))]
_BLOCK = re.compile(
    r"<!-- (?P<kind>methods|options|parameters|reference): (?P<name>\w+) -->\n.*?<!-- end -->", re.DOTALL
)


#: A page shown on a page: what is marked in it is for the reader to fill.
_QUOTED = re.compile(r"(^````.*?^````$)", re.DOTALL | re.MULTILINE)


def filled(page: Path) -> str:
    """The text of a page with every marked block made from the code."""
    parts = _QUOTED.split(page.read_text(encoding="utf-8"))
    return "".join(
        part if part.startswith("````") else _BLOCK.sub(partial(_block, page), part) for part in parts
    )


def _block(page: Path, match: re.Match[str]) -> str:
    kind, name = match["kind"], match["name"]
    content = _methods(name, page) if kind == "methods" else _KINDS[kind](name)
    return f"<!-- {kind}: {name} -->\n{content}<!-- end -->"


def _methods(form: str, page: Path) -> str:
    """All methods, as a table or as a list of commands."""
    pages = [(each, each.linked_from(page.parent)) for each in method_pages()]
    if form == "commands":
        # Between blank lines, as Markdown would take a list that follows a comment for part of it.
        return (
            "\n"
            + "".join(f"- `{each.method}`: {row['method']}, {row['shows']}.\n" for each, row in pages)
            + "\n"
        )
    columns = list(pages[0][1])
    lines = [f"| {' | '.join(columns)} |", f"| {' | '.join('---' for _ in columns)} |"]
    lines += [f"| {' | '.join(row.values())} |" for _, row in pages]
    return "\n".join(lines) + "\n"


def _reference(name: str) -> str:
    return python_reference() if name == "python" else command_reference()


def _options(method: str) -> str:
    lines = ["| option | default | what it does |", "| --- | --- | --- |"]
    lines += [
        f"| `{each.name}` | `{each.default}` | {_cell(each.help)} |" for each in options_of(method).values()
    ]
    return "\n".join(lines) + "\n"


def _parameters(entry: str) -> str:
    """The parameters of an entry point: those of MLproject, then the options that every method has."""
    known = {name: each for name, each in shared_options().items() if each.stage != "run"}
    declared = yaml.safe_load(mlproject.render())["entry_points"][entry]["parameters"]
    lines = ["| parameter | default | what it does |", "| --- | --- | --- |"]
    for name, each in declared.items():
        default = f"`{each['default']}`" if "default" in each else ""
        lines.append(f"| `{name}` | {default} | {_OWN[name]} |")
    lines += [f"| `{name}` | `{each.default}` | {_cell(each.help)} |" for name, each in known.items()]
    lines.append(f"| `fail_if` |  | {_OWN['fail_if']} |")
    return "\n".join(lines) + "\n"


_OWN = {
    "model": "The model; see [loading](loading.md).",
    "inputs": "The inputs; see [loading](loading.md).",
    "methods": methods_help(),
    "fail_if": "Fail if a metric meets this condition, such as `accuracy < 0.9`.",
    "relative_to": "The folder that relative paths start from; MLflow makes `.` the folder you call from.",
}


_KINDS = {"options": _options, "parameters": _parameters, "reference": _reference}


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
