"""Attribution methods: a function of a feature map and a class score becomes a method of the engine."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mlflow_interp.backend import ops
from mlflow_interp.backend.layer_calls import CallChoice, Calls, parse_calls
from mlflow_interp.backend.layer_tree import Layers, SpatialLayer, SpatialLayers, find_layer, find_layers
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.calls import Call
from mlflow_interp.engine.heatmap_accumulator import OTHER_MAPS, OTHER_TARGETS, HeatmapAccumulator
from mlflow_interp.engine.method import Streaming
from mlflow_interp.engine.targets import TARGET_HELP, Contrast, Target, kind_of_contrast
from mlflow_interp.engine.trace import Trace
from mlflow_interp.exceptions import InapplicableError, OptionError
from mlflow_interp.kinds.heatmap.result import HeatmapResult

OTHER_CLASSES = 2  # the classes after the explained one whose maps are kept

#: A function of a feature map (batch, *space, channels) and a class score (batch,), or of the feature map
#: alone, all traced. It returns a signed map (batch, *space).
Attribution = Callable[..., Any]

#: Combines the maps of several layers (batch, *space), traced, which may differ in size, to one.
Fusion = Callable[[Sequence[Any]], Any]

_LAYER = """
Args:
    layer: Layer whose feature map is used: an index, a name, or a path into nested models such as
        mobilenetv2/out_relu. By default, the last layer with a spatial feature map."""

_LAYERS = """
Args:
    layer: Layer whose feature map is used: an index, a name, or a path into nested models such as
        mobilenetv2/out_relu. By default, the last layer with a spatial feature map. Several layers, separated
        by commas, give one map."""

_CALLS = """
    calls: For a layer that is called several times, the calls to use: all, or positions separated by commas.
        By default, all calls that no later call of the layer depends on: every frame of TimeDistributed,
        every input of a shared encoder; of calls in a chain, only the last."""

_RETURNS = """

Returns:
    Signed heatmaps (n, height, width), float32, unscaled, at the resolution of the feature map; for signals
    and text (n, length), for volumes (n, depth, height, width), for several calls (n, calls, …). Figures
    show positive values only.

Raises:
    OptionError: no such layer or call, a layer without a spatial feature map, a class out of range.
    InapplicableError: the model has no spatial feature map at all.
    ModelError: the model can't take the inputs.
"""


def attribution(
    *, title: str, fuse: Fusion | None = None
) -> Callable[[Attribution], Callable[..., Streaming[HeatmapResult]]]:
    """Turn a function (features, score) => map into a method of the engine.

    Its options are `layer`, `calls`, `target` and `contrast`.

    A function of the features alone is a method without a class: it has neither `target` nor `contrast`, and
    its results name no explained class.

    Args:
        title: the display name of the method.
        fuse: combines the maps of several layers; without it, `layer` names a single one.
    """

    def declare(function: Attribution) -> Callable[..., Streaming[HeatmapResult]]:
        has_target = len(inspect.signature(function).parameters) > 1

        def method(
            model: Any,
            batch: Batch,
            *,
            layer: SpatialLayers = None,
            calls: Calls = None,
            target: Target = None,
            contrast: Contrast = None,
        ) -> Streaming[HeatmapResult]:
            formula = function if has_target else lambda features, _: function(features)
            made = _AttributionMethod(formula, title, _paths(model, layer, fuse), parse_calls(calls))
            made.fuse = fuse
            made.has_target = has_target
            made.targets = (target,) if has_target else ()
            made.contrast = contrast
            made.is_coarse = not batch.log_images
            return made

        method.__name__ = method.__qualname__ = function.__name__
        method.__module__ = function.__module__
        arguments = (_LAYERS if fuse else _LAYER) + _CALLS + (TARGET_HELP if has_target else "") + _RETURNS
        method.__doc__ = f"{inspect.getdoc(function)}\n{arguments}"
        return _with_options(method, has_target=has_target, several_layers=fuse is not None)

    return declare


def _with_options(
    method: Callable[..., Streaming[HeatmapResult]], *, has_target: bool, several_layers: bool
) -> Callable[..., Streaming[HeatmapResult]]:
    """The method with the options that apply to it: options are read from signatures."""
    signature = inspect.signature(method)
    parameters = dict(signature.parameters)
    if not has_target:
        del parameters["target"], parameters["contrast"]
    if not several_layers:
        parameters["layer"] = parameters["layer"].replace(annotation=SpatialLayer)
    signature = signature.replace(parameters=list(parameters.values()))

    @functools.wraps(method)
    def checked(*args: Any, **options: Any) -> Streaming[HeatmapResult]:
        bound = signature.bind(*args, **options)
        return method(*bound.args, **bound.kwargs)

    vars(checked)["__signature__"] = signature
    return checked


def _paths(model: Any, layer: Layers, fuse: Fusion | None) -> tuple[str, ...]:
    """The paths of the layers that are named; empty for the default."""
    if layer is None:
        return ()
    if fuse is None:
        return (find_layer(model, layer).path,)  # type: ignore[arg-type]  # by the signature, not several
    return tuple(each.path for each in find_layers(model, layer))


class _AttributionMethod(Streaming[HeatmapResult]):
    """An attribution method with its options.

    Attributes:
        fuse: combines the maps of several layers.
        has_target: whether its maps depend on the explained class.
        is_coarse: whether maps are reduced so far that they do not show the inputs.
    """

    fuse: Fusion | None = None
    has_target = True
    is_coarse = False

    def __init__(self, function: Attribution, title: str, paths: tuple[str, ...], calls: CallChoice) -> None:
        self.title = title
        self._function = function
        self._layers = paths
        self._choice = calls
        self._calls: tuple[Call, ...] = ()

    def trace(self, trace: Trace) -> Mapping[str, Any]:
        """The explained class of each input, if any, and the map of each call."""
        explained = trace.explained(self.targets[0], self.contrast) if self.has_target else None
        score = trace.scores.scores if explained is None else explained.score
        self._layers = self._layers or (trace.spatial_layer(None, score),)
        by_layer = {path: trace.feature_maps(path, self._choice) for path in self._layers}
        self._calls = _common_calls(by_layer)
        by_call = zip(*(features for _, features in by_layer.values()), strict=True)
        maps = [self._map(features, score) for features in by_call]
        tensors = {"maps": maps[0] if len(maps) == 1 else ops.stack(maps)}
        if explained is None:
            return tensors
        tensors |= explained.tensors
        feature_maps = [features for _, each in by_layer.values() for features in each]
        return {**tensors, **self._others(trace, feature_maps)}

    def maps_of(self, arrays: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The heatmap; none if there is one for each of several calls."""
        return {"": arrays["maps"]} if len(self._calls) == 1 else {}

    def _map(self, features: Sequence[Any], score: Any) -> Any:
        """The map of one call: of one layer, or of several, fused."""
        maps = [self._function(each, score) for each in features]
        return maps[0] if len(maps) == 1 or self.fuse is None else self.fuse(maps)

    def _others(self, trace: Trace, feature_maps: Sequence[Any]) -> Mapping[str, Any]:
        """Maps of the next most probable classes at the last spatial layer, where they cost very little.

        None with a contrast: the map of another class, without contrast, would answer another question.
        """
        if not self.of_other_classes or self.contrast is not None or len(feature_maps) > 1:
            return {}
        if not self._is_last_layer(trace):
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
            last = trace.spatial_layer(None, trace.explained(self.targets[0]).score)
        except InapplicableError:
            return False
        return self._layers == (last,)

    def accumulator(self) -> HeatmapAccumulator:
        """Accumulates the maps."""
        layer = ", ".join(self._layers)
        return HeatmapAccumulator(
            layer,
            self.title,
            self._calls,
            contrast=kind_of_contrast(self.contrast) if self.has_target else None,
            has_target=self.has_target,
            is_coarse=self.is_coarse,
        )


def _common_calls(by_layer: Mapping[str, tuple[Sequence[Call], Sequence[Any]]]) -> tuple[Call, ...]:
    """The calls of several layers, of the same inputs and frames in each.

    Raises:
        OptionError: they differ, or the maps have different numbers of spatial axes.
    """
    (first, (calls, (features, *_))), *others = by_layer.items()
    for path, (other_calls, (other_features, *_)) in others:
        inputs, other_inputs = ([(call.inputs, call.frame) for call in each] for each in (calls, other_calls))
        if inputs != other_inputs:
            raise OptionError(
                f"layers {first!r} and {path!r} are called for different inputs or frames; choose layers "
                "that are called together"
            )
        axes, other_axes = (each.shape.rank - 2 for each in (features, other_features))
        if axes != other_axes:
            raise OptionError(
                f"layers {first!r} and {path!r} have feature maps with {axes} and {other_axes} spatial axes; "
                "choose layers with the same number"
            )
    return tuple(calls)
