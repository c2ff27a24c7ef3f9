"""The model's forward pass while it is traced: the tensors for methods, each created once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mlflow_interp.backend.feature_maps import feature_maps, last_spatial_layer
from mlflow_interp.backend.forward import forward
from mlflow_interp.backend.heads import (
    ClassScores,
    choose_targets,
    class_scores,
    other_classes,
    position_tensors,
)
from mlflow_interp.backend.layer_calls import CallChoice
from mlflow_interp.backend.layer_tree import find_layer
from mlflow_interp.core.calls import Call
from mlflow_interp.core.chunk import Arrays
from mlflow_interp.engine.targets import Target, target_key


@dataclass(frozen=True)
class Explained:
    """The explained class of each input: traced tensors (batch,).

    Attributes:
        targets: int64, the class.
        score: float32, its logit.
        probability: float32, its probability.
    """

    targets: Any
    score: Any
    probability: Any


class Trace:
    """A traced forward pass with the tensors that methods request; several methods share one tensor.

    Args:
        model: the Keras model.
        inputs: traced inputs.
        targets: traced int64 (batch,), by `target_key`.
        head: what the model's output is; see `Head`.

    Raises:
        ModelError: the model can't take the inputs, or has several outputs.
    """

    def __init__(self, model: Any, inputs: Arrays, targets: Mapping[str, Any], *, head: str = "auto") -> None:
        self.model = model
        self.inputs = inputs
        self.passed = forward(model, inputs)
        self._targets = targets
        self._head = head
        self._explained: dict[str, Explained] = {}
        self._others: dict[str, list[Explained]] = {}
        self._feature_maps: dict[tuple[str, CallChoice], tuple[list[Call], list[Any]]] = {}
        self._default_layer: str | None = None

    @cached_property
    def scores(self) -> ClassScores:
        """Logits and probabilities of all classes."""
        return class_scores(self.passed.outputs, self.model, self._head)

    def at_positions(self) -> dict[str, Any]:
        """The prediction at each position, for an output with positions; see `position_tensors`."""
        return position_tensors(self.scores)

    def explained(self, target: Target) -> Explained:
        """The class that a target option names, for each input."""
        key = target_key(target)
        if key not in self._explained:
            self._explained[key] = Explained(*choose_targets(self.scores, self._targets[key]))
        return self._explained[key]

    def other_classes(self, target: Target, most: int) -> list[Explained]:
        """The most probable classes other than the explained one, best first; at most `most`."""
        key = target_key(target)
        if key not in self._others:
            others = other_classes(self.scores, self.explained(target).targets, most)
            self._others[key] = [Explained(*choose_targets(self.scores, each)) for each in others]
        return self._others[key]

    def spatial_layer(self, layer: str | int | None, score: Any) -> str:
        """The path of a layer; for None, of the last layer with a spatial feature map.

        Raises:
            OptionError: no such layer.
            InapplicableError: the model has no layer with a spatial feature map.
        """
        if layer is not None:
            return find_layer(self.model, layer).path
        if self._default_layer is None:
            self._default_layer = last_spatial_layer(self.model, self.passed, score)
        return self._default_layer

    def feature_maps(self, path: str, calls: CallChoice = None) -> tuple[list[Call], list[Any]]:
        """Calls of a layer that the scores depend on, and the feature map of each, (batch, *space, channels).

        Args:
            path: the path of the layer.
            calls: the calls; None for those that no later call depends on.

        Raises:
            OptionError: the layer has no feature map, or no such call.
        """
        key = path, calls
        if key not in self._feature_maps:
            self._feature_maps[key] = feature_maps(self.model, self.passed, path, self.scores.scores, calls)
        return self._feature_maps[key]

    def feature_map(self, path: str) -> Any:
        """The feature map of the last call of a layer, (batch, *space, channels).

        Raises:
            OptionError: the layer has no feature map.
        """
        return self.feature_maps(path)[1][-1]
