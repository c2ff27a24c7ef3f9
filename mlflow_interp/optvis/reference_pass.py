"""The pass over the inputs before optimisation: which layers, and how similar their activations are."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlflow_interp.backend.compile import compile_for
from mlflow_interp.backend.feature_maps import last_spatial_layer
from mlflow_interp.backend.forward import Forward, forward
from mlflow_interp.backend.heads import class_scores
from mlflow_interp.backend.layer_tree import Layers, find_layers, is_channels_first
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.examples import ExampleCollector
from mlflow_interp.exceptions import InapplicableError, OptionError


class ReferencePass:
    """Collects predictions and the cosines between activations, chunk by chunk.

    Args:
        model: The Keras model.
        layers: The layers; None for the last one with a spatial feature map.
        class_names: Names of the model's classes.

    Raises:
        OptionError: no such layer.
    """

    def __init__(self, model: Any, layers: Layers, class_names: tuple[str, ...] | None) -> None:
        self.model = model
        self.layers = () if layers is None else tuple(layer.path for layer in find_layers(model, layers))
        self.uses: dict[str, int] = {}
        self._collector = ExampleCollector(class_names)
        self._baselines: list[np.ndarray] = []
        self._compiled: Any = None

    def __call__(self, chunk: Chunk) -> None:
        """Take in a chunk; from the first one on, `layers` and `uses` are known.

        Raises:
            InapplicableError: inputs that are not grey or colour images.
            OptionError: a layer without a gradient with respect to the input.
        """
        self._check(chunk)
        self._compiled = self._compiled or compile_for(self._probabilities_and_cosines, chunk.inputs)
        inputs = chunk.inputs
        if len(chunk) == 1:
            height_axis = 2 if is_channels_first(self.model) else 1
            inputs = np.concatenate([inputs, np.flip(inputs, height_axis)])
        probabilities, *cosines = (tensor.numpy() for tensor in self._compiled(inputs))
        self._collector.add(chunk, probabilities[: len(chunk)])
        self._baselines.append(np.stack([_mean_of_others(each)[: len(chunk)] for each in cosines], axis=1))

    def results(self) -> dict[str, Any]:
        """The examples, and the cosine (n, layers) of other inputs in the same chunk with each."""
        return {
            "examples": self._collector.examples(),
            "baseline_cosines": np.concatenate(self._baselines),
        }

    def _probabilities_and_cosines(self, inputs: Any) -> tuple[Any, ...]:
        passed = forward(self.model, inputs)
        scores = class_scores(passed.outputs)
        self.layers = self.layers or (last_spatial_layer(self.model, passed, scores.scores),)
        self.uses = passed.uses
        return scores.probabilities, *(self._cosines(path, passed, inputs) for path in self.layers)

    def _cosines(self, path: str, passed: Forward, inputs: Any) -> Any:
        """The cosines (n, n) between the activations of inputs."""
        import tensorflow as tf

        tensor = passed.tapped.get(path)
        if tensor is None or tf.gradients(tensor, inputs)[0] is None:
            raise OptionError(
                f"layer {path!r} gives nothing that changes smoothly with the input, so nothing can be "
                "drawn for it; `mlflow-interp layers` shows what each method can use"
            )
        rows = tf.reshape(tf.cast(tensor, tf.float32), (tf.shape(tensor)[0], -1))
        rows = tf.math.l2_normalize(rows, axis=1)
        return tf.matmul(rows, rows, transpose_b=True)

    def _check(self, chunk: Chunk) -> None:
        inputs = chunk.inputs
        if isinstance(inputs, np.ndarray) and inputs.ndim == 4 and chunk.images is not None:
            channels = inputs.shape[1 if is_channels_first(self.model) else -1]
            if channels in (1, 3):
                return
        shape = inputs.shape[1:] if isinstance(inputs, np.ndarray) else f"of {type(inputs).__name__}"
        raise InapplicableError(
            "a caricature is drawn of grey or colour pictures, (height, width, 1 or 3 channels), and these "
            f"inputs are {shape}"
        )


def _mean_of_others(cosines: np.ndarray) -> np.ndarray:
    others = cosines.sum(axis=1) - np.diag(cosines)
    return np.asarray(others / (len(cosines) - 1), np.float32)
