"""Attribution methods: a function of a feature map and a class score becomes a method of the engine."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mlflow_interp.backend import ops
from mlflow_interp.backend.layer_calls import CallChoice, Calls, parse_calls
from mlflow_interp.backend.layer_tree import SpatialLayer, find_layer
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.calls import Call
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.coarse_maps import coarse
from mlflow_interp.core.examples import Examples
from mlflow_interp.core.explained import ExplainedAccumulator
from mlflow_interp.core.passed import Passed
from mlflow_interp.engine.method import Streaming
from mlflow_interp.engine.targets import Target
from mlflow_interp.engine.trace import Trace
from mlflow_interp.exceptions import InapplicableError
from mlflow_interp.kinds.heatmap.result import HeatmapResult, OtherClasses

OTHER_CLASSES = 2  # the classes after the explained one whose maps are kept
MOST_WITH_OTHERS = 20_000  # inputs; of more, only the maps of the explained class are kept
OTHER_TARGETS = "other_targets"
OTHER_MAPS = "other_maps"

#: (feature map (batch, *space, channels), class score (batch,)) => signed map (batch, *space), all traced.
Attribution = Callable[[Any, Any], Any]

_ARGUMENTS = """
Args:
    layer: Layer whose feature map is used: an index, a name, or a path into nested models such as
        mobilenetv2/out_relu. By default, the last layer with a spatial feature map.
    calls: For a layer that is called several times, the calls to use: all, or positions separated by commas.
        By default, the calls that no later call depends on: every frame of TimeDistributed, every input of a
        shared encoder, the last of a sequence.
    target: The class to explain: an index, a class name, "label" for the true label, or one of these
        for each input, separated by commas. By default, the predicted class.

Returns:
    Signed heatmaps (n, height, width), float32, unscaled, at the resolution of the feature map; for signals
    and text (n, length), for volumes (n, depth, height, width), for several calls (n, calls, …). Figures
    show positive values only.

Raises:
    OptionError: no such layer or call, a layer without a spatial feature map, a class out of range.
    InapplicableError: the model has no spatial feature map at all.
    ModelError: the model can't take the inputs.
"""


def attribution(*, title: str) -> Callable[[Attribution], Callable[..., Streaming[HeatmapResult]]]:
    """Turn a function (features, score) => map into a method with the options `layer`, `calls`, `target`.

    Args:
        title: the display name of the method.
    """

    def declare(function: Attribution) -> Callable[..., Streaming[HeatmapResult]]:
        def method(
            model: Any,
            batch: Batch,
            *,
            layer: SpatialLayer = None,
            calls: Calls = None,
            target: Target = None,
        ) -> Streaming[HeatmapResult]:
            path = None if layer is None else find_layer(model, layer).path
            made = _AttributionMethod(function, title, path, parse_calls(calls), target)
            made.is_coarse = not batch.log_images
            return made

        method.__name__ = method.__qualname__ = function.__name__
        method.__module__ = function.__module__
        method.__doc__ = f"{inspect.getdoc(function)}\n{_ARGUMENTS}"
        return method

    return declare


class _AttributionMethod(Streaming[HeatmapResult]):
    """An attribution method with its options.

    Attributes:
        is_coarse: whether maps are reduced so far that they do not show the inputs.
    """

    is_coarse = False

    def __init__(
        self, function: Attribution, title: str, path: str | None, calls: CallChoice, target: Target
    ) -> None:
        self.title = title
        self.targets = (target,)
        self._function = function
        self._layer = path
        self._choice = calls
        self._calls: tuple[Call, ...] = ()

    def trace(self, trace: Trace) -> Mapping[str, Any]:
        """The explained class of each input, and the map of each call."""
        explained = trace.explained(self.targets[0])
        self._layer = trace.spatial_layer(self._layer, explained.score)
        calls, feature_maps = trace.feature_maps(self._layer, self._choice)
        self._calls = tuple(calls)
        maps = [self._function(features, explained.score) for features in feature_maps]
        tensors = {
            "targets": explained.targets,
            "scores": explained.score,
            "probabilities": explained.probability,
            "maps": maps[0] if len(maps) == 1 else ops.stack(maps),
        }
        return {**tensors, **self._others(trace, feature_maps)}

    def _others(self, trace: Trace, feature_maps: Sequence[Any]) -> Mapping[str, Any]:
        """Maps of the next most probable classes at the last spatial layer, where they cost very little."""
        if len(feature_maps) > 1 or not self._is_last_layer(trace):
            return {}
        others = trace.other_classes(self.targets[0], OTHER_CLASSES)
        if not others:
            return {}
        return {
            OTHER_TARGETS: ops.stack([other.targets for other in others]),
            OTHER_MAPS: ops.stack([self._function(feature_maps[0], other.score) for other in others]),
        }

    def _is_last_layer(self, trace: Trace) -> bool:
        try:
            return self._layer == trace.spatial_layer(None, trace.explained(self.targets[0]).score)
        except InapplicableError:
            return False

    def accumulator(self) -> HeatmapAccumulator:
        """Accumulates the maps."""
        return HeatmapAccumulator(str(self._layer), self.title, self._calls, is_coarse=self.is_coarse)


class HeatmapAccumulator:
    """Accumulates the maps of inputs and the classes that they explain.

    Args:
        layer: the path of the layer.
        title: the name of the method.
        calls: the calls of the layer, with one map each.
        is_coarse: whether maps are reduced so far that they do not show the inputs.
    """

    def __init__(self, layer: str, title: str, calls: tuple[Call, ...], *, is_coarse: bool = False) -> None:
        self.layer = layer
        self.title = title
        self.calls = calls
        self.is_coarse = is_coarse
        self._full_size: tuple[int, ...] = ()
        self._explained = ExplainedAccumulator()
        self._count = 0

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Add the maps of a chunk."""
        self._count += len(chunk)
        if self._count > MOST_WITH_OTHERS:
            passed = replace(passed, arrays=_without_others(passed.arrays))
            self._explained.drop(OTHER_TARGETS, OTHER_MAPS)
        if self.is_coarse:
            passed = self._reduced(chunk, passed)
        self._explained.update(chunk, passed)

    def _reduced(self, chunk: Chunk, passed: Passed) -> Passed:
        maps = passed.arrays["maps"]
        axes = maps.ndim - (1 if len(self.calls) == 1 else 2)
        reduced = {
            name: coarse(passed.arrays[name], chunk.inputs, axes)
            for name in ("maps", OTHER_MAPS)
            if name in passed.arrays
        }
        if reduced["maps"].shape != maps.shape:
            self._full_size = maps.shape[-axes:]
        return replace(passed, arrays={**passed.arrays, **reduced})

    def merge(self, other: HeatmapAccumulator) -> None:
        """Add the maps of other inputs."""
        self._count += other._count
        self._explained.merge(other._explained)
        if self._count > MOST_WITH_OTHERS:
            self._explained.drop(OTHER_TARGETS, OTHER_MAPS)
        self._full_size = self._full_size or other._full_size

    def result(self, examples: Examples, previous: HeatmapResult | None = None) -> HeatmapResult:
        """All maps so far."""
        explained, arrays = self._explained.result(examples)
        others = None
        if OTHER_MAPS in arrays:
            shown = examples.shown_rows
            others = OtherClasses(arrays[OTHER_TARGETS][shown], arrays[OTHER_MAPS][shown])
        return HeatmapResult(
            explained,
            arrays["maps"],
            self.layer,
            self.title,
            calls=self.calls,
            others=others,
            full_size=self._full_size,
        )


def _without_others(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array for name, array in arrays.items() if name not in (OTHER_TARGETS, OTHER_MAPS)}
