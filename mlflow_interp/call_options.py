"""The methods of a call and the options of each, from what a user names and gives."""

from __future__ import annotations

import reprlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.engine.method import Streaming
from mlflow_interp.exceptions import OptionError
from mlflow_interp.method_registry import class_of, find_method, registered_names
from mlflow_interp.options import distribute, listed_methods, options_of, route

#: Names of methods, separated by commas or in a list, or a mapping from each name to options of its own.
#: `all` among them stands for the methods of `methods_of_all`.
Methods = str | Iterable[str] | Mapping[str, Mapping[str, Any]]

ALL = "all"
METHODS_HELP = (
    "Names separated by commas. all stands for the methods that share one pass over the inputs; name those "
    "that take many passes beside it, as in all,saliency."
)

#: The stages whose options apply to a whole call, whichever method's mapping they are given in.
CALL_STAGES = ("model", "inputs", "run")


@dataclass(frozen=True)
class NamedMethods:
    """The methods that a user names.

    Attributes:
        given: the options given for each name, `all` among the names.
        options: the same for each method that the names stand for.
        only_by_all: the methods that are named by `all` alone.
    """

    given: Mapping[str, Mapping[str, Any]]
    options: Mapping[str, dict[str, Any]]
    only_by_all: frozenset[str]


@dataclass(frozen=True)
class CallPlan:
    """The methods of a call with their options, all of them checked.

    Attributes:
        options: the options that were given, by method, those of the whole call among them.
        by_stage: the same by method and stage.
        only_by_all: the methods that are named by `all` alone, and left out where they can't be used.
    """

    options: Mapping[str, dict[str, Any]]
    by_stage: Mapping[str, dict[str, dict[str, Any]]]
    only_by_all: frozenset[str]

    @property
    def shared(self) -> dict[str, dict[str, Any]]:
        """The options of the whole call, by stage: "model", "inputs" and "run"."""
        by_stage = next(iter(self.by_stage.values()))
        return {stage: by_stage[stage] for stage in CALL_STAGES}


def plan_call(methods: Methods, options: Mapping[str, Any]) -> CallPlan:
    """Which methods a call runs, and with which options.

    An option of loading or logging applies to the whole call. Any other option of a method's own mapping is
    for this method, and comes before the one that is given for all.

    Args:
        methods: the methods, as users name them.
        options: given for all of them; each goes to every method that takes it.

    Raises:
        OptionError: no such method, an option that no method takes, a value that is not accepted, or two
            values of an option of the whole call.
    """
    named = parse_methods(methods)
    takers = distribute(named.options, options)
    any_method = next(iter(named.options))  # as these options are the same for all
    names = {option.name for option in options_of(any_method).values() if option.stage in CALL_STAGES}
    shared = shared_values({"the call": options, **named.given}, names)
    by_method = {
        name: {key: value for key, value in options.items() if name in takers[key]} | own | shared
        for name, own in named.options.items()
    }
    by_stage = {name: route(name, given) for name, given in by_method.items()}
    return CallPlan(by_method, by_stage, named.only_by_all)


def parse_methods(methods: Methods) -> NamedMethods:
    """The methods that are named, and the options of its own of each.

    Raises:
        OptionError: no method is named, one does not exist, or none of `all` takes an option given for it.
    """
    given = _given(methods)
    if not given:
        raise OptionError(f"methods names none; name some of: {', '.join(registered_names())}, or all")
    options: dict[str, dict[str, Any]] = {}
    for name, own in given.items():
        if name == ALL:
            for method, its in _options_of_all(own).items():
                options[method] = its | options.get(method, {})
        else:
            find_method(name)
            options[name] = options.get(name, {}) | own
    return NamedMethods(given, options, frozenset(set(options) - set(given)))


def _given(methods: Methods) -> dict[str, dict[str, Any]]:
    if not isinstance(methods, Mapping):
        names = methods.split(",") if isinstance(methods, str) else methods
        return {name.strip(): {} for name in names if name.strip()}
    for name, options in methods.items():
        if not isinstance(options, Mapping):
            raise OptionError(f"methods has {options!r} for {name}; give a mapping of options, such as {{}}")
    return {name: dict(options) for name, options in methods.items()}


def methods_of_all() -> list[str]:
    """The methods that `all` stands for: those that take part in the one pass over the inputs.

    They cost at most two passes an input. Others take many, and are run where they are named.
    """
    return [name for name in listed_methods() if issubclass(class_of(name), Streaming)]


def _options_of_all(options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    methods = methods_of_all()
    takers = distribute(methods, options)
    return {name: {key: options[key] for key in options if name in takers[key]} for name in methods}


def shared_values(givers: Mapping[str, Mapping[str, Any]], names: Collection[str]) -> dict[str, Any]:
    """The values of options that can have only one.

    Args:
        givers: what was given, by who or what it was given for.
        names: of the options.

    Raises:
        OptionError: two givers give different values.
    """
    values: dict[str, Any] = {}
    first: dict[str, str] = {}
    for giver, options in givers.items():
        for name in options:
            if name not in names:
                continue
            if name not in values:
                values[name] = options[name]
                first[name] = giver
            elif not _are_same(values[name], options[name]):
                raise OptionError(
                    f"{name} is {_shown(values[name])} for {first[name]} and {_shown(options[name])} for "
                    f"{giver}; it applies to the whole call, so give one value"
                )
    return values


def _are_same(first: Any, second: Any) -> bool:
    if first is second:
        return True
    try:
        return bool(np.array_equal(first, second))
    # Whatever a user gives may refuse to be compared, or to become an array.
    except Exception:
        return False


def _shown(value: Any) -> str:
    """A value in a message, cut where it is long."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = 60
    return " ".join(short.repr(value).split())
