"""Find which methods a call runs, and the options of each."""

from __future__ import annotations

import reprlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlflow_interp.engine.method import Optimizing, Streaming
from mlflow_interp.engine.quality_option import measured
from mlflow_interp.engine.requirements import needs_training
from mlflow_interp.exceptions import InapplicableError, OptionError, warn
from mlflow_interp.method_registry import class_of, find_method, method_module, registered_names
from mlflow_interp.options import distribute, listed_methods, options_of, route

#: Names of methods, separated by commas or in a list, or a mapping from each name to its own options.
#: The name `all` stands for the methods of `methods_of_all`.
Methods = str | Iterable[str] | Mapping[str, Mapping[str, Any]]

ALL = "all"
QUALITY = "quality"  # the method that the option of this name adds
#: The stages whose options apply to a whole call, whichever method's mapping they are given in.
CALL_STAGES = ("model", "inputs", "run")


@dataclass(frozen=True)
class NamedMethods:
    """The methods that a user names.

    Attributes:
        given: the options given for each name, including `all`.
        options: the options given for each selected method.
        only_by_all: the methods that are selected only by `all`.
    """

    given: Mapping[str, Mapping[str, Any]]
    options: Mapping[str, dict[str, Any]]
    only_by_all: frozenset[str]


@dataclass(frozen=True)
class CallPlan:
    """The methods of a call with their options, all of them checked.

    Attributes:
        options: the options that were given, by method, including those of the whole call.
        by_stage: the same by method and stage.
        only_by_all: the methods that are selected only by `all`, and left out if they can't be used.
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
    """Find which methods a call runs, and with which options.

    Options of loading and logging apply to the whole call. Any other option in a method's own mapping
    applies to this method only, and takes precedence over the value given for all methods.

    Args:
        methods: the methods, as users name them.
        options: the options given for all methods; each goes to every method that takes it.

    Raises:
        InapplicableError: a method that can be used only during training.
        OptionError: no such method, an option that no method takes, a value that is not accepted, or two
            different values of an option that applies to the whole call.
    """
    named = parse_methods(methods)
    _check_no_training(named.options)
    plan = _planned(named, options)
    measured_methods = {
        name: each
        for method, by_stage in plan.by_stage.items()
        for name, each in measured(method, by_stage["method"], **by_stage["quality"]).items()
    }
    if not measured_methods:
        return plan
    of_quality = _options_of_quality(measured_methods) | named.options.get(QUALITY, {})
    return _planned(replace(named, options={**named.options, QUALITY: of_quality}), options)


def _check_no_training(methods: Iterable[str]) -> None:
    """Refuse methods that need the epochs of a training.

    Raises:
        InapplicableError: there is one.
    """
    for name in filter(needs_training, methods):
        raise InapplicableError(
            f"{name} follows inputs over the epochs of a training, so it can't be used on a trained model; "
            f'name it before training, as in mlflow_interp.autolog(methods=["{name}"])'
        )


def _options_of_quality(measured_methods: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The options of quality that measure methods with their options.

    Raises:
        OptionError: they explain different classes.
    """
    of = {
        name: {key: value for key, value in options.items() if key != "target"}
        for name, options in measured_methods.items()
    }
    # A method such as EigenCAM, which explains no class, can be measured with any.
    given = {
        name: {"target": options.get("target")}
        for name, options in measured_methods.items()
        if "target" in options_of(name)
    }
    target = shared_values(given, ["target"])
    return {"of": of} | {key: value for key, value in target.items() if value is not None}


def _planned(named: NamedMethods, options: Mapping[str, Any]) -> CallPlan:
    """The plan for methods, and for options of all of them."""
    takers = distribute(named.options, options)
    any_method = next(iter(named.options))  # as these options are the same for all
    names = {option.name for option in options_of(any_method).values() if option.stage in CALL_STAGES}
    shared = shared_values({"the call": options, **named.given}, names)
    by_method = {
        name: {key: value for key, value in options.items() if name in takers[key]} | own | shared
        for name, own in named.options.items()
    }
    by_stage = {name: route(name, given) for name, given in by_method.items()}
    if not shared.get("log_images", True):
        by_method = without_images(by_method, named.only_by_all)
        by_stage = {name: by_stage[name] for name in by_method}
    return CallPlan(by_method, by_stage, named.only_by_all)


def without_images(
    by_method: Mapping[str, dict[str, Any]], only_by_all: Collection[str]
) -> dict[str, dict[str, Any]]:
    """The methods of a call that logs no images: those whose results do not show the inputs.

    A method whose results do says so in `SHOWS_INPUTS`, next to its function.

    Args:
        by_method: the options of each method.
        only_by_all: the methods that are selected only by `all`, which are left out with a warning.

    Raises:
        OptionError: the results of a method show the inputs.
    """
    reasons = {name: getattr(method_module(name), "SHOWS_INPUTS", None) for name in by_method}
    for name, reason in reasons.items():
        if reason and name not in only_by_all:
            raise OptionError(
                f"{name} can't be used with log_images=False: {reason}; omit {name}, or log images"
            )
        if reason:
            warn(f"{name} was left out, as log_images is False: {reason}")
    return {name: options for name, options in by_method.items() if not reasons[name]}


def parse_methods(methods: Methods, *, while_training: bool = False) -> NamedMethods:
    """The methods that a user names, and the options given for each.

    Args:
        methods: the methods, as users name them.
        while_training: see `methods_of_all`.

    Raises:
        OptionError: no method is named, one does not exist, or an option given for `all` has no taker.
    """
    given = _given(methods)
    if not given:
        raise OptionError(f"methods is empty; give one or more of: {', '.join(registered_names())}, or all")
    options: dict[str, dict[str, Any]] = {}
    for name, own in given.items():
        if name == ALL:
            for method, given_for_all in _options_of_all(own, while_training).items():
                options[method] = given_for_all | options.get(method, {})
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
            raise OptionError(
                f"methods gives {options!r} as the options of {name}; give a mapping, such as {{}}"
            )
    return {name: dict(options) for name, options in methods.items()}


def methods_of_all(*, while_training: bool = False) -> list[str]:
    """The methods that `all` stands for: those that share one pass over the inputs.

    They cost at most two passes per input. Other methods need many, or optimise something, and run only if
    they are named.

    Args:
        while_training: whether to include methods that can be used only during training.
    """
    streaming = [
        name
        for name in listed_methods()
        if issubclass(class_of(name), Streaming) and not issubclass(class_of(name), Optimizing)
    ]
    return [name for name in streaming if while_training or not needs_training(name)]


def methods_help() -> str:
    """The help of the option that names methods."""
    return (
        f"Methods to run, separated by commas. all stands for {', '.join(methods_of_all())}, which share one "
        "pass over the inputs; those that don't apply to the model or the inputs are left out. Add others by "
        "name, as in all,saliency."
    )


def _options_of_all(options: Mapping[str, Any], while_training: bool) -> dict[str, dict[str, Any]]:
    methods = methods_of_all(while_training=while_training)
    takers = distribute(methods, options)
    return {name: {key: options[key] for key in options if name in takers[key]} for name in methods}


def shared_values(givers: Mapping[str, Mapping[str, Any]], names: Collection[str]) -> dict[str, Any]:
    """The values of options that can have only one value in a call.

    Args:
        givers: the options, by what they were given for: the call or a method.
        names: the names of the options that can have only one value.

    Raises:
        OptionError: an option has two different values.
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
    # A user's object may raise anything when it is compared or converted to an array.
    except Exception:
        return False


def _shown(value: Any) -> str:
    """A value as messages quote it, shortened if it is long."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = 60
    return " ".join(short.repr(value).split())
