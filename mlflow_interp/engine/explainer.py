"""Explains inputs by a method again and again: of other classes, with noise, or with other weights."""

from __future__ import annotations

import inspect
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from mlflow_interp.core.accepted import Checked
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.engine.method import Explaining, Method
from mlflow_interp.engine.model_pass import ModelPass
from mlflow_interp.engine.targets import Target
from mlflow_interp.engine.trace import Trace
from mlflow_interp.exceptions import InapplicableError, OptionError
from mlflow_interp.method_registry import find_method, registered_names


@dataclass(frozen=True)
class Maps:
    """The heatmaps of some inputs by one method.

    Attributes:
        maps: signed, (n, *grid), by name.
        predicted: (n,) int64, the most probable class.
    """

    maps: Mapping[str, np.ndarray]
    predicted: np.ndarray


class Explainer:
    """One method that makes heatmaps, with its default options.

    Args:
        name: the name of the method.
        model: the Keras model.
        batch: the inputs.
        target: the class to explain.

    Attributes:
        title: the display name of the method.
        has_target: whether its heatmaps depend on the explained class.

    Raises:
        OptionError: there is no such method, or it makes no heatmaps.
    """

    def __init__(self, name: str, model: Any, batch: Batch, target: Target) -> None:
        function = find_method(name)
        self.has_target = "target" in inspect.signature(function).parameters
        options = {"target": target} if self.has_target else {}
        self._method: Method[Any] = function(model, batch, **options)
        if type(self._method).maps_of is Method.maps_of:
            raise OptionError(f"{name} makes no heatmaps, so their quality can't be measured")
        self.name = name
        self.title: str = self._method.title
        self._map_titles: Mapping[str, str] = self._method.map_titles
        self._model = model
        self._batch = batch
        self._pass: ModelPass | None = None

    @property
    def map_count(self) -> int:
        """The number of heatmaps of an input."""
        return max(1, len(self._map_titles))

    def title_of(self, name: str) -> str:
        """The display name of one of its heatmaps."""
        return self._map_titles.get(name) or self.title

    def prepare(self, trace: Trace) -> None:
        """Let the method see the model, on which the number of its passes may depend.

        Raises:
            InterpretationError: it can't be used with the model.
        """
        if isinstance(self._method, Explaining):
            self._method.trace(trace)

    def work(self, inputs: int) -> int:
        """The number of passes that a number of inputs take once. Called after `prepare`."""
        return self._method.work(inputs) if isinstance(self._method, Explaining) else 1

    def explain(self, chunk: Chunk, targets: np.ndarray) -> Generator[int, None, Maps]:
        """Explain at most `Explaining.rows` inputs; yield the passes done since the last yield.

        Args:
            chunk: the inputs.
            targets: (n,) int64, the class to explain for each.

        Raises:
            InapplicableError: the method can't be used with the model, or makes several heatmaps an input.
            InputsError: the model's predictions are not finite.
        """
        if self._pass is None:
            self._pass = ModelPass(self._model, self._batch, {self.name: self._method}, chunk)
            if self._pass.errors:
                raise self._pass.errors[self.name]
        predicted, by_method = self._pass(chunk, targets)
        passed = by_method[self.name]
        arrays = dict(passed.arrays)
        if isinstance(self._method, Explaining):
            arrays |= yield from self._method.explain(chunk, passed)
        else:
            yield 1
        maps = self._method.maps_of(arrays)
        if not maps:
            raise InapplicableError(
                f"{self.name} makes several heatmaps of an input, one for each call of its layer; their "
                "quality can't be measured"
            )
        probabilities = np.asarray(predicted.probabilities)
        return Maps(maps, probabilities.argmax(axis=1))


def explainers_of(
    names: str | Sequence[str], model: Any, batch: Batch, target: Target
) -> dict[str, Explainer]:
    """The methods that are named, by name; see `named_methods`.

    Raises:
        OptionError: none is named, one does not exist, or one makes no heatmaps.
    """
    return {name: Explainer(name, model, batch, target) for name in named_methods(names)}


def named_methods(names: str | Sequence[str]) -> list[str]:
    """The names of methods in a list or a text with commas.

    Raises:
        OptionError: none is named, or one does not exist.
    """
    listed = names.split(",") if isinstance(names, str) else names
    found = [name.strip() for name in listed if name.strip()]
    if not found:
        raise OptionError(f"of is empty; give one or more of: {', '.join(registered_names())}")
    for name in found:
        find_method(name)
    return found


#: The names of methods, as an option; they are checked before a model is loaded.
MethodNames = Annotated[str | Sequence[str], Checked(named_methods)]
