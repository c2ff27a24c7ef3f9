"""Fills what the docs say of options, functions and commands from the code: `make docs-tables`."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from docs.described import command_reference, python_reference
from mlflow_interp.options import options_of, shared_options

DOCS = Path(__file__).parent
_BLOCK = re.compile(
    r"<!-- (?P<kind>options|parameters|reference): (?P<name>\w+) -->\n.*?<!-- end -->", re.DOTALL
)


#: A page shown on a page: what is marked in it is for the reader to fill.
_QUOTED = re.compile(r"(^````.*?^````$)", re.DOTALL | re.MULTILINE)


def filled(text: str) -> str:
    """A page with every marked table made anew."""
    parts = _QUOTED.split(text)
    return "".join(part if part.startswith("````") else _BLOCK.sub(_block, part) for part in parts)


def _block(match: re.Match[str]) -> str:
    kind, name = match["kind"], match["name"]
    return f"<!-- {kind}: {name} -->\n{_KINDS[kind](name)}<!-- end -->"


def _reference(name: str) -> str:
    return python_reference() if name == "python" else command_reference()


def _options(method: str) -> str:
    lines = ["| option | default | what it does |", "| --- | --- | --- |"]
    lines += [
        f"| `{each.name}` | `{each.default}` | {_cell(each.help)} |" for each in options_of(method).values()
    ]
    return "\n".join(lines) + "\n"


def _parameters(entry: str) -> str:
    project = yaml.safe_load((DOCS.parent / "MLproject").read_text(encoding="utf-8"))
    known = shared_options()
    lines = ["| parameter | default | what it does |", "| --- | --- | --- |"]
    for name in project["entry_points"][entry]["parameters"]:
        default = (
            f"`{known[name].default}`"
            if name in known
            else {"methods": "`all`", "relative_to": "`.`"}.get(name, "")
        )
        lines.append(f"| `{name}` | {default} | {_cell(known[name].help) if name in known else _OWN[name]} |")
    return "\n".join(lines) + "\n"


_OWN = {
    "model": "The model; see [loading](loading.md).",
    "inputs": "The inputs; see [loading](loading.md).",
    "methods": "Names separated by commas, or all.",
    "relative_to": "The folder that relative paths start from; MLflow makes `.` the folder you call from.",
}


_KINDS = {"options": _options, "parameters": _parameters, "reference": _reference}


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Fill the tables of every page in place."""
    for page in sorted(DOCS.rglob("*.md")):
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
