"""What a user says about a model beside where it is: modules to import before, and the output to look at."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any
from unittest import mock

from mlflow_interp.exceptions import ModelError, OptionError, first_line, nearest


def import_modules(imports: str | Sequence[str] | None) -> None:
    """Import modules by name, the working folder's own too.

    Raises:
        OptionError: one can't be imported.
    """
    names = imports.split(",") if isinstance(imports, str) else imports or ()
    with mock.patch.object(sys, "path", [os.getcwd(), *sys.path]):
        for name in filter(None, (name.strip() for name in names)):
            try:
                importlib.import_module(name)
            # A module may raise anything.
            except Exception as error:
                told = first_line(error)
                raise OptionError(
                    f"imports names {name!r}, which can't be imported: {told}; give modules such as my.layers"
                ) from error


def only_output(model: Any, output: str | int | None) -> Any:
    """The model with one of its outputs, by name or position; as it is where none is named.

    Raises:
        ModelError: the model's outputs have no names, as it is subclassed.
        OptionError: there is no such output.
    """
    import keras

    if output is None:
        return model
    names = list(getattr(model, "output_names", ()))
    if not names or not getattr(model, "outputs", None):
        raise ModelError(
            f"output is {output!r}, and the outputs of model {model.name!r}, which is subclassed, can't be "
            "told apart; leave output out, or wrap it in a model that gives one"
        )
    positions = {str(at): at for at in range(len(names))} | {name: at for at, name in enumerate(names)}
    if str(output) not in positions:
        raise OptionError(f"model {model.name!r} has no output {output!r}{nearest(output, names)}")
    return keras.Model(model.input, model.outputs[positions[str(output)]], name=model.name)
