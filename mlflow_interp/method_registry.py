"""The methods, which are the files of the folder `methods`, and the kind of result that each gives."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, get_args, get_origin

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


def find_method(name: str) -> Callable[..., Any]:
    """The function of a method: `gradcam` is `mlflow_interp.methods.gradcam.gradcam`.

    Called with a model, a batch and options, it gives an `engine.method.Method`.

    Raises:
        OptionError: there is no such method.
    """
    function: Callable[..., Any] = getattr(method_module(name), name)
    return function


@dataclass(frozen=True)
class Kind:
    """A kind of result; its files are imported when they are used.

    Attributes:
        package: the package of its result's class; see `mlflow_interp.kinds`.
    """

    package: str

    @property
    def make_tiles(self) -> Callable[..., Any] | None:
        """Makes the tiles that figure, page and view share; None where they share none."""
        return self._find("tiles", "make_tiles")

    @property
    def draw(self) -> Callable[..., Any]:
        """Draws the figure of a result."""
        return self._function("figure", "draw")

    @property
    def draw_panel(self) -> Callable[..., None]:
        """Draws one panel of the figure into somebody's axes."""
        return self._function("figure", "draw_panel")

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

    @property
    def as_text(self) -> Callable[..., str] | None:
        """Writes a result as text for a terminal; None where it can't be."""
        return self._find("text", "as_text")

    @property
    def warm_up(self) -> Callable[[], None] | None:
        """Loads and compiles what the first result would otherwise wait for; None where there is nothing."""
        return self._find("warm_up", "warm_up")

    @property
    def facts(self) -> Callable[..., dict[str, Any]] | None:
        """What is stored of a result besides its arrays; None where results can't be restored."""
        return self._find("stored", "facts")

    @property
    def earlier_facts(self) -> Callable[..., dict[str, Any]]:
        """The facts of a result that was stored before facts were."""
        return self._function("stored", "earlier_facts")

    @property
    def restored(self) -> Callable[..., Any]:
        """Makes a result from what is stored of it; see `kinds.stored`."""
        return self._function("stored", "restored")

    def _find(self, file: str, name: str) -> Callable[..., Any] | None:
        if importlib.util.find_spec(f"{self.package}.{file}") is None:
            return None
        return getattr(importlib.import_module(f"{self.package}.{file}"), name, None)

    def _function(self, file: str, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(importlib.import_module(f"{self.package}.{file}"), name)
        return function


def kind_of(method: str) -> Kind:
    """The kind of result that a method gives: the argument of what it returns, such as `Streaming[…]`."""
    (result,) = get_args(_returned(method))
    return Kind(result.__module__.rpartition(".")[0])


def class_of(method: str) -> type:
    """The class of `engine.method` that a method returns."""
    returned: type = get_origin(_returned(method))
    return returned


def _returned(method: str) -> Any:
    function = find_method(method)
    return resolve(function.__annotations__["return"], function)


def resolve(annotation: Any, function: Callable[..., Any]) -> Any:
    """The type of an annotation that `from __future__ import annotations` left as text.

    `typing.get_type_hints` would resolve all annotations, also those of types that only type checkers import.
    """
    names = inspect.unwrap(function).__globals__
    return eval(annotation, names) if isinstance(annotation, str) else annotation  # noqa: S307 - our own text
