"""The methods: the files of the folder `methods`, and the entry points of other packages.

A package adds a method with an entry point in the group `mlflow_interp.methods`: the method's name, and its
function. Names are read from the packages' metadata, and a method is imported when it is used. So a package
that can't be imported breaks only its own methods.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any, get_args, get_origin

from mlflow_interp.exceptions import OptionError, first_line, nearest, warn
from mlflow_interp.result_kind import Kind

GROUP = "mlflow_interp.methods"
DISTRIBUTION = "mlflow-interp"

#: Kinds of results that no method makes, by the name that takes the place of the method's.
RESULTS = {"comparison": "mlflow_interp.kinds.comparison", "table": "mlflow_interp.kinds.table"}

#: Names that a method can't have: they mean something else on the command line or in `methods=`.
RESERVED = frozenset(
    ("all", "compare", "comparison", "interpret", "layers", "main", "methods", "resume", "table")
)


@dataclass(frozen=True)
class Registration:
    """A registered method, imported or not.

    Attributes:
        name: its name everywhere.
        entry_point: the location of its function.
        distribution: the name of the installed package that registers it.
        version: the version of that package; None for this package.
    """

    name: str
    entry_point: EntryPoint
    distribution: str = DISTRIBUTION
    version: str | None = None

    def __str__(self) -> str:
        return self.distribution if self.version is None else f"{self.distribution} {self.version}"


def method_names() -> list[str]:
    """The names of all methods, this package's first.

    A method of another package that can't be imported is left out with a warning.
    """
    return [name for name in registered_names() if _is_usable(name)]


def own_method_names() -> list[str]:
    """The names of the methods of this package."""
    return [name for name, each in _registrations().items() if each.distribution == DISTRIBUTION]


def registered_names() -> list[str]:
    """The names of all methods, whether they can be imported or not; imports none of them."""
    return list(_registrations())


def registration_of(method: str) -> Registration:
    """Which package registers a method.

    Raises:
        OptionError: there is no such method.
    """
    registrations = _registrations()
    if method not in registrations:
        raise OptionError(f"no method {method!r}{nearest(method, registrations)}")
    return registrations[method]


def package_of(method: str) -> tuple[str, str | None]:
    """The name and the version of the package that a method or result is from; None for this version.

    Raises:
        OptionError: there is no such method.
    """
    if method in RESULTS:
        return DISTRIBUTION, None
    registration = registration_of(method)
    return registration.distribution, registration.version


@cache
def find_method(method: str) -> Callable[..., Any]:
    """The function of a method: `gradcam` is `mlflow_interp.methods.gradcam.gradcam`.

    Called with a model, a batch and options, it returns an `engine.method.Method`.

    Raises:
        OptionError: there is no such method, or the package that registers it is broken.
    """
    registration = registration_of(method)
    try:
        function: Callable[..., Any] = registration.entry_point.load()
        _check(function)
    # A package may fail in any way when it is imported.
    except Exception as error:
        if registration.distribution == DISTRIBUTION:
            raise
        raise OptionError(
            f"method {method!r} of {registration} can't be used: {registration.entry_point.value}: "
            f"{type(error).__name__}: {first_line(error)}; update or uninstall {registration.distribution}"
        ) from error
    return function


def takes_target(method: str) -> bool:
    """Whether a method explains a class, which its option `target` states."""
    return "target" in inspect.signature(find_method(method)).parameters


def method_module(method: str) -> ModuleType:
    """The file of a method.

    Raises:
        OptionError: there is no such method, or the package that registers it is broken.
    """
    return sys.modules[find_method(method).__module__]


def kind_of(method: str) -> Kind:
    """The kind of a method's result, from the annotation of what it returns, such as `Streaming[Result]`.

    Or one of `RESULTS`, by its name.
    """
    if method in RESULTS:
        return Kind(RESULTS[method])
    (result,) = get_args(_returned(find_method(method)))
    return Kind(result.__module__.rpartition(".")[0])


@cache
def panel_scripts() -> Mapping[str, str]:
    """The scripts of all kinds that draw a panel on the page of a run, by the name of the kind."""
    kinds = {kind.name: kind for kind in map(kind_of, method_names())}
    scripts = {name: kinds[name].panel_script for name in sorted(kinds)}
    return {name: script for name, script in scripts.items() if script is not None}


def class_of(method: str) -> type:
    """The class of `engine.method` that a method returns."""
    returned: type = get_origin(_returned(find_method(method)))
    return returned


def result_class_of(method: str) -> type:
    """The class of a method's results."""
    found: type = get_args(_returned(find_method(method)))[0]
    return found


def _returned(function: Callable[..., Any]) -> Any:
    return resolve(function.__annotations__["return"], function)


def resolve(annotation: Any, function: Callable[..., Any]) -> Any:
    """The type of an annotation that `from __future__ import annotations` left as text.

    `typing.get_type_hints` would resolve all annotations, including types that only type checkers import.
    """
    names = inspect.unwrap(function).__globals__
    return eval(annotation, names) if isinstance(annotation, str) else annotation  # noqa: S307 - code, not data


def _check(function: Callable[..., Any]) -> None:
    """Refuse what can't be a method, before it is listed as one."""
    if not callable(function) or len(get_args(_returned(function))) != 1:
        raise TypeError(
            "a method is a function with the annotation -> Streaming[Result], Predicting[Result] or "
            "Explaining[Result]"
        )


@cache
def _is_usable(method: str) -> bool:
    try:
        find_method(method)
    except OptionError as error:
        warn(str(error))
        return False
    return True


@cache
def _registrations() -> Mapping[str, Registration]:
    """All methods by name, this package's first and others sorted; warns about each that is refused."""
    folder = importlib.import_module("mlflow_interp.methods")
    registrations = {
        name: Registration(name, EntryPoint(name, f"{folder.__name__}.{name}:{name}", GROUP))
        for name in sorted(module.name for module in pkgutil.iter_modules(folder.__path__))
    }
    for registration in sorted(_others(), key=lambda each: (each.name, each.distribution)):
        reason = _refusal(registration, registrations.get(registration.name))
        if reason is None:
            registrations[registration.name] = registration
        elif reason:
            warn(f"{registration} registers a method {registration.name!r}, which is left out: {reason}")
    return registrations


def _others() -> Iterable[Registration]:
    for entry_point in entry_points(group=GROUP):
        distribution = entry_point.dist
        name, version = (distribution.name, distribution.version) if distribution else ("a package", "")
        yield Registration(entry_point.name, entry_point, name, version)


def _refusal(registration: Registration, taken: Registration | None) -> str | None:
    """Why a package's method is refused; None if it is accepted, empty if it is merely listed twice."""
    if taken is not None:
        is_same = (taken.distribution, taken.entry_point.value) == (
            registration.distribution,
            registration.entry_point.value,
        )
        return "" if is_same else f"{taken} already has a method with this name"
    name = registration.name
    if name in RESERVED:
        return "this name is reserved"
    if not (name.isidentifier() and name.isascii() and name == name.lower()) or name.startswith("_"):
        return "a name may contain only lower-case letters, digits and underscores"
    return None
