"""What can be set, read off the signatures of the functions that use it, and stated nowhere else.

A call of `visualize` passes through five functions: one loads the model, one the inputs, one is the
method, one draws, one opens the run. Each declares its own keyword-only options; here they become one
list for the Python API, the command line, the MLproject file and the docs, and here they find their way
back to the function that declared them.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real
from typing import Any, get_args, get_type_hints

from docstring_parser import parse

from mlflow_interp.exceptions import OptionError, nearest
from mlflow_interp.loading.inputs import load_inputs
from mlflow_interp.loading.models import load_model
from mlflow_interp.registry import find_method, method_names
from mlflow_interp.runs import open_run

LARGEST = 2**31 - 1  # of whole numbers
LARGEST_FLOAT = 3.4e38

#: The rooms a call passes through, in order; "method" and "figure" depend on the method.
ROOMS = ("method", "model", "inputs", "figure", "run")


@dataclass(frozen=True)
class Option:
    """One keyword-only parameter of a function that a call passes through.

    Attributes:
        name: its name everywhere: Python, command line, MLproject, manifest, docs.
        room: which function takes it: "method", "model", "inputs", "figure" or "run".
        annotation: its type.
        default: what it is when not given.
        help: its paragraph in the docstring.
        passed_on: whether the function only hands it to a library, whose own default None stands for.
    """

    name: str
    room: str
    annotation: Any
    default: Any
    help: str
    passed_on: bool = False


def figure_module(method: str) -> Any:
    """The module that draws a method's results: `HeatmapResult` is drawn by `figures.heatmap`."""
    returned = str(find_method(method).__annotations__["return"])
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", returned.removesuffix("Result")).lower()
    return importlib.import_module(f"mlflow_interp.figures.{name}")


def _functions(method: str) -> dict[str, Callable[..., Any]]:
    return {
        "method": find_method(method),
        "model": load_model,
        "inputs": load_inputs,
        "figure": figure_module(method).draw,
        "run": open_run,
    }


@cache
def options_of(method: str) -> Mapping[str, Option]:
    """Every option that a call of a method takes, by name."""
    rooms = _functions(method)
    return {option.name: option for room in ROOMS for option in _declared(rooms[room], room)}


def _declared(function: Callable[..., Any], room: str) -> Iterable[Option]:
    helps = argument_help(function)
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            yield Option(
                parameter.name,
                room,
                _evaluated(parameter.annotation, function),
                parameter.default,
                helps.get(parameter.name, ""),
            )
        elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
            yield from _passed_on(_evaluated(parameter.annotation, function), room)


def _passed_on(annotation: Any, room: str) -> Iterable[Option]:
    """The options of `**options: Unpack[SomeTypedDict]` (PEP 692)."""
    (declared,) = get_args(annotation)
    helps = argument_help(declared)
    for name, kind in get_type_hints(declared).items():
        yield Option(name, room, kind, None, helps[name], passed_on=True)


def _evaluated(annotation: Any, function: Callable[..., Any]) -> Any:
    """An annotation that `from __future__ import annotations` left as text.

    `typing.get_type_hints` would evaluate all of them, also those only there for type checkers.
    """
    names = inspect.unwrap(function).__globals__
    return eval(annotation, names) if isinstance(annotation, str) else annotation  # noqa: S307 - our own text


def argument_help(function: Callable[..., Any]) -> dict[str, str]:
    """What a docstring says about each argument, as one line each."""
    parsed = parse(inspect.getdoc(function) or "").params
    return {param.arg_name: " ".join((param.description or "").split()) for param in parsed}


def summary(function: Callable[..., Any]) -> str:
    """The first sentence of a docstring."""
    return (parse(inspect.getdoc(function) or "").short_description or "").strip()


def route(method: str, given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Sort the options of a call by the room that takes them.

    Raises:
        OptionError: nothing on the way takes an option, or a number is none that can be computed with.
    """
    known, sorted_out = options_of(method), {room: dict[str, Any]() for room in ROOMS}
    for name, value in given.items():
        if name not in known:
            raise _unknown(name, [method])
        check_number(known[name], value)
        sorted_out[known[name].room][name] = value
    return sorted_out


def check_number(option: Option, value: Any) -> None:
    """Refuse what no option that takes a number can mean; what its range is, each function says itself.

    TensorFlow and umap-learn compute in 32 bits: a larger number would overflow there, in silence.

    Raises:
        OptionError: the value is infinite, NaN, or too large, or no number where one is needed.
    """
    kinds = set(get_args(option.annotation) or (option.annotation,))
    if not kinds & {int, float} or (value is None and type(None) in kinds):
        return
    if isinstance(value, Real):
        number = int(value) if isinstance(value, Integral) else float(value)
        needs, largest = ("", LARGEST) if isinstance(number, int) else ("finite ", LARGEST_FLOAT)
        if not abs(number) <= largest:
            raise OptionError(f"{option.name} is {value}; give a {needs}number of at most {largest:,}")
    if kinds <= {int, float, type(None)}:
        _check_kind(option, kinds, value)


def _check_kind(option: Option, kinds: set[Any], value: Any) -> None:
    """Refuse what is no number, or no whole one where parts of one make no sense."""
    wanted, what = (Real, "number") if float in kinds else (Integral, "whole number")
    if not isinstance(value, wanted):
        raise OptionError(f"{option.name} is {value!r}; give a {what}")


def effective(method: str, given: Mapping[str, Any], rooms: Iterable[str]) -> dict[str, Any]:
    """The options of some rooms with defaults filled in, for a manifest."""
    return {
        option.name: given.get(option.name, option.default)
        for option in options_of(method).values()
        if option.room in rooms and not (option.passed_on and option.name not in given)
    }


def distribute(names: Iterable[str], options: Iterable[str]) -> dict[str, list[str]]:
    """Which of several methods takes which option: those that declare it; else those that pass it on.

    So `learning_rate` is caricature's where both run, though umap-learn has one too.

    Raises:
        OptionError: none takes an option.
    """
    methods, taken = list(names), dict[str, list[str]]()
    for option in options:
        takers = [name for name in methods if option in options_of(name)]
        own = [name for name in takers if not options_of(name)[option].passed_on]
        taken[option] = own or takers
        if not takers:
            raise _unknown(option, methods)
    return taken


def _unknown(option: str, methods: list[str]) -> OptionError:
    known = sorted({each for name in methods for each in options_of(name)})
    close = nearest(option, known, most=3)
    return OptionError(f"{', '.join(methods)} has no option {option!r}{close}; there are: {', '.join(known)}")


def shared_options() -> Mapping[str, Option]:
    """The options that mean the same to every method."""
    first, *others = (options_of(name) for name in method_names())
    return {
        name: option for name, option in first.items() if all(each.get(name) == option for each in others)
    }
