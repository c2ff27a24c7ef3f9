"""Captures the inputs and outputs of a model in Keras' own validation pass, without running it twice."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlflow_interp.backend.forward import replaced
from mlflow_interp.backend.heads import class_scores, position_tensors
from mlflow_interp.backend.untapped import EAGER_FUNCTIONS, UNHEARD, not_tensors, obstacle, own_test_code
from mlflow_interp.core.chunk import Arrays
from mlflow_interp.core.outputs import choose, labels_for, outputs_of_structure
from mlflow_interp.exceptions import InterpretationError, reason_of


@dataclass(frozen=True)
class ValidationBatch:
    """A batch of a validation pass: inputs, true labels, predicted probabilities, sample weights.

    Attributes:
        labels: None if the validation data has none.
        positions: for a model that gives classes for positions, `positions` and optionally `mask`, as in
            `ClassScores`.
    """

    inputs: Arrays
    labels: np.ndarray | None
    probabilities: np.ndarray
    weights: np.ndarray | None
    positions: Mapping[str, np.ndarray] = field(default_factory=dict)


class _Recorded:
    """An iterator of `tf.data` over the batches of another, with the same shapes, that keeps what it reads.

    Compiled for the shapes of single batches instead, metrics would differ in their last digit.

    Attributes:
        batches: what was read.
    """

    def __init__(self, iterator: Any) -> None:
        import tensorflow as tf

        self.batches: list[Any] = []
        self._error: Exception | None = None
        self._source = iterator
        options = tf.data.Options()
        options.experimental_optimization.inject_prefetch = False  # nothing is read that is not used
        recording = tf.data.Dataset.from_generator(self._read, output_signature=iterator.element_spec)
        self._iterator = iter(recording.with_options(options))

    def run(self, function: Callable[..., Any]) -> Any:
        """Call the function with the iterator; errors of the data are passed on as they are."""
        try:
            return function(self._iterator)
        finally:
            if self._error is not None:
                raise self._error

    def _read(self) -> Iterator[Any]:
        try:
            for batch in self._source:
                self.batches.append(batch)
                yield batch
        except Exception as error:
            self._error = error


class ValidationTap:
    """Captures the inputs and outputs of the model in Keras' own validation pass, batch by batch.

    The test function is traced with one additional operation, which copies the batch and returns nothing. The
    training function is traced while the tap is closed, and is not changed. XLA can't run such an operation:
    a test function that it compiles is not changed either, and each of its batches is predicted once more.

    Args:
        model: the compiled Keras model.
        capture: called with each batch.
        stated_head: what the model's output is, as stated.
        output: the output to capture of a model with several: its name or position.

    Attributes:
        head: what the captured output is.
        capturing: whether a pass is being captured.
        possible: whether passes can be captured, as far as known.
        incomplete: whether the last pass was captured only in part.
    """

    def __init__(
        self,
        model: Any,
        capture: Callable[[ValidationBatch], None],
        *,
        stated_head: str = "auto",
        output: str | int | None = None,
    ) -> None:
        self.model = model
        self._capture = capture
        self._stated_head = stated_head
        self._output = output
        self.head = ""
        self.capturing = False
        self._untapped = model.test_function
        self._open = contextlib.ExitStack()
        self._lock = threading.Lock()  # replicas call concurrently
        self._has_opened = False
        self._is_added = False
        self._failure: str | None = None
        self._obstacle = obstacle(model)
        self.possible = self._obstacle is None
        self._copy_of_predicted: Callable[..., None] | None = None
        self.incomplete = False
        if self.possible and not model.jit_compile:
            model.test_function = None  # an existing one was traced without the tap

    def why_not(self) -> str | None:
        """Why batches can't be captured, or were not, and what to do; None if no pass missed them."""
        if self.incomplete:
            return self._failure
        if self._obstacle or self._is_added:
            return self._obstacle
        if not self._has_opened:  # a model's own `evaluate` may run a pass that callbacks are not notified of
            return own_test_code(self.model, ["evaluate"])
        return self._failure or own_test_code(self.model) or UNHEARD

    def open(self) -> None:
        """Start capturing: a validation pass begins."""
        self.close()
        self._has_opened = True
        self.incomplete = False
        if not self.possible or obstacle(self.model):  # the model may have been compiled again since
            return
        if self.model.jit_compile:
            # A model's own `evaluate` may do without the function. What failed once is not tried again.
            if self.model.test_function is None or self._failure:
                return
            name, tapped = "test_function", self._tapped_function(self.model.test_function)
        else:
            name, tapped = "compute_metrics", self._tapped_metrics(self.model.compute_metrics)
        self._open.enter_context(replaced(self.model, name, tapped))
        self.capturing = True

    def close(self) -> None:
        """Stop capturing: the pass has ended, possibly by an exception."""
        self.capturing = False
        self._open.close()

    def restore(self) -> None:
        """Restore the model's test function."""
        self.close()
        if self.possible and not self.model.jit_compile:
            self.model.test_function = self._untapped

    def _tapped_metrics(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def compute_metrics(x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
            metrics = original(x, y, y_pred, sample_weight=sample_weight)
            with self._harmless():
                self._add_copy_operation(x, y, y_pred, sample_weight)
            return metrics

        return compute_metrics

    def _tapped_function(self, original: Callable[..., Any]) -> Callable[..., Any]:
        recorded: _Recorded | None = None

        def test_function(iterator: Any) -> Any:
            nonlocal recorded
            if recorded is None and self.capturing:
                with self._harmless():
                    recorded = _Recorded(iterator)
            if recorded is None:
                self.capturing = False
                return original(iterator)
            logs = recorded.run(original)
            if self.capturing:
                with self._harmless():
                    for batch in recorded.batches:
                        self._predict(batch)
                self.capturing = not self._failure
                self.incomplete = not self.capturing
            recorded.batches.clear()
            return logs

        return test_function

    def _predict(self, batch: Any) -> None:
        """Run the model on a batch without XLA, and copy the batch out."""
        import keras
        import tensorflow as tf

        def copy_of_predicted(inputs: Any, labels: Any, weights: Any) -> None:
            outputs = self.model(inputs, training=False)
            self._add_copy_operation(inputs, labels, outputs, weights)

        if self._copy_of_predicted is None:  # compiled once for all passes
            self._copy_of_predicted = tf.function(copy_of_predicted, autograph=False, reduce_retracing=True)
        self._copy_of_predicted(*keras.utils.unpack_x_y_sample_weight(batch))

    @contextlib.contextmanager
    def _harmless(self) -> Iterator[None]:
        """Keep the reason of an error, as a batch that can't be copied must not make the validation fail."""
        try:
            yield
        except InterpretationError as error:
            self._failure = str(error)
        except Exception as error:
            reason = f"{type(error).__name__}: {reason_of(error)}"
            self._failure = f"validation batches can't be captured ({reason}); pass data="

    def _add_copy_operation(self, inputs: Any, labels: Any, outputs: Any, weights: Any) -> None:
        """Add the operation that copies a batch out.

        Raises:
            InterpretationError: the model has several outputs and none is chosen, or has no such output.
        """
        import tensorflow as tf

        if tf.executing_eagerly():  # without a graph to read scores from
            self._failure = EAGER_FUNCTIONS
            return
        known = outputs_of_structure(outputs, getattr(self.model, "output_names", ()))
        output = choose(known, self._output, self.model.name)
        scores = class_scores(output.of(outputs), self.model, self._stated_head)
        self.head = scores.head
        leaves = tf.nest.flatten(inputs)
        others = sorted({type(leaf).__name__ for leaf in leaves if not isinstance(leaf, tf.Tensor)})
        if others:  # such as None, or ragged tensors
            self._failure = not_tensors(others)
            return
        labels = labels_for(output, labels, getattr(self.model, "loss", None))
        columns = {"labels": labels, "weights": output.of(weights)}
        columns = {name: column for name, column in columns.items() if isinstance(column, tf.Tensor)}
        # Labels of positions have a positions axis.
        if "labels" in columns and (labels.shape.rank is None or labels.shape.rank > 1):
            columns |= position_tensors(scores)

        def copy(probabilities: np.ndarray, *arrays: np.ndarray) -> np.ndarray:
            if self.capturing:
                packed = tf.nest.pack_sequence_as(inputs, list(arrays[: len(leaves)]))
                given = dict(zip(columns, arrays[len(leaves) :], strict=True))
                labels, weights = given.pop("labels", None), given.pop("weights", None)
                with self._lock:
                    self._capture(ValidationBatch(packed, labels, probabilities, weights, given))
            return np.int32(0)  # type: ignore[return-value]

        tf.numpy_function(copy, [scores.probabilities, *leaves, *columns.values()], tf.int32)
        self._is_added = True
