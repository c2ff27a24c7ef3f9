"""The pass that all methods explaining a class share: predict, choose the class, read its score."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mlflow_interp.backend.compile import any_rows, compile_for
from mlflow_interp.backend.forward import Forward, forward
from mlflow_interp.backend.heads import ClassScores, choose_targets, class_scores
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.examples import ExampleCollector, Explained
from mlflow_interp.engine.targets import Target, target_chooser

#: What a method computes in that pass: (inputs, forward pass, score (batch,)) -> tensors, one row per input.
MethodPass = Callable[[Any, Forward, Any], tuple[Any, ...]]


class Explainer:
    """One function, compiled at the first chunk: predictions, the class explained, and the method's tensors.

    Args:
        model: The Keras model.
        batch: The inputs, for their number and class names.
        target: Which class to explain; see `target_chooser`.
        method_pass: What the method itself computes in the same pass.
    """

    def __init__(self, model: Any, batch: Batch, target: Target, method_pass: MethodPass) -> None:
        self.model = model
        self.batch = batch
        self.target = target
        self.method_pass = method_pass
        self._collector = ExampleCollector(batch.class_names)
        self._rows: list[tuple[np.ndarray, ...]] = []
        self._head = ""
        self._classes = 0
        self._function: Callable[..., Any] | None = None
        self._choose: Callable[[Chunk], np.ndarray] | None = None

    def __call__(self, chunk: Chunk) -> tuple[np.ndarray, ...]:
        """The class explained of each input, (n,) int64, and what `method_pass` computed."""
        if self._function is None or self._choose is None:
            self._function = self._compile(chunk)
            self._choose = target_chooser(self.target, self.batch, self._classes)
        results = self._function(chunk.inputs, self._choose(chunk))
        probabilities, *explained = (part.numpy() for part in results[:4])
        self._collector.add(chunk, probabilities)
        self._rows.append(tuple(explained))
        return explained[0], *(part.numpy() for part in results[4:])

    def explained(self) -> Explained:
        """All inputs so far, the predictions, and the class explained."""
        targets, scores, probabilities = (np.concatenate(part) for part in zip(*self._rows, strict=True))
        return Explained(self._collector.examples(), targets, scores, probabilities, self._head)

    def _compile(self, chunk: Chunk) -> Callable[..., Any]:
        return compile_for(self._pass, chunk.inputs, any_rows(np.int64))

    def _pass(self, inputs: Any, targets: Any) -> tuple[Any, ...]:
        passed = forward(self.model, inputs)
        scores: ClassScores = class_scores(passed.outputs)
        self._head = scores.head
        self._classes = scores.scores.shape[-1]
        target_classes, score, target_probability = choose_targets(scores, targets)
        return (
            scores.probabilities,
            target_classes,
            score,
            target_probability,
            *self.method_pass(inputs, passed, score),
        )
