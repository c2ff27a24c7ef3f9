"""The pass over the inputs that comes before any drawing: which layers, and how alike they see the inputs."""

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
    """Looks at inputs chunk by chunk, and keeps what the model said of them.

    Args:
        model: The Keras model.
        layers: Which layers to look at; None for the last with a spatial feature map.
        class_names: Names of the model's classes.

    Raises:
        OptionError: a layer is not there.
    """

    def __init__(self, model: Any, layers: Layers, class_names: tuple[str, ...] | None) -> None:
        self.model = model
        self.layers = () if layers is None else tuple(place.path for place in find_layers(model, layers))
        self.uses: dict[str, int] = {}
        self._collector = ExampleCollector(class_names)
        self._baselines: list[np.ndarray] = []
        self._function: Any = None

    def __call__(self, chunk: Chunk) -> None:
        """Look at a chunk; from the first one on, `layers` and `uses` are known.

        Raises:
            InapplicableError: inputs that are no grey or colour pictures.
            OptionError: a layer without a gradient to the input.
        """
        self._check(chunk)
        self._function = self._function or compile_for(self._look, chunk.inputs)
        inputs = chunk.inputs
        if len(chunk) == 1:
            height = 2 if is_channels_first(self.model) else 1
            inputs = np.concatenate([inputs, np.flip(inputs, height)])
        probabilities, *cosines = (part.numpy() for part in self._function(inputs))
        self._collector.add(chunk, probabilities[: len(chunk)])
        self._baselines.append(np.stack([_mean_of_others(each)[: len(chunk)] for each in cosines], axis=1))

    def found(self) -> dict[str, Any]:
        """The examples, and the cosine (n, layers) of other inputs in the same chunk with each."""
        return {
            "examples": self._collector.examples(),
            "baseline_cosines": np.concatenate(self._baselines),
        }

    def _look(self, inputs: Any) -> tuple[Any, ...]:
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
        inputs, pictures = chunk.inputs, chunk.images
        if isinstance(inputs, np.ndarray) and inputs.ndim == 4 and pictures is not None:
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
