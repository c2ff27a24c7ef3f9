"""The help of options: docstrings in the words of the shell, and one text for what several methods share."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from mlflow_interp.core.accepted import range_of
from mlflow_interp.options import Option

_SENTENCE_END = re.compile(r"(?<=\.)\s+")
_ONLY_PYTHON = "In Python, "
_OWN = "each method's own"


def shell_help(option: Option, options: Collection[str]) -> str:
    """The help of an option in the words of the shell: sentences that begin with "In Python, " are left out.

    Args:
        option: the option.
        options: the names of the command's options.
    """
    kept = (each for each in _sentences(option.help) if not each.startswith(_ONLY_PYTHON))
    return with_flags(" ".join(kept), options)


def with_flags(text: str, options: Collection[str]) -> str:
    """A text from a docstring, where `path_steps` becomes --path-steps if it is one of the options."""
    return re.sub(r"`([^`]+)`", lambda match: flag(match[1]) if match[1] in options else match[1], text)


def flag(name: str) -> str:
    """An option as it is given in the shell."""
    return f"--{name.replace('_', '-')}"


def facts(option: Option, methods: Iterable[str] = ()) -> str:
    """What stands in brackets after the help: the methods that take the option, its default, its range.

    Args:
        option: the option.
        methods: the methods that take it; none if that need not be said.
    """
    names = list(methods)
    takers = f"{names[0]} only" if len(names) == 1 else ", ".join(names)
    parts = (takers, _default(option), range_of(option.annotation))
    stated = "; ".join(str(part) for part in parts if part)
    return f" [{stated}]" if stated else ""


def _default(option: Option) -> str | None:
    if option.default is None:
        return None
    if option.annotation is bool and isinstance(option.default, bool):
        return f"default: {flag(option.name if option.default else f'no_{option.name}')[2:]}"
    return f"default: {option.default}"


def combined(by_method: Mapping[str, Option]) -> Option:
    """One option for those of the same name of several methods, with the help that holds for all of them."""
    options = list(by_method.values())
    first, helps = options[0], {each.help for each in options}
    if all(each == first for each in options):
        return first
    shared = [each for each in _sentences(first.help) if all(each in _sentences(text) for text in helps)]
    texts = shared or [f"{method}: {option.help}" for method, option in by_method.items()]
    defaults = {str(each.default) for each in options}
    differ = len(defaults) > 1 or (first.default is None and len(helps) > 1)
    return replace(
        first,
        annotation=_either(each.annotation for each in options),
        default=_OWN if differ else first.default,
        help=" ".join(texts),
    )


def of_methods(
    by_method: Mapping[str, Mapping[str, Option]],
) -> tuple[dict[str, Option], dict[str, Collection[str]]]:
    """The options of a command that runs several methods.

    Returns:
        The options by name, and the methods that take an option where not all do.
    """
    names = dict.fromkeys(name for options in by_method.values() for name in options)
    options = {
        name: {method: options[name] for method, options in by_method.items() if name in options}
        for name in names
    }
    takers: dict[str, Collection[str]] = {
        name: found.keys() for name, found in options.items() if len(found) < len(by_method)
    }
    return {name: combined(found) for name, found in options.items()}, takers


def help_of(doc: str | None) -> dict[str, Any]:
    """The help of a command and its first line, from a docstring, as arguments of `click.Command`."""
    text = "\n".join(line.strip() for line in (doc or "").splitlines())
    return {"help": text, "short_help": text.partition("\n")[0]}


def _either(annotations: Iterable[Any]) -> Any:
    """An annotation that accepts what any of them does."""
    return functools.reduce(operator.or_, dict.fromkeys(annotations))


def _sentences(text: str) -> list[str]:
    return _SENTENCE_END.split(text)
