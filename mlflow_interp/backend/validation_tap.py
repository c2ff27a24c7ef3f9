"""What Keras' own validation pass feeds a model and gets from it, without running it twice."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.backend.forward import replaced
from mlflow_interp.backend.heads import class_scores
from mlflow_interp.core.chunk import Arrays


@dataclass(frozen=True)
class ValidationBatch:
    """A batch of a validation pass: inputs, true labels, predicted probabilities, sample weights."""

    inputs: Arrays
    labels: np.ndarray
    probabilities: np.ndarray
    weights: np.ndarray | None


class ValidationTap:
    """Captures what Keras' own validation pass feeds the model and gets from it, batch by batch.

    The test function is traced with one more operation in it, which copies and gives nothing back. The
    function that trains is traced while the tap is closed, and is not touched.

    Args:
        model: the Keras model, compiled.
        capture: called with each batch.
        stated_head: what the model's output is.
    """

    def __init__(
        self, model: Any, capture: Callable[[ValidationBatch], None], *, stated_head: str = "auto"
    ) -> None:
        self.model = model
        self._capture = capture
        self._stated_head = stated_head
        self.head = ""
        self.capturing = False
        self._untapped = model.test_function
        self._open = contextlib.ExitStack()
        self._lock = threading.Lock()  # replicas call at the same time
        # XLA can't call back, and eager code has no graph to read scores off.
        self.possible = not (model.jit_compile or model.run_eagerly)
        if self.possible:
            model.test_function = None  # one that exists already was traced without the tap

    def open(self) -> None:
        """Capture from now on: a validation pass begins."""
        self.close()
        if self.possible:
            tapped = self._tapped_metrics(self.model.compute_metrics)
            self._open.enter_context(replaced(self.model, "compute_metrics", tapped))
            self.capturing = True

    def close(self) -> None:
        """Stop capturing: the pass has ended, or was ended by an exception."""
        self.capturing = False
        self._open.close()

    def restore(self) -> None:
        """Restore the model's test function."""
        self.close()
        if self.possible:
            self.model.test_function = self._untapped

    def _tapped_metrics(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def compute_metrics(x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
            metrics = original(x, y, y_pred, sample_weight=sample_weight)
            self._add_copy_operation(x, y, y_pred, sample_weight)
            return metrics

        return compute_metrics

    def _add_copy_operation(self, inputs: Any, labels: Any, outputs: Any, weights: Any) -> None:
        """Add the operation that copies a batch out, where there is one output with labels."""
        import tensorflow as tf

        if not (tf.is_tensor(labels) and tf.is_tensor(outputs)) or tf.executing_eagerly():
            return
        scores = class_scores(outputs, self.model, self._stated_head)
        self.head = scores.head
        leaves = tf.nest.flatten(inputs)
        weight_tensors = [weights] if tf.is_tensor(weights) else []

        def copy(labels: np.ndarray, probabilities: np.ndarray, *arrays: np.ndarray) -> np.ndarray:
            if self.capturing:
                packed = tf.nest.pack_sequence_as(inputs, list(arrays[: len(leaves)]))
                weight_arrays = arrays[len(leaves) :]
                with self._lock:
                    self._capture(
                        ValidationBatch(
                            packed, labels, probabilities, weight_arrays[0] if weight_arrays else None
                        )
                    )
            return np.int32(0)  # type: ignore[return-value]

        tf.numpy_function(copy, [labels, scores.probabilities, *leaves, *weight_tensors], tf.int32)
