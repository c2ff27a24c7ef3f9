"""Accumulates the inputs of one epoch: the probability of each label, and correct predictions by class."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN, Chunk, some
from mlflow_interp.core.image_arrays import thumbnails
from mlflow_interp.core.passed import Passed
from mlflow_interp.core.rows import Rows
from mlflow_interp.core.sampling import position_digests
from mlflow_interp.core.selection import DECIMALS, row_keys
from mlflow_interp.exceptions import InapplicableError, InputsError
from mlflow_interp.kinds.confusion_matrix.given import find_positions

MOST_PICTURED = 600  # inputs of which a thumbnail is kept: those with the least probable labels
THUMBNAIL_SIDE = 48  # pixels
_DIGEST_BYTES = 16


@dataclass
class Epoch:
    """The inputs of one pass, chunk by chunk.

    Inputs with the same digest and label are one row, whatever their positions. If there are more than
    `most` rows, those with the smallest hashes are kept, which are the same in every pass.

    Attributes:
        most: the maximum number of rows.
        inputs: the number of inputs with a label.
        unlabelled: the number of inputs without one.
        right: (classes,) int64, the number of correct predictions of each class; None before the first chunk.
        totals: (classes,) int64, the number of inputs of each class.
        is_sample: whether there are more rows than are kept.
        head: how probabilities were read from the output.
    """

    most: int
    inputs: int = 0
    unlabelled: int = 0
    right: np.ndarray | None = None
    totals: np.ndarray | None = None
    is_sample: bool = False
    head: str = ""
    _rows: Rows = field(default_factory=Rows)
    _pictures: Pictures = field(default_factory=lambda: Pictures())

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Add a chunk.

        Raises:
            InapplicableError: not one class for each input.
            InputsError: a label that is not a class.
        """
        probabilities = _probabilities(chunk, passed)
        self.head = passed.head
        labels = passed.labels_of(chunk)
        known = np.flatnonzero(labels != UNKNOWN)
        self.unlabelled += len(chunk) - len(known)
        self.inputs += len(known)
        self._count(chunk, labels, probabilities, known)
        if not len(known):
            return
        labelled, labels, probabilities = some(chunk, known), labels[known], probabilities[known]
        digests = _digests(labelled)
        of_label = probabilities[np.arange(len(known)), labels].astype(np.float32)
        keys = row_keys(labelled, 0)
        self._rows.add(
            labelled.indices,
            names=np.array(labelled.names, object),
            digests=digests,
            labels=labels.astype(np.int64),
            keys=keys,
            times=np.ones(len(known), np.int64),
            of_label=of_label,
            predicted=probabilities.argmax(axis=1).astype(np.int32),
            confidence=probabilities.max(axis=1).astype(np.float32),
        )
        self._pictures.add(labelled, identities(digests, labels), of_label, keys)
        if len(self._rows) > 2 * self.most:
            self._prune()

    def _count(self, chunk: Chunk, labels: np.ndarray, probabilities: np.ndarray, known: np.ndarray) -> None:
        classes = probabilities.shape[1]
        outside = known[labels[known] >= classes]
        if len(outside):
            raise InputsError(
                f"input {chunk.names[outside[0]]!r} has label {labels[outside[0]]}, but the classes are "
                f"0–{classes - 1}; give labels in this range"
            )
        is_right = probabilities[known].argmax(axis=1) == labels[known]
        right = np.bincount(labels[known][is_right], minlength=classes)
        totals = np.bincount(labels[known], minlength=classes)
        self.right = right if self.right is None else self.right + right
        self.totals = totals if self.totals is None else self.totals + totals

    def merge(self, other: Epoch) -> None:
        """Add other inputs."""
        self.inputs += other.inputs
        self.unlabelled += other.unlabelled
        self.is_sample |= other.is_sample
        self.head = self.head or other.head
        if other.right is not None:
            self.right = other.right if self.right is None else self.right + other.right
            self.totals = other.totals if self.totals is None else self.totals + other.totals
        self._rows.merge(other._rows)
        self._pictures.merge(other._pictures)
        if len(self._rows) > 2 * self.most:
            self._prune()

    def rows(self) -> dict[str, np.ndarray]:
        """The rows by name, in the order of the inputs; `times` is the number of inputs of each."""
        self._prune()
        return self._rows.arrays()

    def pictures(self) -> dict[bytes, np.ndarray]:
        """Thumbnails by identity."""
        return self._pictures.held()

    def _prune(self) -> None:
        """Join equal rows, and keep those with the smallest hashes."""
        arrays = self._rows.arrays()
        if not arrays:
            return
        same = identities(arrays["digests"], arrays["labels"])
        _, first, of_row = np.unique(same, return_index=True, return_inverse=True)
        times = np.bincount(of_row, arrays["times"]).astype(np.int64)
        arrays = {name: each[first] for name, each in arrays.items()} | {"times": times}
        if len(first) > self.most:
            self.is_sample = True
            kept = np.lexsort((arrays["labels"], arrays["keys"]))[: self.most]
            arrays = {name: each[kept] for name, each in arrays.items()}
        self._rows = Rows()
        self._rows.add(**arrays)


class Pictures:
    """Thumbnails of the inputs with the least probable labels."""

    def __init__(self) -> None:
        self._held: dict[bytes, tuple[float, int, np.ndarray]] = {}

    def add(self, chunk: Chunk, same: np.ndarray, of_label: np.ndarray, keys: np.ndarray) -> None:
        """Add the inputs of a chunk; a thumbnail is made only of those that may be kept."""
        if chunk.images is None:
            return
        rounded = np.round(of_label.astype(np.float64), DECIMALS)
        for row in np.lexsort((keys, rounded))[:MOST_PICTURED].tolist():
            place = float(rounded[row]), int(keys[row])
            if len(self._held) >= MOST_PICTURED and place > self._last:
                break
            picture = thumbnails(chunk.images[row : row + 1], THUMBNAIL_SIDE)[0]
            self._held[same[row].tobytes()] = (*place, picture)
        self._prune()

    def merge(self, other: Pictures) -> None:
        """Add those of other inputs."""
        self._held |= other._held
        self._prune()

    def held(self) -> dict[bytes, np.ndarray]:
        """Thumbnails (side, side, 3) uint8 by identity."""
        return {same: picture for same, (_, _, picture) in self._held.items()}

    @property
    def _last(self) -> tuple[float, int]:
        return max(each[:2] for each in self._held.values())

    def _prune(self) -> None:
        if len(self._held) > MOST_PICTURED:
            ranked = sorted(self._held.items(), key=lambda item: item[1][:2])
            self._held = dict(ranked[:MOST_PICTURED])


def identities(digests: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(n,) void: the digest and the label of each row, equal for equal inputs with the same label."""
    numbers = np.ascontiguousarray(labels, "<i8").view(np.uint8).reshape(len(labels), 8)
    both = np.ascontiguousarray(np.concatenate([digests, numbers], axis=1))
    return both.view(f"V{both.shape[1]}").reshape(len(labels))


def _digests(chunk: Chunk) -> np.ndarray:
    """(n, 16) uint8; from the positions of inputs that have no digests."""
    if chunk.digests is not None:
        return chunk.digests
    positions = position_digests(chunk.indices)
    return np.pad(positions, ((0, 0), (0, _DIGEST_BYTES - positions.shape[1])))


def _probabilities(chunk: Chunk, passed: Passed) -> Any:
    """(n, classes) probabilities of classes, of which each input has one.

    Raises:
        InapplicableError: the model gives values, or there are several labels for an input.
    """
    if not passed.has_classes:
        raise InapplicableError(
            "the model gives values, not classes, and training dynamics follow the probability of the label; "
            "if they are logits, pass head='logits'"
        )
    probabilities = np.asarray(passed.probabilities)
    at_positions = find_positions(chunk, passed, None) is not None
    if at_positions or (passed.has_several_labels and chunk.label_rows is not None):
        raise InapplicableError(
            "an input has several labels, and training dynamics follow the probability of one label for each "
            "input; the confusion matrix counts labels and positions"
        )
    return probabilities
