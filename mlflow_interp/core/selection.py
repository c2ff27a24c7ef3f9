"""The inputs to show, selected while all inputs stream by.

At most `most`: a quarter each of the most confident errors, the least confident predictions and the most
confident correct predictions of different classes; the rest by hash. Every choice is a top-k under a total
order, so that parts can be merged: the result does not depend on how inputs are split or ordered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN, Chunk, join, some
from mlflow_interp.core.passed import Passed
from mlflow_interp.core.sampling import sampling_keys

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)

DECIMALS = 5  # confidences are rounded, so that the batch size can't change an order

#: A sort key, lowest first: a rank, the hash that decides between equal ranks, the index.
_Place = tuple[float, int, int]


class Selection:
    """Selects inputs, and keeps the data to show and explain them.

    Args:
        most: the maximum number of inputs to select.
        seed: the seed of the hashes.
        with_inputs: whether to keep the prepared inputs in addition to images.
        by_predictions: whether predictions matter; otherwise the choice is by hash alone, and the same for
            every model.
    """

    def __init__(
        self, most: int, *, seed: int = 0, with_inputs: bool = False, by_predictions: bool = True
    ) -> None:
        self.most = most
        self.seed = seed
        self.with_inputs = with_inputs
        self.by_predictions = by_predictions
        self._errors: list[_Place] = []
        self._least_confident: list[_Place] = []
        self._right: dict[int, list[_Place]] = {}
        self._by_hash: list[_Place] = []
        self._rows: dict[int, Chunk] = {}

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Add a chunk of inputs and their predictions."""
        keys = row_keys(chunk, self.seed)
        self._by_hash += [
            (0.0, key, index) for key, index in zip(keys.tolist(), chunk.indices.tolist(), strict=True)
        ]
        probabilities = passed.probabilities if passed.has_classes else None
        if self.by_predictions and probabilities is not None and probabilities.shape[1] > 1:
            self._rank(chunk, passed, keys)
        self._prune()
        kept = self._candidates()
        for row, index in enumerate(chunk.indices.tolist()):
            if index in kept:
                self._rows[index] = self._held(chunk, row)
        self._drop_rows(kept)

    def merge(self, other: Selection) -> None:
        """Merge another selection."""
        self._by_hash += other._by_hash
        self._errors += other._errors
        self._least_confident += other._least_confident
        for label, places in other._right.items():
            self._right.setdefault(label, []).extend(places)
        self._rows |= other._rows
        self._prune()
        self._drop_rows(self._candidates())

    def chosen(self) -> list[int]:
        """The indices of the chosen inputs, ascending."""
        groups = (self._errors, self._least_confident, self._right_by_class())
        first = {index for group in groups for _, _, index in group[: self._quota]}
        rest = (index for _, _, index in self._by_hash if index not in first)
        return sorted(
            [*first, *(index for index, _ in zip(rest, range(self.most - len(first)), strict=False))]
        )

    def chunk(self) -> Chunk | None:
        """The chosen inputs as one chunk; None if no input is chosen."""
        rows = [self._rows[index] for index in self.chosen()]
        return join(rows) if rows else None

    @property
    def _quota(self) -> int:
        return self.most // 4

    def _rank(self, chunk: Chunk, passed: Passed, keys: np.ndarray) -> None:
        probabilities = np.asarray(passed.probabilities)
        predicted = probabilities.argmax(axis=1)
        confidences = np.round(probabilities.max(axis=1).astype(np.float64), DECIMALS)
        columns = (predicted, confidences, passed.labels_of(chunk), keys, chunk.indices)
        for guess, confidence, label, key, index in zip(*(each.tolist() for each in columns), strict=True):
            self._least_confident.append((confidence, key, index))
            if label == guess:
                self._right.setdefault(label, []).append((-confidence, key, index))
            elif label != UNKNOWN:
                self._errors.append((-confidence, key, index))

    def _prune(self) -> None:
        """Reduce each order to what can still be chosen."""
        self._by_hash = sorted(self._by_hash)[: self.most]
        self._errors = sorted(self._errors)[: self._quota]
        self._least_confident = sorted(self._least_confident)[: self._quota]
        # The classes with the lowest hashes, as it is not known which others will occur.
        hashes = _mixed(np.array(list(self._right), np.int64).view(np.uint64))
        classes = [label for _, label in sorted(zip(hashes.tolist(), self._right, strict=True))][
            : self._quota
        ]
        each = -(-self._quota // max(1, len(classes)))
        self._right = {label: sorted(self._right[label])[:each] for label in classes}

    def _right_by_class(self) -> list[_Place]:
        """The best of each class, then the second of each, and so on."""
        rounds: dict[int, list[_Place]] = defaultdict(list)
        for places in self._right.values():
            for rank, place in enumerate(places):
                rounds[rank].append(place)
        return [place for rank in sorted(rounds) for place in sorted(rounds[rank])]

    def _candidates(self) -> set[int]:
        groups: Iterable[list[_Place]] = (
            self._by_hash, self._errors, self._least_confident, *self._right.values(),
        )  # fmt: skip
        return {index for group in groups for _, _, index in group}

    def _held(self, chunk: Chunk, row: int) -> Chunk:
        """A copy of one input, as the memory of a chunk is reused."""
        single = some(chunk, np.array([row]))
        # As large as the input, but not shown.
        if chunk.given_labels is not None and chunk.given_labels.ndim > 2:
            single = replace(single, given_labels=None)
        if single.wholes:
            wholes = (None if whole is None else whole.reduced() for whole in single.wholes)
            single = replace(single, wholes=tuple(wholes))
        single = single if self.with_inputs or single.images is None else replace(single, inputs=None)
        return single.copy()

    def _drop_rows(self, kept: set[int]) -> None:
        self._rows = {index: row for index, row in self._rows.items() if index in kept}


def row_keys(chunk: Chunk, seed: int) -> np.ndarray:
    """(n,) uint64, a pseudo-random number for each input: the first eight bytes of its sampling key.

    Without digests, it is derived from the index.
    """
    if chunk.digests is None:
        return _mixed(chunk.indices.astype(np.uint64) + np.uint64(seed % 2**64) * _GOLDEN)
    keys = sampling_keys(chunk.digests, seed)[:, :8]
    return np.ascontiguousarray(keys).view(">u8")[:, 0].astype(np.uint64)


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Integers mixed so that every bit depends on all others (Steele et al. 2014, SplitMix)."""
    numbers = numbers + _GOLDEN
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(numbers ^ (numbers >> np.uint64(31)))
