"""A selection of wrongly predicted inputs: a few of each pair of classes, the most confident first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.examples import Examples
from mlflow_interp.core.image_arrays import thumbnails
from mlflow_interp.core.selection import DECIMALS, row_keys

MOST_OF_A_PAIR = 6
MOST_OF_ALL = 600
TOP_CLASSES = 5  # classes stored for each input
THUMBNAIL_SIDE = 64  # pixels


@dataclass(frozen=True, eq=False)
class Mistake:
    """A wrongly predicted input.

    Attributes:
        cell: the true and the predicted class; for several labels, the label and its prediction, 0 or 1.
        confidence: the probability of the wrong prediction, 0 if not known; for positions, the share of the
            input's positions in the cell.
        index: its position in all inputs.
        name: its name.
        label: its true class; for several labels, the wrongly predicted label.
        classes: (k,) int64 the most probable classes, best first.
        probabilities: (k,) float32 their probabilities, or (0,) if not known.
        thumbnail: (side, side, 3) uint8 or None.
        digest: (16,) uint8 of the input, or None.
    """

    cell: tuple[int, int]
    confidence: float
    index: int
    name: str
    label: int
    classes: np.ndarray
    probabilities: np.ndarray
    thumbnail: np.ndarray | None
    digest: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class _Orders:
    """The sort keys of mistakes: arrays with one row per mistake.

    Attributes:
        cells: (m, 2) int64.
        confidences: (m,) float64, rounded so that the batch size can't change an order.
        indices: (m,) int64.
        keys: (m,) uint64, random.
    """

    cells: np.ndarray
    confidences: np.ndarray
    indices: np.ndarray
    keys: np.ndarray

    @classmethod
    def empty(cls) -> _Orders:
        """No mistakes."""
        return cls(np.zeros((0, 2), np.int64), np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.uint64))

    @classmethod
    def join(cls, parts: Sequence[_Orders]) -> _Orders:
        """Several as one."""
        columns = zip(
            *((each.cells, each.confidences, each.indices, each.keys) for each in parts), strict=True
        )
        return cls(*(np.concatenate(column) for column in columns))

    def __len__(self) -> int:
        return len(self.indices)

    def rows(self, rows: np.ndarray) -> _Orders:
        """Some of them."""
        return _Orders(self.cells[rows], self.confidences[rows], self.indices[rows], self.keys[rows])

    def candidates(self) -> np.ndarray:
        """The rows that can still be selected, whatever is added.

        Each of the three choices is a top-k under an order that does not depend on other mistakes, with a
        limit per cell; a row that a part drops would therefore be dropped from the whole too.
        """
        by_confidence = -self.confidences
        chosen = [
            self._first(by_confidence, MOST_OF_A_PAIR),
            self._first(by_confidence, 1),
            self._first(self.keys, MOST_OF_A_PAIR),
        ]
        return np.unique(np.concatenate(chosen))

    def _first(self, order: np.ndarray, of_a_cell: int) -> np.ndarray:
        """The first `MOST_OF_ALL` rows in an order, at most `of_a_cell` of each cell."""
        by_cell = np.lexsort((self.indices, order, self.cells[:, 1], self.cells[:, 0]))
        cells = self.cells[by_cell]
        starts = np.flatnonzero(np.r_[True, (cells[1:] != cells[:-1]).any(axis=1)][: len(cells)])
        ranks = np.arange(len(cells)) - np.repeat(starts, np.diff(np.r_[starts, len(cells)]))
        rows = by_cell[ranks < of_a_cell]
        return rows[np.lexsort((self.cells[rows, 1], self.cells[rows, 0], self.indices[rows], order[rows]))][
            :MOST_OF_ALL
        ]


class Mistakes:
    """Selects at most `MOST_OF_A_PAIR` mistakes of each pair of classes and `MOST_OF_ALL` together.

    If there are too many, pairs get seats by their number of mistakes (D'Hondt's method), so that the most
    confused pairs have several and rare pairs at least one. If there are very many pairs, candidates are the
    most confident mistakes of all, the most confident one of each pair, and a random sample. The result does
    not depend on how inputs are split into chunks and parts, nor on their order.
    """

    def __init__(self) -> None:
        self._counts: Counter[tuple[int, int]] = Counter()
        self._orders = _Orders.empty()
        self._mistakes: dict[tuple[int, tuple[int, int]], Mistake] = {}

    def __getstate__(self) -> dict[str, Any]:
        self._prune()
        return self.__dict__

    def add(
        self,
        chunk: Chunk,
        rows: np.ndarray,
        cells: np.ndarray,
        confidence: np.ndarray,
        probabilities: np.ndarray | None,
        times: np.ndarray | None = None,
    ) -> None:
        """Add mistakes.

        Args:
            chunk: The inputs.
            rows: (m,) the rows of the mistakes; an input with several wrong labels occurs several times.
            cells: (m, 2) int64, see `Mistake.cell`.
            confidence: (m,) the confidence of the wrong prediction.
            probabilities: (n, classes) of the whole chunk, if known.
            times: (m,) the number of mistakes that each represents; one by default.
        """
        if not len(rows):
            return
        occurring, place = np.unique(cells, axis=0, return_inverse=True)
        sums = np.bincount(place.reshape(-1), times).astype(np.int64)
        self._counts.update(dict(zip(map(tuple, occurring.tolist()), sums.tolist(), strict=True)))
        rounded = np.round(confidence.astype(np.float64), DECIMALS)
        added = _Orders(cells, rounded, chunk.indices[rows], row_keys(chunk, 0)[rows])
        before = len(self._orders)
        whole = _Orders.join([self._orders, added])
        candidates = whole.candidates()
        self._orders = whole.rows(candidates)
        # A thumbnail costs far more than this choice, so mistakes that earlier ones exclude get none.
        first = candidates[candidates >= before] - before
        for row, cell, value in zip(
            rows[first].tolist(), map(tuple, cells[first].tolist()), confidence[first].tolist(), strict=True
        ):
            row_probabilities = None if probabilities is None else probabilities[row]
            mistake = _mistake(chunk, row, cell, value, row_probabilities)
            self._mistakes[mistake.index, cell] = mistake
        if len(self._mistakes) > 6 * MOST_OF_ALL:
            self._prune()

    def merge(self, other: Mistakes) -> None:
        """Add the mistakes of other inputs."""
        self._counts.update(other._counts)
        whole = _Orders.join([self._orders, other._orders])
        self._orders = whole.rows(whole.candidates())
        self._mistakes |= other._mistakes
        self._prune()

    def _prune(self) -> None:
        """Drop mistakes that can no longer be selected."""
        keys = zip(self._orders.indices.tolist(), map(tuple, self._orders.cells.tolist()), strict=True)
        self._mistakes = {key: self._mistakes[key] for key in keys}

    def selected(self) -> list[Mistake]:
        """The selected mistakes, the most confident first."""
        self._prune()
        candidates = sorted(self._mistakes.values(), key=lambda each: (each.cell, *_by_confidence(each)))
        ranks = occurrence_numbers(each.cell for each in candidates)
        seats = [
            (-self._counts[each.cell] / rank, *_by_confidence(each), each)
            for rank, each in zip(ranks, candidates, strict=True)
            if rank <= MOST_OF_A_PAIR
        ]
        first = [seat[-1] for seat in sorted(seats, key=lambda seat: seat[:-1])[:MOST_OF_ALL]]
        return sorted(first, key=_by_confidence)

    def add_thumbnails(self, images: Mapping[bytes, np.ndarray]) -> None:
        """Add thumbnails, by the digest of their input, to mistakes that were added without images."""
        for key, mistake in self._mistakes.items():
            if mistake.thumbnail is None and mistake.digest is not None:
                thumbnail = images.get(mistake.digest.tobytes())
                self._mistakes[key] = replace(mistake, thumbnail=thumbnail)


def _by_confidence(mistake: Mistake) -> tuple[float, int, tuple[int, int]]:
    return -round(mistake.confidence, DECIMALS), mistake.index, mistake.cell


def occurrence_numbers(cells: Iterable[tuple[int, ...]]) -> list[int]:
    """For each cell, the number of its occurrences so far: 1 for the first, 2 for the second."""
    counts: Counter[tuple[int, ...]] = Counter()
    numbers = []
    for cell in cells:
        counts[cell] += 1
        numbers.append(counts[cell])
    return numbers


def _mistake(
    chunk: Chunk, row: int, cell: tuple[int, int], confidence: float, probabilities: np.ndarray | None
) -> Mistake:
    if probabilities is None:
        best = np.array([cell[1]])
        best_probabilities = np.zeros(0)
    else:
        best = np.argsort(-probabilities, kind="stable")[:TOP_CLASSES]
        best_probabilities = probabilities[best]
    return Mistake(
        cell=cell,
        confidence=confidence,
        index=int(chunk.indices[row]),
        name=chunk.names[row],
        label=cell[0],
        classes=best.astype(np.int64),
        probabilities=best_probabilities.astype(np.float32),
        thumbnail=None
        if chunk.images is None
        else thumbnails(chunk.images[row : row + 1], THUMBNAIL_SIDE)[0],
        digest=None if chunk.digests is None else chunk.digests[row].copy(),
    )


def as_examples(mistakes: list[Mistake], class_names: tuple[str, ...] | None) -> Examples:
    """Mistakes as examples, one row each; `probabilities` is (m, 0) if they are not known."""
    return Examples(
        indices=np.array([each.index for each in mistakes], np.int64),
        names=tuple(each.name for each in mistakes),
        labels=np.array([each.label for each in mistakes], np.int64),
        classes=_stacked([each.classes for each in mistakes], np.int64),
        probabilities=_stacked([each.probabilities for each in mistakes], np.float32),
        class_names=class_names,
        images=None,
        digests=_digests([each.digest for each in mistakes]),
    )


def _digests(digests: list[np.ndarray | None]) -> np.ndarray | None:
    known = [digest for digest in digests if digest is not None]
    return np.stack(known) if known and len(known) == len(digests) else None


def thumbnails_of(mistakes: list[Mistake]) -> np.ndarray | None:
    """The thumbnails of mistakes, (m, side, side, 3) uint8; None if inputs aren't images."""
    images = [each.thumbnail for each in mistakes if each.thumbnail is not None]
    same_shape = len(images) == len(mistakes) and len({image.shape for image in images}) == 1
    return np.stack(images) if same_shape else None


def _stacked(rows: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.stack(rows) if rows else np.zeros((0, 0), dtype)
