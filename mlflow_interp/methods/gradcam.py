"""Grad-CAM: where a convolutional model looks when it decides for a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.core import Batch
from mlflow_interp.exceptions import OptionError
from mlflow_interp.explain import Explainer
from mlflow_interp.featuremaps import find_places, last_spatial_layer
from mlflow_interp.layers import Forward, SpatialLayer, find_layer
from mlflow_interp.progress import track
from mlflow_interp.results import Examples, Explained
from mlflow_interp.scores import Target

NEEDS = ("feature map",)


@dataclass(frozen=True, eq=False)
class HeatmapResult:
    """One heatmap an input.

    Attributes:
        explained: the inputs, what the model said about them, and the class explained.
        heatmaps: (n, height, width) float32 >= 0, at the resolution of the feature map, unscaled; of
            signals and texts (n, length), of volumes (n, depth, height, width).
        layer: path of the layer looked at.
    """

    explained: Explained
    heatmaps: np.ndarray
    layer: str

    @property
    def examples(self) -> Examples:
        """The inputs and what the model said about them."""
        return self.explained.examples

    @property
    def resolved(self) -> dict[str, Any]:
        """The layer that was looked at and the kind of head the scores were read from."""
        return {"layer": self.layer, "head": self.explained.head}

    def arrays(self) -> dict[str, np.ndarray]:
        """Heatmaps, targets and what the model said, by name."""
        return {"heatmaps": self.heatmaps} | self.explained.arrays()

    def metrics(self) -> dict[str, float]:
        """How sure the model is, how right, and how much of a picture its heat covers."""
        found, empty = focus(self.heatmaps), self._empty()
        metrics = self.explained.metrics() | {"empty_heatmaps": float(empty.sum())}
        return metrics if empty.all() else metrics | {"focus": float(found[~empty].mean())}

    def table(self) -> dict[str, list[Any]]:
        """A row an input."""
        return self.explained.table() | {"focus": focus(self.heatmaps).tolist()}

    def warnings(self) -> list[str]:
        """Names the inputs where nothing at this layer speaks for the target."""
        empty = [name for name, is_empty in zip(self.examples.names, self._empty(), strict=True) if is_empty]
        if not empty:
            return []
        named = ", ".join(empty[:3]) + (", …" if len(empty) > 3 else "")
        return [
            f"{len(empty)} of {len(self.heatmaps)} heatmaps are empty: nothing at layer {self.layer!r} "
            f"speaks for the target ({named}); try another layer or target"
        ]

    def _empty(self) -> np.ndarray:
        return np.asarray(self.heatmaps.reshape(len(self.heatmaps), -1).max(axis=1) <= 0)


def focus(heatmaps: np.ndarray) -> np.ndarray:
    """The smallest share of each map that holds half its heat: near 0 a spot, 0.5 everywhere alike.

    NaN where a map is empty.
    """
    flat = -np.sort(-heatmaps.reshape(len(heatmaps), -1), axis=1)
    total = flat.sum(axis=1)
    places = np.argmax(np.cumsum(flat, axis=1) >= total[:, np.newaxis] / 2, axis=1) + 1
    return np.where(total > 0, places / flat.shape[1], np.nan)


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

    explain, heatmaps = Explainer(model, batch, target, heat), []
    for chunk in track(batch.chunks(), total=batch.total, label="Grad-CAM", unit="input"):
        heatmaps.append(explain(chunk)[1])
    return HeatmapResult(explain.explained(), np.concatenate(heatmaps), str(path))


def _heatmaps(model: Any, path: str, passed: Forward, score: Any) -> Any:
    """ReLU(Σ_channels mean_space(∂score/∂A) · A) of a traced feature map A, as float32."""
    import tensorflow as tf

    feature_map = passed.tapped.get(path)
    places = None if feature_map is None else find_places(model, passed, feature_map)
    if places is None:
        shape = "nothing" if feature_map is None else f"shape {tuple(feature_map.shape)}"
        raise OptionError(
            f"layer {path!r} gives {shape}, and Grad-CAM needs a feature map over space, such as "
            "(batch, height, width, channels); `mlflow-interp layers` shows which layers have one"
        )
    gradient = tf.gradients(score, feature_map)[0]
    if gradient is None:
        raise OptionError(f"the class score does not depend on layer {path!r}; take a layer on the way to it")
    gradient, feature_map = (places.lay_out(tf.cast(each, tf.float32)) for each in (gradient, feature_map))
    weights = tf.reduce_mean(gradient, axis=range(1, feature_map.shape.rank - 1), keepdims=True)
    return tf.nn.relu(tf.reduce_sum(weights * feature_map, axis=-1))
