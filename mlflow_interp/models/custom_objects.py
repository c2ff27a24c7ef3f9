"""Import modules before a model is loaded, e.g. those that register its custom layers and functions."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from mlflow_interp.core.modules import import_problem
from mlflow_interp.exceptions import OptionError, first_line


def import_modules(imports: str | Sequence[str] | None) -> None:
    """Import modules by name, including from the working folder.

    Raises:
        OptionError: a module can't be imported.
    """
    with _working_folder_first():
        for name in _names(imports):
            try:
                importlib.import_module(name)
            # A module may raise anything.
            except Exception as error:
                raise _cannot_be_imported(name, first_line(error)) from error


def check_imports(imports: str | Sequence[str] | None) -> None:
    """Check that modules exist, without importing them.

    Raises:
        OptionError: a module does not exist.
    """
    with _working_folder_first():
        for name in _names(imports):
            if problem := import_problem(name):
                raise _cannot_be_imported(name, problem)


def _names(imports: str | Sequence[str] | None) -> list[str]:
    names = imports.split(",") if isinstance(imports, str) else imports or ()
    return [name.strip() for name in names if name.strip()]


def _cannot_be_imported(name: str, reason: str) -> OptionError:
    return OptionError(
        f"imports names {name!r}, which can't be imported: {reason}; give modules such as my.layers"
    )


def registered_classes() -> dict[str, Any]:
    """The classes and functions that are registered with Keras, by their own names where these are unique.

    Keras registers them as package>Name. Files hold only the name of a class that was not registered yet.
    """
    import keras

    by_name: dict[str, list[Any]] = {}
    for registered, thing in keras.saving.get_custom_objects().items():
        by_name.setdefault(registered.rpartition(">")[2], []).append(thing)
    return {name: things[0] for name, things in by_name.items() if len(things) == 1}


@contextlib.contextmanager
def _working_folder_first() -> Iterator[None]:
    """Have Python look for modules in the working folder first, as it does for a script."""
    previous = sys.path
    sys.path = [os.getcwd(), *previous]
    try:
        yield
    finally:
        sys.path = previous
