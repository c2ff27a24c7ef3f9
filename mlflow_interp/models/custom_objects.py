"""Modules to import before a model is loaded, which register its own layers and functions."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator, Sequence

from mlflow_interp.exceptions import OptionError, first_line


def import_modules(imports: str | Sequence[str] | None) -> None:
    """Import modules by name, the working folder's own too.

    Raises:
        OptionError: one can't be imported.
    """
    names = imports.split(",") if isinstance(imports, str) else imports or ()
    with _working_folder_first():
        for name in filter(None, (name.strip() for name in names)):
            try:
                importlib.import_module(name)
            # A module may raise anything.
            except Exception as error:
                raise OptionError(
                    f"imports names {name!r}, which can't be imported: {first_line(error)}; "
                    "give modules such as my.layers"
                ) from error


@contextlib.contextmanager
def _working_folder_first() -> Iterator[None]:
    """Have Python look for modules in the working folder first, as it does for a script."""
    before = sys.path
    sys.path = [os.getcwd(), *before]
    try:
        yield
    finally:
        sys.path = before
