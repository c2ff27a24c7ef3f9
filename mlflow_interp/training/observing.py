"""What `fit` has at hand, seen without touching it: its data, and what its validation pass gives.

Nothing of the user's is iterated a second time where it can be helped: a generator would be used up, a
shuffled dataset give other inputs, a slow one cost its time again.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np

from mlflow_interp.core import Arrays, flatten, map_arrays
from mlflow_interp.layers import replaced
from mlflow_interp.sampling import stratified
from mlflow_interp.scores import class_scores

_MOST_KEPT = 512 * 2**20  # bytes of inputs a sample is chosen from


@dataclass(frozen=True)
class FitData:
    """What `fit` was given, after it has split off validation data.

    Attributes:
        training: (inputs, labels) of the training data; labels None where they come with the inputs.
        validation: the same of the validation data, None where there is none.
    """

    training: tuple[Any, Any] = (None, None)
    validation: tuple[Any, Any] | None = None


def fit_frame(model: Any) -> FrameType | None:
    """The call of `fit` that is under way in this thread; None where there is none."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "fit" and frame.f_locals.get("self") is model:
            return frame
        frame = frame.f_back
    return None


def fit_data(frame: FrameType | None) -> FitData:
    """Read it off a call of `fit`, by its public parameters."""
    found = {} if frame is None else frame.f_locals
    return FitData((found.get("x"), found.get("y")), _pair(found.get("validation_data")))


def is_under_way(frame: FrameType, thread: int) -> bool:
    """Whether a thread is still in a call."""
    at = sys._current_frames().get(thread)
    while at is not None and at is not frame:
        at = at.f_back
    return at is frame


def was_interrupted(frame: FrameType) -> bool:
    """Whether the last exception that nobody caught is a Ctrl-C that came through a call."""
    error = getattr(sys, "last_value", None)
    traceback = error.__traceback__ if isinstance(error, KeyboardInterrupt) else None
    while traceback is not None and traceback.tb_frame is not frame:
        traceback = traceback.tb_next
    return traceback is not None


def _pair(data: Any) -> tuple[Any, Any] | None:
    if data is None:
        return None
    if isinstance(data, (tuple, list)) and len(data) in (2, 3):
        return data[0], data[1]
    return data, None


def as_arrays(data: tuple[Any, Any] | None) -> tuple[Arrays, np.ndarray | None] | None:
    """Inputs and labels where they lie in memory as arrays; None for datasets and generators."""
    if data is None or not _in_memory(data[0]):
        return None
    labels = None if data[1] is None or not _in_memory(data[1]) else np.asarray(data[1])
    inputs = data[0]
    structure = tuple(inputs) if isinstance(inputs, list) else inputs
    return map_arrays(np.asarray, structure), labels


def _in_memory(values: Any) -> bool:
    leaves = values.values() if isinstance(values, Mapping) else values
    if isinstance(values, (Mapping, tuple, list)):
        return bool(values) and all(hasattr(each, "__array__") and np.ndim(each) > 0 for each in leaves)
    return hasattr(values, "__array__") and hasattr(values, "shape")


def choose(inputs: Arrays, labels: np.ndarray | None, count: int, seed: int) -> np.ndarray:
    """Positions of a sample of inputs, every class in its share where there are labels of classes."""
    return stratified(class_of_rows(labels, len(flatten(inputs)[0])), count, seed=seed)


def class_of_rows(labels: np.ndarray | None, total: int) -> np.ndarray:
    """(n,) something to stratify by: classes, or nothing where labels aren't classes."""
    if labels is None:
        return np.zeros(total, np.int64)
    values = np.asarray(labels).reshape(total, -1)
    if values.shape[1] > 1:
        return np.asarray(values.argmax(axis=1))
    return values[:, 0] if is_classes(values) else np.zeros(total, np.int64)


def is_classes(labels: np.ndarray | None) -> bool:
    """Whether labels are classes, and not the numbers of a regression."""
    if labels is None:
        return False
    values = np.asarray(labels)
    return values.dtype.kind in "biuSUO" or bool((values == np.floor(values)).all() and (values >= 0).all())


@dataclass(frozen=True)
class Seen:
    """A piece of a validation pass: what went in, the true labels, what came out, how much it weighs."""

    inputs: Arrays
    labels: np.ndarray
    probabilities: np.ndarray
    weights: np.ndarray | None


class ValidationTap:
    """Hears what Keras' own validation pass feeds the model and gets from it, batch by batch.

    The test function is traced with one more operation in it, which copies and gives nothing back. The
    function that trains is traced while nobody listens, and is not touched.

    Args:
        model: the Keras model, compiled.
        hear: called with each batch.
    """

    def __init__(self, model: Any, hear: Callable[[Seen], None]) -> None:
        self.model, self._hear, self.head, self.listening = model, hear, "", False
        self._kept, self._open = model.test_function, contextlib.ExitStack()
        self._lock = threading.Lock()  # replicas call at the same time
        # XLA can't call back, and eager code has no graph to read scores off.
        self.possible = not (model.jit_compile or model.run_eagerly)
        if self.possible:
            model.test_function = None  # one that was made before has no tap in it

    def open(self) -> None:
        """Listen: a validation pass begins."""
        self.close()
        if self.possible:
            heard = self._compute_metrics(self.model.compute_metrics)
            self._open.enter_context(replaced(self.model, "compute_metrics", heard))
            self.listening = True

    def close(self) -> None:
        """Listen no more: the pass has ended, or an exception has ended it."""
        self.listening = False
        self._open.close()

    def restore(self) -> None:
        """Leave the model as it was."""
        self.close()
        if self.possible:
            self.model.test_function = self._kept

    def _compute_metrics(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def compute_metrics(x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
            metrics = original(x, y, y_pred, sample_weight=sample_weight)
            self._add(x, y, y_pred, sample_weight)
            return metrics

        return compute_metrics

    def _add(self, inputs: Any, labels: Any, outputs: Any, weights: Any) -> None:
        """Add the operation that copies a batch out, where there is one output with labels."""
        import tensorflow as tf

        if not (tf.is_tensor(labels) and tf.is_tensor(outputs)) or tf.executing_eagerly():
            return
        scores = class_scores(outputs)
        self.head, leaves = scores.head, tf.nest.flatten(inputs)
        weighing = [weights] if tf.is_tensor(weights) else []

        def copy(given: np.ndarray, said: np.ndarray, *more: np.ndarray) -> np.ndarray:
            if self.listening:
                packed = tf.nest.pack_sequence_as(inputs, list(more[: len(leaves)]))
                rest = more[len(leaves) :]
                with self._lock:
                    self._hear(Seen(packed, given, said, rest[0] if rest else None))
            return np.int32(0)  # type: ignore[return-value]

        tf.numpy_function(copy, [labels, scores.probabilities, *leaves, *weighing], tf.int32)


class Sampler:
    """Chooses a sample out of batches as they go by, without knowing how many come."""

    def __init__(self, count: int, seed: int) -> None:
        self._count, self._seed = count, seed
        self._generator = np.random.default_rng(seed)
        self._parts: list[tuple[np.ndarray, np.ndarray, list[np.ndarray], np.ndarray]] = []
        self._like: Arrays = None
        self._seen = 0

    def add(self, seen: Seen) -> None:
        """Look at a batch; of what was seen at most a few times the sample is kept."""
        leaves, rows = flatten(seen.inputs), len(seen.labels)
        self._like = seen.inputs
        keys = self._generator.random(rows)
        positions = np.arange(self._seen, self._seen + rows)
        # Copies: TensorFlow's memory is used again for the next batch.
        self._parts.append((keys, positions, [np.array(leaf) for leaf in leaves], np.array(seen.labels)))
        self._seen += rows
        if sum(len(part[0]) for part in self._parts) > 2 * self._kept_rows():
            self._thin()

    def _kept_rows(self) -> int:
        a_row = sum(leaf[:1].nbytes for leaf in self._parts[0][2])
        return max(self._count, min(4 * self._count, _MOST_KEPT // max(1, 2 * a_row)))

    def _thin(self) -> None:
        """Keep those with the smallest of the keys drawn: as likely each."""
        keys, positions, leaves, labels = self._joined()
        rows = np.sort(np.argsort(keys, kind="stable")[: self._kept_rows()])
        self._parts = [(keys[rows], positions[rows], [leaf[rows] for leaf in leaves], labels[rows])]

    def _joined(self) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], np.ndarray]:
        keys, positions, leaves, labels = zip(*self._parts, strict=True)
        columns = [np.concatenate(column) for column in zip(*leaves, strict=True)]
        return np.concatenate(keys), np.concatenate(positions), columns, np.concatenate(labels)

    def sample(self) -> tuple[Arrays, np.ndarray, np.ndarray] | None:
        """Inputs, labels and positions of the sample; None where nothing went by."""
        if not self._parts:
            return None
        self._thin()
        _, positions, leaves, labels = self._joined()
        rows = choose(leaves[0], labels, self._count, self._seed)
        found = iter([leaf[rows] for leaf in leaves])
        if isinstance(self._like, Mapping):
            inputs: Arrays = {key: next(found) for key in sorted(self._like)}
        elif isinstance(self._like, (tuple, list)):
            inputs = tuple(found)
        else:
            inputs = next(found)
        return inputs, labels[rows], positions[rows]
