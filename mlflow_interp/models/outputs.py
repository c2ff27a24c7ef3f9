"""Find one output of a model with several, and reduce the model to it."""

from __future__ import annotations

from functools import cache
from typing import Any

from mlflow_interp.core.outputs import Output, choose, outputs_of_structure


def outputs_of(model: Any) -> list[Output]:
    """The outputs of a model; empty if they are not known, as for a subclassed model before it runs."""
    if not getattr(model, "outputs", None):
        return []
    try:
        structure = model.output
    except (AttributeError, ValueError):  # a Sequential model, in some versions of Keras
        structure = list(model.outputs)
    return outputs_of_structure(structure, list(getattr(model, "output_names", ())))


def find_output(model: Any, output: str | int | None) -> Output | None:
    """The output with a name or position; the only one for None. None if the outputs are not known.

    Raises:
        ModelError: none is named, and there are several.
        OptionError: there is no such output.
    """
    known = outputs_of(model)
    if not known:
        return None if output is None else Output(path=(output,))
    return choose(known, output, model.name)


def only_output(model: Any, output: str | int | None) -> Any:
    """The model with one of its outputs, by name or position; unchanged for None.

    Raises:
        OptionError: there is no such output. For a subclassed model, this is known only once it runs.
    """
    import keras

    if output is None:
        return model
    found = find_output(model, output)
    if found is None or found.position is None:
        return _selecting()(model, output)
    # A Sequential model's own input is not a tensor.
    inputs = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    return keras.Model(inputs, model.outputs[found.position], name=model.name)


@cache
def _selecting() -> Any:
    """The class of a model that returns one output of a subclassed model."""
    import keras

    class Selecting(keras.Model):  # type: ignore[misc]
        """One output of a model; its layers and weights are those of the model."""

        def __init__(self, model: Any, output: str | int) -> None:
            super().__init__(name=model.name)
            self._whole = model
            self._output = output
            self.built = True

        @property
        def layers(self) -> list[Any]:
            return list(self._whole.layers)

        # Not `call`, whose errors Keras rewrites.
        def __call__(self, *args: Any, **options: Any) -> Any:
            given = self._whole(*args, **options)
            return choose(outputs_of_structure(given), self._output, self.name).of(given)

    return Selecting
