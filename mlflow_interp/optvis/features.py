"""The features of a layer: the number that an image is optimised for, and that inputs are ranked by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mlflow_interp.backend.feature_maps import pooled, spatial_layers
from mlflow_interp.backend.forward import Forward, forward
from mlflow_interp.backend.heads import class_scores
from mlflow_interp.backend.layouts import spatial_axes
from mlflow_interp.exceptions import OptionError

OUTPUT = "output"  # as a layer: the model's output, whose features are the scores of its classes

#: Of a feature map: all positions, the central one, or an index along each of its axes.
Position = tuple[int, ...] | Literal["centre"] | None

# An inactive ReLU has no gradient, and noise often excites a unit nowhere; a ReLU6 has none from 6 on, where
# an image is still faint. Its input is followed there at a tenth of the speed; Lucid redirects the gradient.
_LEAK = 0.1
_MOST = {"Relu": np.inf, "Relu6": 6.0}  # the largest values of these operations
_FORWARDING = {"Identity", "Cast", "EnsureShape"}


def parse_position(position: str | int | Sequence[int] | None) -> Position:
    """A position as a user gives it: None, "centre", or an index along each axis, also as text with commas.

    Raises:
        OptionError: anything else.
    """
    if position is None or position == "centre":
        return position  # type: ignore[return-value]
    parts = position.split(",") if isinstance(position, str) else np.ravel(np.array(position)).tolist()
    try:
        indices = tuple(int(part) for part in parts)
    except (TypeError, ValueError):
        indices = ()
    if not indices:
        raise OptionError(f"neuron is {position!r}; give centre, or an index along each axis such as 3,4")
    return indices


@dataclass(frozen=True)
class FeatureLayer:
    """What features are numbers of.

    Attributes:
        path: the path of the layer, or `OUTPUT`.
        position: where in its feature map; None for the mean over all positions.
        head: what the model's output is; see `backend.heads.Head`.
    """

    path: str
    position: Position = None
    head: str = "auto"

    def values(self, model: Any, passed: Forward, *, leaky: bool = False) -> Any:
        """The features of each input, (batch, features) float32, traced.

        Args:
            model: the Keras model.
            passed: a traced pass.
            leaky: whether the layer's own ReLU, if it ends in one, has a gradient below zero too.

        Raises:
            OptionError: the layer's output does not change smoothly with the input, or has no such position.
        """
        if self.path == OUTPUT:
            if self.position is not None:
                raise OptionError(
                    "neuron is given, but the output has no feature map; omit it, or give a layer"
                )
            return class_scores(passed.outputs, model, self.head).scores
        tensor = self._tensor(passed)
        if leaky:
            tensor = _leaky(tensor)
        return pooled(model, tensor, "mean", self.path) if self.position is None else self._at(model, tensor)

    def maps(self, model: Any, passed: Forward) -> Any:
        """The activations that show how alike two images are, (batch, positions, channels), traced.

        Those of the layer; for the output, those of the last layer with a spatial feature map, else its own.
        """
        import tensorflow as tf

        if self.path == OUTPUT:
            scores = class_scores(passed.outputs, model, self.head).scores
            last = list(spatial_layers(model, passed, scores))[-1:]
            tensor = passed.tapped[last[0]] if last else scores
        else:
            tensor = passed.tapped[self.path]
        rank = tensor.shape.rank
        axes = spatial_axes(model, tensor)
        if rank > 2 and axes[0] == 2:
            tensor = tf.transpose(tensor, (0, *axes, 1))
        return tf.reshape(tf.cast(tensor, tf.float32), (tf.shape(tensor)[0], -1, tensor.shape[-1]))

    def _tensor(self, passed: Forward) -> Any:
        import tensorflow as tf

        tensor = passed.tapped.get(self.path)
        if tensor is None or (tensor.shape.rank or 0) < 2 or not _is_smooth(tf, tensor, passed.inputs):
            raise OptionError(
                f"layer {self.path!r} has no output that changes smoothly with the input, so no image can be "
                "optimised for it; `mlflow-interp layers` shows the methods for each layer"
            )
        return tensor

    def _at(self, model: Any, tensor: Any) -> Any:
        """(batch, channels), the values at the position."""
        import tensorflow as tf

        axes = spatial_axes(model, tensor)
        sizes = [tensor.shape[axis] for axis in axes]
        if not axes or None in sizes:
            raise OptionError(
                f"layer {self.path!r} gives shape {tuple(tensor.shape)}, which has no positions; omit neuron"
            )
        indices = tuple(size // 2 for size in sizes) if self.position == "centre" else self.position
        shown = ",".join(map(str, indices or ()))
        if indices is None or len(indices) != len(axes):
            raise OptionError(
                f"neuron {shown!r} has {len(indices or ())} numbers, but the feature map of layer "
                f"{self.path!r} has {len(axes)} axes; give one for each, or centre"
            )
        if not all(0 <= index < size for index, size in zip(indices, sizes, strict=True)):
            raise OptionError(
                f"neuron {shown!r} is out of range: the feature map of layer {self.path!r} is "
                f"{'×'.join(map(str, sizes))}; count from 0"
            )
        for axis, index in reversed(list(zip(axes, indices, strict=True))):
            tensor = tf.gather(tensor, index, axis=axis)
        return tf.cast(tensor, tf.float32)


def features_of(model: Any, layer: FeatureLayer, inputs: Any) -> tuple[Any, Any]:
    """The features of traced inputs, with a gradient below zero, and the activations that show likeness."""
    passed = forward(model, inputs)
    return layer.values(model, passed, leaky=True), layer.maps(model, passed)


def _is_smooth(tf: Any, tensor: Any, inputs: Any) -> bool:
    return tensor.dtype.is_floating and tf.gradients(tensor, inputs)[0] is not None


def _leaky(tensor: Any) -> Any:
    """The output of a ReLU plus a tenth of what it cut off; any other tensor unchanged."""
    import tensorflow as tf

    operation = tensor.op
    while operation.type in _FORWARDING:
        operation = operation.inputs[0].op
    if operation.type not in _MOST:
        return tensor
    before = operation.inputs[0]
    cut_off = before - tf.clip_by_value(before, 0, tf.cast(_MOST[operation.type], before.dtype))
    return tensor + tf.cast(_LEAK * cut_off, tensor.dtype)
