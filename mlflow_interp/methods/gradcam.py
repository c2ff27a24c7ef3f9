"""Grad-CAM: where a convolutional model looks when it decides for a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.core import UNKNOWN, Batch, Chunk, ExampleCollector, Examples
from mlflow_interp.exceptions import OptionError
from mlflow_interp.layers import (
    SpatialLayer,
    compile_for,
    find_layer,
    forward,
    is_spatial,
    last_spatial_layer,
    spatial_axes,
)
from mlflow_interp.progress import track
from mlflow_interp.scores import Target, choose_targets, class_scores, target_chooser


@dataclass(frozen=True, eq=False)
class HeatmapResult:
    """One heatmap an input.

    Attributes:
        examples: the inputs and what the model said about them.
        heatmaps: (n, height, width) float32 >= 0, at the resolution of the feature map, unscaled.
        targets: (n,) int64, the class explained.
        scores: (n,) float32, its logit.
        target_probabilities: (n,) float32, its probability.
        layer: path of the layer looked at.
        head: how scores were read: "softmax", "sigmoid", "binary" or "linear".
    """

    examples: Examples
    heatmaps: np.ndarray
    targets: np.ndarray
    scores: np.ndarray
    target_probabilities: np.ndarray
    layer: str
    head: str

    @property
    def resolved(self) -> dict[str, Any]:
        """The layer that was looked at and the kind of head the scores were read from."""
        return {"layer": self.layer, "head": self.head}

    def arrays(self) -> dict[str, np.ndarray]:
        """Heatmaps, targets and what the model said, by name."""
        return {
            "heatmaps": self.heatmaps,
            "targets": self.targets,
            "scores": self.scores,
            "target_probabilities": self.target_probabilities,
            "indices": self.examples.indices,
            "labels": self.examples.labels,
            "classes": self.examples.classes,
            "probabilities": self.examples.probabilities,
        }

    def metrics(self) -> dict[str, float]:
        """How sure the model is, how right, and how much of a picture its heat covers."""
        known = self.examples.labels != UNKNOWN
        right = self.examples.classes[:, 0] == self.examples.labels
        metrics = {
            "inputs": float(len(self.examples)),
            "target_probability": float(self.target_probabilities.mean()),
            "empty_heatmaps": float(self._empty().sum()),
            "focus": float(focus(self.heatmaps).mean()),
        }
        return metrics | ({"accuracy": float(right[known].mean())} if known.any() else {})

    def table(self) -> dict[str, list[Any]]:
        """A row an input: its name, what was explained, what was predicted, the label if known."""
        examples = self.examples
        return {
            "input": list(examples.names),
            "target": [examples.class_name(target) for target in self.targets.tolist()],
            "target_probability": self.target_probabilities.tolist(),
            "predicted": [examples.class_name(index) for index in examples.classes[:, 0].tolist()],
            "probability": examples.probabilities[:, 0].tolist(),
            "label": [
                None if label == UNKNOWN else examples.class_name(label) for label in examples.labels.tolist()
            ],
        }

    def warnings(self) -> list[str]:
        """Names the inputs where nothing at this layer speaks for the target."""
        empty = [name for name, is_empty in zip(self.examples.names, self._empty(), strict=True) if is_empty]
        if not empty:
            return []
        return [
            f"{len(empty)} heatmaps are empty: nothing at layer {self.layer!r} speaks for the target "
            f"({', '.join(empty[:3])}{', …' if len(empty) > 3 else ''}); try another layer or target"
        ]

    def _empty(self) -> np.ndarray:
        return np.asarray(self.heatmaps.reshape(len(self.heatmaps), -1).max(axis=1) <= 0)


def focus(heatmaps: np.ndarray) -> np.ndarray:
    """The smallest share of each map that holds half its heat: near 0 a spot, 0.5 everywhere alike."""
    flat = -np.sort(-heatmaps.reshape(len(heatmaps), -1), axis=1)
    total = flat.sum(axis=1, keepdims=True)
    reached = np.cumsum(flat, axis=1) >= np.where(total > 0, total, np.inf) / 2
    return np.asarray((np.argmax(reached, axis=1) + 1) / flat.shape[1])


def gradcam(model: Any, batch: Batch, *, layer: SpatialLayer = None, target: Target = None) -> HeatmapResult:
    """Where a convolutional model looks for a class (Grad-CAM, Selvaraju et al. 2017).

    The channels of a feature map, weighted by the mean gradient of the class score over space, summed,
    and cut at zero. The score is the logit where the model ends in a softmax or sigmoid. One compiled
    function gives prediction and heatmap, so that it costs little more than the prediction alone.

    Args:
        layer: The layer whose feature map is weighted: an index, a name, or a path into nested models
            such as mobilenetv2/out_relu. By default the last one with a spatial feature map.
        target: The class to explain: an index or a class name, "label" for the true label, or one
            for each input, separated by commas. By default the class that the model predicts.

    Returns:
        Heatmaps (n, height, width), float32, at the resolution of the feature map, unscaled.

    Raises:
        OptionError: no such layer, a layer without a spatial feature map, a class out of range.
        ModelError: the model has no spatial feature map at all, or can't take the inputs.
    """
    explain, choose, traced = None, None, _Traced()
    collector, parts = ExampleCollector(batch.class_names), []
    for chunk in track(batch.chunks(), total=batch.total, label="Grad-CAM", unit="input"):
        if explain is None or choose is None:
            explain = _compile(model, chunk, layer, traced)
            choose = target_chooser(target, batch, traced.classes)
        *found, probabilities = (part.numpy() for part in explain(chunk.inputs, choose(chunk)))
        collector.add(chunk, probabilities)
        parts.append(found)
    heatmaps, targets, scores, chances = (np.concatenate(part) for part in zip(*parts, strict=True))
    return HeatmapResult(collector.examples(), heatmaps, targets, scores, chances, traced.layer, traced.head)


@dataclass
class _Traced:
    """What only tracing tells."""

    layer: str = ""
    head: str = ""
    classes: int = 0


def _compile(model: Any, chunk: Chunk, layer: SpatialLayer, traced: _Traced) -> Any:
    import tensorflow as tf

    wanted = None if layer is None else find_layer(model, layer).path

    def explain(inputs: Any, targets: Any) -> tuple[Any, ...]:
        passed = forward(model, inputs)
        scores = class_scores(passed.outputs)
        path = wanted or last_spatial_layer(model, passed, scores.scores)
        traced.layer, traced.head, traced.classes = path, scores.head, scores.scores.shape[-1]
        feature_map = passed.tapped.get(path)
        chosen, score = choose_targets(scores, targets)
        chance = tf.gather(scores.probabilities, chosen, batch_dims=1)
        heatmaps = _heatmaps(model, path, feature_map, score)
        return heatmaps, chosen, score, chance, scores.probabilities

    return compile_for(explain, chunk.inputs, tf.TensorSpec([None], tf.int64))


def _heatmaps(model: Any, path: str, feature_map: Any, score: Any) -> Any:
    """ReLU(Σ_channels mean_space(∂score/∂A) · A) of a traced feature map A, as float32."""
    import tensorflow as tf

    if feature_map is None or not is_spatial(model, feature_map):
        shape = "nothing" if feature_map is None else f"shape {tuple(feature_map.shape)}"
        raise OptionError(
            f"layer {path!r} gives {shape}, and Grad-CAM needs a feature map over space, such as "
            "(batch, height, width, channels); `mlflow-interp layers` shows which layers have one"
        )
    gradient = tf.gradients(score, feature_map)[0]
    if gradient is None:
        raise OptionError(f"the class score does not depend on layer {path!r}; take a layer on the way to it")
    space = spatial_axes(model, feature_map)
    channels = 1 if 1 not in space else -1
    weights = tf.reduce_mean(tf.cast(gradient, tf.float32), axis=space, keepdims=True)
    return tf.nn.relu(tf.reduce_sum(weights * tf.cast(feature_map, tf.float32), axis=channels))
