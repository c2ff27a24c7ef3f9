"""Which methods there are: the files of the folder `methods`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

from mlflow_interp.exceptions import OptionError
from mlflow_interp.results import Result


def method_names() -> list[str]:
    """Every method there is: the files of `mlflow_interp.methods`."""
    package = importlib.import_module("mlflow_interp.methods")
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def find_method(name: str) -> Callable[..., Result]:
    """The function of a method: `gradcam` is `mlflow_interp.methods.gradcam.gradcam`.

    Raises:
        OptionError: there is no such method.
    """
    if name not in method_names():
        raise OptionError(f"no method {name!r}; there are: {', '.join(method_names())}")
    function: Callable[..., Result] = getattr(importlib.import_module(f"mlflow_interp.methods.{name}"), name)
    return function
