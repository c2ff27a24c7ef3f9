"""Explains inputs by a method again and again: of other classes, with noise, or with other weights."""

from __future__ import annotations

import inspect
import json
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
from mlflow_interp.method_registry import find_method, registered_names, takes_target


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
    """One method that makes heatmaps.

    Args:
        name: the name of the method.
        options: its options.
        model: the Keras model.
        batch: the inputs.
        target: the class to explain.

    Attributes:
        title: the display name of the method.
        has_target: whether its heatmaps depend on the explained class.

    Raises:
        OptionError: there is no such method, or it makes no heatmaps.
    """

    def __init__(
        self, name: str, options: Mapping[str, Any], model: Any, batch: Batch, target: Target
    ) -> None:
        self.has_target = takes_target(name)
        targets = {"target": target} if self.has_target else {}
        self._method: Method[Any] = find_method(name)(model, batch, **(targets | dict(options)))
        self._method.of_other_classes = False
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

    def trace(self, trace: Trace) -> Mapping[str, Any]:
        """The tensors of its heatmaps in another pass, for `maps_in`; empty if it needs passes of its own.

        Raises:
            InterpretationError: it can't be used with the model.
        """
        return {} if self.needs_own_passes else self._method.trace(trace)

    @property
    def needs_own_passes(self) -> bool:
        """Whether its heatmaps need more than the tensors of `trace`."""
        return isinstance(self._method, Explaining)

    def maps_in(self, arrays: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The heatmaps among the arrays of the tensors of `trace`, unless it needs passes of its own."""
        return self._maps(arrays)

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
        probabilities = np.asarray(predicted.probabilities)
        return Maps(self._maps(arrays), probabilities.argmax(axis=1))

    def _maps(self, arrays: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        maps = self._method.maps_of(arrays)
        if not maps:
            raise InapplicableError(
                f"{self.name} makes several heatmaps of an input, one for each call of its layer; their "
                "quality can't be measured"
            )
        return maps


def explainers_of(
    names: str | Sequence[str] | Mapping[str, Mapping[str, Any]], model: Any, batch: Batch, target: Target
) -> dict[str, Explainer]:
    """The methods that are named, by name; see `named_methods`.

    Raises:
        OptionError: none is named, one does not exist, or one makes no heatmaps.
    """
    named = named_methods(names).items()
    return {name: Explainer(name, options, model, batch, target) for name, options in named}


def named_methods(
    names: str | Sequence[str] | Mapping[str, Mapping[str, Any]],
) -> dict[str, Mapping[str, Any]]:
    """The options of each method that is named in a list, a text with commas, or a mapping, also as JSON.

    Raises:
        OptionError: none is named, one does not exist, or has no such option.
    """
    if isinstance(names, str) and names.strip().startswith("{"):
        names = _parsed(names)
    given = names if isinstance(names, Mapping) else {}
    listed = names.split(",") if isinstance(names, str) else names
    found = {name.strip(): given.get(name, {}) for name in listed if name.strip()}
    if not found:
        raise OptionError(f"of is empty; give one or more of: {', '.join(registered_names())}")
    for name, options in found.items():
        known = inspect.signature(find_method(name)).parameters
        for option in options:
            if option not in known:
                raise OptionError(f"of gives {name} an option {option!r}, which it does not have")
    return found


def _parsed(text: str) -> Mapping[str, Mapping[str, Any]]:
    try:
        parsed = json.loads(text)
    except ValueError as error:
        raise OptionError(f"of is not JSON ({error}); give names of methods, separated by commas") from error
    if not all(isinstance(options, dict) for options in parsed.values()):
        raise OptionError(f"of is {text}; give the options of each method as a mapping, such as {{}}")
    return dict(parsed)


#: The names of methods, in Python also with options, as an option; they are checked before a model is loaded.
MethodNames = Annotated[str | Sequence[str] | Mapping[str, Mapping[str, Any]], Checked(named_methods)]
