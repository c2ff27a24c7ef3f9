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
    choose_classes,
    class_scores,
    contrasted,
    other_classes,
    position_tensors,
)
from mlflow_interp.backend.layer_calls import CallChoice
from mlflow_interp.backend.layer_tree import find_layer
from mlflow_interp.core.calls import Call
from mlflow_interp.core.chunk import Arrays
from mlflow_interp.core.contrast import CODES
from mlflow_interp.engine.targets import Contrast, Target, explained_key
from mlflow_interp.exceptions import OptionError


@dataclass(frozen=True)
class Explained:
    """The explained class of each input: traced tensors with one row per input.

    Attributes:
        classes: int64 (batch, 1 + k), the class and those it is contrasted with, as for `contrasted`.
        score: float32 (batch,), the explained score: the logit of the class, minus the mean logit of those it
            is contrasted with.
        probability: float32 (batch,), the probability of the class.
    """

    classes: Any
    score: Any
    probability: Any

    @property
    def targets(self) -> Any:
        """The class, int64 (batch,)."""
        return self.classes[:, 0]

    @property
    def tensors(self) -> dict[str, Any]:
        """The tensors that `ExplainedAccumulator` needs, by name."""
        tensors = {"targets": self.targets, "scores": self.score, "probabilities": self.probability}
        contrasts = self.classes[:, 1:]
        return tensors | ({"contrasts": contrasts} if contrasts.shape[1] else {})


class Trace:
    """A traced forward pass with the tensors that methods request; several methods share one tensor.

    Args:
        model: the Keras model.
        inputs: traced inputs.
        classes: traced int64 (batch, 1 + k), by `explained_key`; see `class_chooser`.
        head: what the model's output is; see `Head`.
        weights: traced, of the positions of the output; see `class_scores`.

    Raises:
        ModelError: the model can't take the inputs, or has several outputs.
    """

    def __init__(
        self,
        model: Any,
        inputs: Arrays,
        classes: Mapping[str, Any],
        *,
        head: str = "auto",
        weights: Any = None,
    ) -> None:
        self.model = model
        self.inputs = inputs
        self.passed = forward(model, inputs, attention=True)
        self._classes = classes
        self._head = head
        self._weights = weights
        self._explained: dict[str, Explained] = {}
        self._others: dict[str, list[Explained]] = {}
        self._feature_maps: dict[tuple[str, CallChoice], tuple[list[Call], list[Any]]] = {}
        self._default_layer: str | None = None

    @cached_property
    def scores(self) -> ClassScores:
        """Logits and probabilities of all classes."""
        return class_scores(self.passed.outputs, self.model, self._head, self._weights)

    def at_positions(self) -> dict[str, Any]:
        """The prediction at each position, for an output with positions; see `position_tensors`."""
        return position_tensors(self.scores)

    def explained(self, target: Target, contrast: Contrast = None) -> Explained:
        """The class that a target option names, for each input, contrasted with those that another names.

        Raises:
            OptionError: the model has no other classes to contrast it with.
        """
        key = explained_key(target, contrast)
        if key not in self._explained:
            self._check_contrast(contrast)
            self._explained[key] = self._explained_of(choose_classes(self.scores, self._classes[key]))
        return self._explained[key]

    def _explained_of(self, classes: Any) -> Explained:
        score = contrasted(self.scores.scores, classes)
        return Explained(classes, score, contrasted(self.scores.probabilities, classes[:, :1]))

    def _check_contrast(self, contrast: Contrast) -> None:
        if isinstance(contrast, str) and contrast in CODES and self.scores.head == "values":
            raise OptionError(
                f"contrast {contrast!r} needs a model with classes, but this one predicts values; give the "
                "index or name of another value"
            )

    def other_classes(self, target: Target, most: int) -> list[Explained]:
        """The most probable classes other than the explained one, best first; at most `most`."""
        key = explained_key(target, None)
        if key not in self._others:
            others = other_classes(self.scores, self.explained(target).targets, most)
            self._others[key] = [self._explained_of(each[:, None]) for each in others]
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
