"""The methods, which are the files of the folder `methods`, and the kind of result that each gives."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from mlflow_interp.core.result import Result
from mlflow_interp.exceptions import OptionError


def method_names() -> list[str]:
    """The names of all methods: the files of `mlflow_interp.methods`."""
    package = importlib.import_module("mlflow_interp.methods")
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def method_module(name: str) -> ModuleType:
    """The file of a method.

    Raises:
        OptionError: there is no such method.
    """
    if name not in method_names():
        raise OptionError(f"no method {name!r}; there are: {', '.join(method_names())}")
    return importlib.import_module(f"mlflow_interp.methods.{name}")


def find_method(name: str) -> Callable[..., Result]:
    """The function of a method: `gradcam` is `mlflow_interp.methods.gradcam.gradcam`.

    Raises:
        OptionError: there is no such method.
    """
    function: Callable[..., Result] = getattr(method_module(name), name)
    return function


@dataclass(frozen=True)
class Kind:
    """A kind of result; its files are imported when they are used.

    Attributes:
        package: the package of its result's class; see `mlflow_interp.kinds`.
    """

    package: str

    @property
    def draw(self) -> Callable[..., Any]:
        """Draws the figure of a result."""
        return self._function("figure", "draw")

    @property
    def page(self) -> Callable[..., str]:
        """Makes the page of a result."""
        return self._function("page", "page")

    @property
    def page_over(self) -> Callable[..., str] | None:
        """Makes a page of results over steps; None where the page is a slider over their figures."""
        return self._find("page", "page_over")

    @property
    def view(self) -> Callable[..., Any] | None:
        """Makes its part of the page of a run; None where it has none."""
        return self._find("view", "view")

    def _find(self, file: str, name: str) -> Callable[..., Any] | None:
        if importlib.util.find_spec(f"{self.package}.{file}") is None:
            return None
        return getattr(importlib.import_module(f"{self.package}.{file}"), name, None)

    def _function(self, file: str, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(importlib.import_module(f"{self.package}.{file}"), name)
        return function


def kind_of(method: str) -> Kind:
    """The kind of result that a method gives."""
    function = find_method(method)
    result = resolve(function.__annotations__["return"], function)
    return Kind(result.__module__.rpartition(".")[0])


def resolve(annotation: Any, function: Callable[..., Any]) -> Any:
    """The type of an annotation that `from __future__ import annotations` left as text.

    `typing.get_type_hints` would resolve all annotations, also those of types that only type checkers import.
    """
    names = inspect.unwrap(function).__globals__
    return eval(annotation, names) if isinstance(annotation, str) else annotation  # noqa: S307 - our own text
