"""Grad-CAM: where a convolutional model looks when it decides for a class."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlflow_interp.backend import ops
from mlflow_interp.backend.feature_maps import last_spatial_layer, map_and_gradient
from mlflow_interp.backend.forward import Forward
from mlflow_interp.backend.layer_tree import SpatialLayer, find_layer
from mlflow_interp.core.batch import Batch
from mlflow_interp.engine.explain import Explainer
from mlflow_interp.engine.targets import Target
from mlflow_interp.kinds.heatmap.result import HeatmapResult
from mlflow_interp.progress import track

REQUIRES = ("feature map",)


def gradcam(model: Any, batch: Batch, *, layer: SpatialLayer = None, target: Target = None) -> HeatmapResult:
    """Where a convolutional model looks for a class (Grad-CAM, Selvaraju et al. 2017).

    The channels of a feature map, weighted by the mean gradient of the class score over space, summed,
    and cut at zero. The score is the logit where the model ends in a softmax or sigmoid. One compiled
    function gives prediction and heatmap, so that it costs little more than the prediction alone.

    The tokens of a vision transformer are laid out on their grid of patches, without the class token, and
    the last layer is taken whose patches the class still depends on, as is the practice of Gildenblat et
    al.'s pytorch-grad-cam (2021). A segmentation's score is the mean over the picture.

    Args:
        layer: The layer whose feature map is weighted: an index, a name, or a path into nested models
            such as mobilenetv2/out_relu. By default the last one with a spatial feature map.
        target: The class to explain: an index or a class name, "label" for the true label, or one
            for each input, separated by commas. By default the class that the model predicts.

    Returns:
        Heatmaps (n, height, width), float32, at the resolution of the feature map, unscaled; of signals
        and texts (n, length), of volumes (n, depth, height, width).

    Raises:
        OptionError: no such layer, a layer without a spatial feature map, a class out of range.
        InapplicableError: the model has no spatial feature map at all.
        ModelError: the model can't take the inputs.
    """
    path = None if layer is None else find_layer(model, layer).path

    def heat(_inputs: Any, passed: Forward, score: Any) -> tuple[Any, ...]:
        nonlocal path
        path = path or last_spatial_layer(model, passed, score)
        return (_heatmaps(model, path, passed, score),)

    explain = Explainer(model, batch, target, heat)
    heatmaps = []
    for chunk in track(batch.chunks(), total=batch.total, label="Grad-CAM", unit="input"):
        heatmaps.append(explain(chunk)[1])
    return HeatmapResult(explain.explained(), np.concatenate(heatmaps), str(path))


def _heatmaps(model: Any, path: str, passed: Forward, score: Any) -> Any:
    """ReLU(Σ_channels mean_space(∂score/∂A) · A) of a traced feature map A, as float32."""
    feature_map, gradient = map_and_gradient(model, passed, path, score)
    weights = ops.mean_over_space(gradient)
    return ops.relu(ops.sum_over_channels(weights * feature_map))
