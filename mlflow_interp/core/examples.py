"""Inputs and what the model predicted for them, one row per input."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN, Chunk

MOST_IMAGES = 64  # a person reads no more in one figure; pages and figures sample to this
MOST_VALUES = 2**20  # of an input that is not an image and is stored to be drawn


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs and what the model predicted for them: one row per input.

    Attributes:
        indices: (n,) int64 positions in the inputs as given.
        names: n names for people.
        labels: (n,) int64, `UNKNOWN` where not given.
        classes: (n, k) int64, the k most probable classes, best first.
        probabilities: (n, k) float32, of these classes.
        class_names: names of the classes, or None.
        images: (m, height, width, 3) uint8, of the m <= 64 inputs that are shown; None if not images.
        values: (m, …) of the inputs that are shown, as the model is fed them; None if they are images, if
            the model has several inputs, or if they are large.
        shown: (m,) int64 the rows of the inputs that are shown, ascending; None for the first 64.
        thumbnails: (n, side, side, 3) uint8 of all inputs; None if not images, or not kept.
        digests: (n, 16) uint8, identifies each input as it was given; None where not known.
    """

    indices: np.ndarray
    names: tuple[str, ...]
    labels: np.ndarray
    classes: np.ndarray
    probabilities: np.ndarray
    class_names: tuple[str, ...] | None
    images: np.ndarray | None
    values: np.ndarray | None = None
    shown: np.ndarray | None = None
    thumbnails: np.ndarray | None = None
    digests: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def shown_rows(self) -> np.ndarray:
        """(m,) int64 the rows of the inputs that figures and pages show; `images` has an image of each."""
        return np.arange(min(len(self), MOST_IMAGES)) if self.shown is None else self.shown

    def arrays(self) -> dict[str, np.ndarray]:
        """Positions, labels and predictions, by name."""
        return {
            "indices": self.indices,
            "labels": self.labels,
            "classes": self.classes,
            "probabilities": self.probabilities,
        }

    def table(self) -> dict[str, list[Any]]:
        """One row per input: its name, the predicted class, the label if known."""
        name = self.class_name
        return {
            "input": list(self.names),
            "predicted": [name(index) for index in self.classes[:, 0].tolist()],
            "probability": self.probabilities[:, 0].tolist(),
            "label": [None if label == UNKNOWN else name(label) for label in self.labels.tolist()],
        }

    def class_name(self, index: int) -> str:
        """The name of a class, or its number where it has none."""
        known = self.class_names is not None and 0 <= index < len(self.class_names)
        return self.class_names[index] if known and self.class_names else str(index)


@dataclass(frozen=True, eq=False)
class Explained:
    """Examples and the class of each that was explained.

    Attributes:
        examples: the inputs and what the model predicted for them.
        targets: (n,) int64, the class explained.
        scores: (n,) float32, its logit.
        probabilities: (n,) float32, its probability.
        head: how scores were read: "softmax", "sigmoid", "binary" or "linear".
    """

    examples: Examples
    targets: np.ndarray
    scores: np.ndarray
    probabilities: np.ndarray
    head: str

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything but names and images, by name."""
        return {
            "targets": self.targets,
            "scores": self.scores,
            "target_probabilities": self.probabilities,
        } | self.examples.arrays()

    def metrics(self) -> dict[str, float]:
        """The number of inputs, the mean target probability, and the accuracy where labels are known."""
        known = self.examples.labels != UNKNOWN
        correct = self.examples.classes[:, 0] == self.examples.labels
        metrics = {
            "inputs": float(len(self.examples)),
            "target_probability": float(self.probabilities.mean()),
        }
        return metrics | ({"accuracy": float(correct[known].mean())} if known.any() else {})

    def table(self) -> dict[str, list[Any]]:
        """One row per input: its name, the target, the predicted class, the label if known."""
        explained = {
            "input": list(self.examples.names),
            "target": [self.examples.class_name(target) for target in self.targets.tolist()],
            "target_probability": self.probabilities.tolist(),
        }
        return explained | self.examples.table()


class ExampleCollector:
    """Builds `Examples` chunk by chunk, storing only what they hold: memory does not grow with images."""

    def __init__(self, class_names: tuple[str, ...] | None, *, top: int = 5) -> None:
        self.class_names = class_names
        self.top = top
        self._rows: list[tuple[Chunk, np.ndarray, np.ndarray]] = []
        self._images: list[np.ndarray] = []
        self._values: list[np.ndarray] = []

    def add(self, chunk: Chunk, probabilities: np.ndarray) -> None:
        """Add a chunk and the probabilities (n, classes) that the model gave for its inputs."""
        top = np.argsort(-probabilities, axis=1, kind="stable")[:, : self.top]
        best = np.take_along_axis(probabilities, top, axis=1).astype(np.float32)
        remaining = MOST_IMAGES - sum(map(len, self._images))
        if chunk.images is not None and remaining > 0:
            self._images.append(chunk.images[:remaining].copy())
        self._add_values(chunk)
        without_arrays = replace(chunk, inputs=None, images=None, label_rows=None)
        self._rows.append((without_arrays, top.astype(np.int64), best))

    def _add_values(self, chunk: Chunk) -> None:
        remaining = MOST_IMAGES - sum(map(len, self._values))
        is_one_array = chunk.images is None and isinstance(chunk.inputs, np.ndarray)
        if is_one_array and remaining > 0 and chunk.inputs[0].size <= MOST_VALUES:
            self._values.append(chunk.inputs[:remaining].copy())

    def examples(self) -> Examples:
        """Everything added so far."""
        chunks, classes, probabilities = zip(*self._rows, strict=True)
        return Examples(
            indices=np.concatenate([chunk.indices for chunk in chunks]),
            names=tuple(name for chunk in chunks for name in chunk.names),
            labels=np.concatenate([chunk.labels for chunk in chunks]),
            classes=np.concatenate(classes),
            probabilities=np.concatenate(probabilities),
            class_names=self.class_names,
            images=np.concatenate(self._images) if self._images else None,
            values=np.concatenate(self._values) if self._values else None,
        )
