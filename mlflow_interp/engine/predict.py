"""One compiled pass that predicts a chunk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mlflow_interp.backend.compile import compile_for
from mlflow_interp.backend.forward import forward
from mlflow_interp.backend.heads import class_scores
from mlflow_interp.core.chunk import Arrays, Chunk
from mlflow_interp.exceptions import InapplicableError, InputsError


class Predictor:
    """Runs a model on chunks; compiled for inputs of the shapes and types of `like`.

    Attributes:
        head: "softmax", "sigmoid", "binary" or "linear", see `heads.class_scores`.
        classes: the number of classes.

    Raises:
        InapplicableError: the model's output is one number that is not a probability.
    """

    def __init__(self, model: Any, like: Arrays) -> None:
        self.head = ""
        self.classes = 0
        self._function: Callable[..., Any] = compile_for(lambda inputs: self._pass(model, inputs), like)
        if self.head == "linear" and self.classes == 1:
            raise InapplicableError(
                f"model {model.name!r} ends in one number without a sigmoid, which names no class; where it "
                "is a logit, wrap it: keras.Sequential([model, keras.layers.Activation('sigmoid')])"
            )

    def _pass(self, model: Any, inputs: Any) -> Any:
        scores = class_scores(forward(model, inputs).outputs)
        self.head = scores.head
        self.classes = int(scores.probabilities.shape[-1])
        return scores.probabilities

    def __call__(self, chunk: Chunk) -> np.ndarray:
        """Probabilities (n, classes) float32.

        Raises:
            InputsError: they are not finite.
        """
        probabilities = np.asarray(self._function(chunk.inputs).numpy())
        invalid = np.flatnonzero(~np.isfinite(probabilities).all(axis=1))
        if len(invalid):
            raise InputsError(
                f"the model gives NaN or infinite values for input {chunk.names[invalid[0]]!r} "
                f"({len(invalid)} of {len(chunk)} in its chunk); check the model's weights, or leave "
                "these inputs out"
            )
        return probabilities
