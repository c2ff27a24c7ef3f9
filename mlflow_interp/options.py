"""All options, read from the signatures of the functions that take them.

A call of `visualize` passes through several functions: they load the model and the inputs, create the method,
run it, draw, and open the run. Each declares its own keyword-only options. This module combines them into one
list for the Python API, the command line, the MLproject file and the docs, and passes the options of a call
to the functions that declare them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

from docstring_parser import parse

from mlflow_interp.core.accepted import check
from mlflow_interp.data.prepare import load_inputs
from mlflow_interp.engine.explain import limit
from mlflow_interp.engine.method import Explaining
from mlflow_interp.engine.quality_option import measured
from mlflow_interp.exceptions import OptionError, nearest, warn
from mlflow_interp.method_registry import (
    class_of,
    find_method,
    kind_of,
    method_names,
    own_method_names,
    resolve,
)
from mlflow_interp.models.load import load_model
from mlflow_interp.tracking.destination import open_run

T = TypeVar("T")

#: The stages of a call; "method" and "figure" depend on the method.
STAGES = ("method", "model", "inputs", "engine", "quality", "figure", "run")

_STAGE_NAMES = {
    "model": "loading the model",
    "inputs": "loading the inputs",
    "engine": "running",
    "quality": "measuring",
    "figure": "drawing",
    "run": "logging",
}


@dataclass(frozen=True)
class Option:
    """One keyword-only parameter of a function that a call passes through.

    Attributes:
        name: its name everywhere: Python, command line, MLproject, manifest, docs.
        stage: of the function that takes it: "method", "model", "inputs", "engine", "quality",
            "figure" or "run".
        annotation: its type.
        default: its value when not given.
        help: its paragraph in the docstring.
        forwarded: whether the function only forwards it to a library; None stands for the library's default.
    """

    name: str
    stage: str
    annotation: Any
    default: Any
    help: str
    forwarded: bool = False


def _stage_functions(method: str) -> dict[str, Callable[..., Any]]:
    functions: dict[str, Callable[..., Any]] = {
        "method": find_method(method),
        "model": load_model,
        "inputs": load_inputs,
        "figure": kind_of(method).draw,
        "run": open_run,
    }
    # How streaming methods run has no options.
    functions |= {"engine": limit} if issubclass(class_of(method), Explaining) else {}
    return functions | ({"quality": measured} if kind_of(method).has_heatmaps else {})


@cache
def options_of(method: str) -> Mapping[str, Option]:
    """Every option that a call of a method takes, by name.

    Raises:
        OptionError: there is no such method, it is broken, or two stages have an option of the same name.
    """
    functions = _stage_functions(method)
    options = dict[str, Option]()
    for stage in STAGES:
        for option in declared_options(functions.get(stage), stage):
            if option.name in options:
                raise OptionError(
                    f"method {method!r} can't be used: its option {option.name!r} is also an option of "
                    f"{_STAGE_NAMES[stage]}; rename it in the method"
                )
            options[option.name] = option
    return options


@cache
def listed_methods() -> list[str]:
    """The names of all methods that can be used; warns about each method of another package that can't."""
    return [method for method in method_names() if _has_usable_options(method)]


def _has_usable_options(method: str) -> bool:
    try:
        options_of(method)
    except OptionError as error:
        warn(str(error))
        return False
    return True


def declared_options(function: Callable[..., Any] | None, stage: str) -> Iterable[Option]:
    """The options that a function declares as keyword-only parameters and in its docstring."""
    if function is None:
        return
    helps = argument_help(function)
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            yield Option(
                parameter.name,
                stage,
                resolve(parameter.annotation, function),
                parameter.default,
                helps.get(parameter.name, ""),
            )
        elif parameter.kind is inspect.Parameter.VAR_KEYWORD and get_args(
            resolve(parameter.annotation, function)
        ):
            yield from _forwarded(resolve(parameter.annotation, function), stage)


def _forwarded(annotation: Any, stage: str) -> Iterable[Option]:
    """The options of `**options: Unpack[SomeTypedDict]` (PEP 692)."""
    (declared,) = get_args(annotation)
    helps = argument_help(declared)
    for name, kind in get_type_hints(declared).items():
        yield Option(name, stage, kind, None, helps[name], forwarded=True)


def argument_help(function: Callable[..., Any]) -> dict[str, str]:
    """The description of each argument in a docstring, each as one line."""
    parsed = parse(inspect.getdoc(function) or "").params
    return {param.arg_name: " ".join((param.description or "").split()) for param in parsed}


def summary(function: Callable[..., Any]) -> str:
    """The first sentence of a docstring."""
    return (parse(inspect.getdoc(function) or "").short_description or "").strip()


def takes(declared: type, *, but: Collection[str] = ()) -> Callable[[T], T]:
    """Let a function or class take the fields of a dataclass as options, as `**options`.

    They then appear in its signature and docstring, with the defaults and help of the dataclass; any other
    option is refused.

    Args:
        declared: the dataclass.
        but: fields to leave out.
    """
    helps = argument_help(declared)
    taken_fields = [field for field in fields(declared) if field.name not in but]

    def take(target: T) -> T:
        function: Any = target.__init__ if inspect.isclass(target) else target
        signature = _with_fields(inspect.signature(function), taken_fields)

        @functools.wraps(function)
        def checked(*args: Any, **options: Any) -> Any:
            for name in options:
                if name not in signature.parameters and not name.startswith("_"):
                    close = nearest(name, [each for each in signature.parameters if each != "self"], most=3)
                    raise OptionError(f"{documented.__name__} has no option {name!r}{close}")
            return function(*args, **options)

        checked.__signature__ = signature  # type: ignore[attr-defined]
        documented: Any = target if inspect.isclass(target) else checked
        documented.__doc__ = _with_arguments(
            inspect.getdoc(target) or "", {field.name: helps[field.name] for field in taken_fields}
        )
        if inspect.isclass(target):
            target.__init__ = checked  # type: ignore[method-assign]
            return target
        return checked  # type: ignore[return-value]

    return take


def _with_fields(signature: inspect.Signature, taken_fields: Iterable[Any]) -> inspect.Signature:
    """A signature with fields of a dataclass as keyword-only parameters in place of `**options`."""
    parameters = signature.parameters.values()
    kinds = inspect.Parameter
    options = [
        kinds(field.name, kinds.KEYWORD_ONLY, default=field.default, annotation=field.type)
        for field in taken_fields
        if field.name not in signature.parameters
    ]
    positional = [each for each in parameters if each.kind is kinds.POSITIONAL_OR_KEYWORD]
    keywords = [each for each in parameters if each.kind is kinds.KEYWORD_ONLY and each.name[0] != "_"]
    return signature.replace(parameters=[*positional, *options, *keywords])


def _with_arguments(doc: str, helps: Mapping[str, str]) -> str:
    """A docstring with further arguments, before its own."""
    lines = "\n".join(f"    {name}: {text}" for name, text in helps.items())
    before, arguments, after = doc.partition("Args:\n")
    if not arguments:
        before, _, after = doc.partition("Raises:\n")
        after = f"\nRaises:\n{after}"
    return f"{before}Args:\n{lines}\n{after}"


def route(method: str, options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Sort the options of a call by the stage that takes them.

    Raises:
        OptionError: no stage takes an option, or a value is not accepted.
    """
    known = options_of(method)
    by_stage = {stage: dict[str, Any]() for stage in STAGES}
    for name, value in options.items():
        if name not in known:
            raise _unknown(name, [method])
        check(name, known[name].annotation, value)
        by_stage[known[name].stage][name] = value
    return by_stage


def parameters_of(method: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of method, engine, figure and model with defaults filled in, for a manifest."""
    return {
        option.name: options.get(option.name, option.default)
        for option in options_of(method).values()
        if option.stage in ("method", "engine", "figure", "model")
        and not (option.forwarded and option.name not in options)
    }


def distribute(names: Iterable[str], options: Iterable[str]) -> dict[str, list[str]]:
    """The methods that take each option.

    Raises:
        OptionError: no method takes an option.
    """
    methods = list(names)
    takers_by_option = {
        option: [name for name in methods if option in options_of(name)] for option in options
    }
    for option, takers in takers_by_option.items():
        if not takers:
            raise _unknown(option, methods)
    return takers_by_option


def _unknown(option: str, methods: list[str]) -> OptionError:
    others = [name for name in listed_methods() if name not in methods and option in options_of(name)]
    known = sorted({each for name in methods for each in options_of(name)})
    tail = nearest(option, known, most=3)
    if others:
        tail = f"; it is an option of {', '.join(others)}"
    elif "nearest" not in tail:
        tail = f"; available: {', '.join(known)}"
    have = "has" if len(methods) == 1 else "have"
    return OptionError(f"{', '.join(methods)} {have} no option {option!r}{tail}")


def shared_options() -> Mapping[str, Option]:
    """The options that are the same for every method of this package."""
    first, *others = (options_of(name) for name in own_method_names())
    return {
        name: option for name, option in first.items() if all(each.get(name) == option for each in others)
    }
