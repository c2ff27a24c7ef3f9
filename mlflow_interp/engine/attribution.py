"""Attribution methods: a function of a feature map and a class score becomes a method of the engine."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from mlflow_interp.backend.layer_tree import SpatialLayer, find_layer
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.examples import Examples
from mlflow_interp.core.explained import ExplainedAccumulator
from mlflow_interp.core.passed import Passed
from mlflow_interp.engine.method import Streaming
from mlflow_interp.engine.targets import Target
from mlflow_interp.engine.trace import Trace
from mlflow_interp.kinds.heatmap.result import HeatmapResult

#: (feature map (batch, *space, channels), class score (batch,)) => signed map (batch, *space), all traced.
Attribution = Callable[[Any, Any], Any]

_ARGUMENTS = """
Args:
    layer: The layer whose feature map is weighted: an index, a name, or a path into nested models
        such as mobilenetv2/out_relu. By default the last one with a spatial feature map.
    target: The class to explain: an index or a class name, "label" for the true label, or one
        for each input, separated by commas. By default the class that the model predicts.

Returns:
    Signed heatmaps (n, height, width), float32, at the resolution of the feature map, unscaled; of signals
    and texts (n, length), of volumes (n, depth, height, width). Figures show what is positive.

Raises:
    OptionError: no such layer, a layer without a spatial feature map, a class out of range.
    InapplicableError: the model has no spatial feature map at all.
    ModelError: the model can't take the inputs.
"""


def attribution(*, title: str) -> Callable[[Attribution], Callable[..., Streaming[HeatmapResult]]]:
    """Make a method of a function (features, score) => map, with the options `layer` and `target`.

    Args:
        title: the name of the method for people.
    """

    def declare(function: Attribution) -> Callable[..., Streaming[HeatmapResult]]:
        def method(
            model: Any, batch: Batch, *, layer: SpatialLayer = None, target: Target = None
        ) -> Streaming[HeatmapResult]:
            return _AttributionMethod(function, title, model, layer, target)

        method.__name__ = method.__qualname__ = function.__name__
        method.__module__ = function.__module__
        method.__doc__ = f"{inspect.getdoc(function)}\n{_ARGUMENTS}"
        return method

    return declare


class _AttributionMethod(Streaming[HeatmapResult]):
    """An attribution method with its options."""

    def __init__(
        self, function: Attribution, title: str, model: Any, layer: SpatialLayer, target: Target
    ) -> None:
        self.title = title
        self.targets = (target,)
        self._function = function
        self._layer = None if layer is None else find_layer(model, layer).path
        self._head = ""

    def trace(self, trace: Trace) -> Mapping[str, Any]:
        """The class explained of each input, and the map."""
        explained = trace.explained(self.targets[0])
        self._layer = trace.spatial_layer(self._layer, explained.score)
        return {
            "targets": explained.targets,
            "scores": explained.score,
            "probabilities": explained.probability,
            "maps": self._function(trace.feature_map(self._layer), explained.score),
        }

    def accumulator(self) -> HeatmapAccumulator:
        """Accumulates the maps."""
        return HeatmapAccumulator(str(self._layer), self.title)


class HeatmapAccumulator:
    """Accumulates the maps of inputs and the classes that they explain.

    Args:
        layer: the path of the layer.
        title: the name of the method.
    """

    def __init__(self, layer: str, title: str) -> None:
        self.layer = layer
        self.title = title
        self._explained = ExplainedAccumulator()

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Add the maps of a chunk."""
        self._explained.update(chunk, passed)

    def merge(self, other: HeatmapAccumulator) -> None:
        """Add the maps of other inputs."""
        self._explained.merge(other._explained)

    def result(self, examples: Examples, previous: HeatmapResult | None = None) -> HeatmapResult:
        """All maps so far."""
        explained, arrays = self._explained.result(examples)
        return HeatmapResult(explained, arrays["maps"], self.layer, self.title)
