"""A selection of wrongly predicted inputs: a few of each pair of classes, the most confident first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.examples import Examples
from mlflow_interp.core.image_arrays import thumbnails

MOST_OF_A_PAIR = 6
MOST_OF_ALL = 600
TOP_CLASSES = 5  # stored of each input
THUMBNAIL_SIDE = 64  # pixels


@dataclass(frozen=True, eq=False)
class Mistake:
    """A wrongly predicted input.

    Attributes:
        cell: the true and the predicted class; of several labels, the label and its prediction, 0 or 1.
        confidence: the probability of the wrong prediction, 0 where not known.
        index: its position in all inputs.
        name: its name.
        label: its true class; of several labels, the wrongly predicted one.
        classes: (k,) int64 the most probable classes, best first.
        probabilities: (k,) float32 their probabilities, or (0,) where not known.
        thumbnail: (side, side, 3) uint8 or None.
    """

    cell: tuple[int, int]
    confidence: float
    index: int
    name: str
    label: int
    classes: np.ndarray
    probabilities: np.ndarray
    thumbnail: np.ndarray | None


class Mistakes:
    """Selects at most `MOST_OF_A_PAIR` mistakes of each pair of classes and `MOST_OF_ALL` together.

    Where these are too many, pairs get seats by their number of mistakes (D'Hondt's method), so that the
    most confused pairs have several and rare ones at least one. The selection depends on the order of the
    inputs but not on the size of chunks.
    """

    def __init__(self) -> None:
        self._candidates: list[Mistake] = []
        self._counts: Counter[tuple[int, int]] = Counter()
        self._least_confidence: dict[tuple[int, int], float] = {}  # of pairs with all their seats

    def add(
        self,
        chunk: Chunk,
        rows: np.ndarray,
        cells: np.ndarray,
        confidence: np.ndarray,
        probabilities: np.ndarray | None,
    ) -> None:
        """Take in mistakes.

        Args:
            chunk: The inputs.
            rows: (m,) the rows of the mistakes; one with several wrong labels occurs several times.
            cells: (m, 2) int64, see `Mistake.cell`.
            confidence: (m,) of the wrong prediction.
            probabilities: (n, classes) of the whole chunk, where known.
        """
        for row, cell, value in zip(
            rows.tolist(), map(tuple, cells.tolist()), confidence.tolist(), strict=True
        ):
            self._counts[cell] += 1
            if value > self._least_confidence.get(cell, -1.0):
                row_probabilities = None if probabilities is None else probabilities[row]
                self._candidates.append(_mistake(chunk, row, cell, value, row_probabilities))
                if len(self._candidates) == 2 * MOST_OF_ALL:
                    self._prune()

    def _prune(self) -> None:
        """Reduce the candidates to the first `MOST_OF_ALL`, and note the confidence needed from now on."""
        self._candidates.sort(key=lambda each: (each.cell, -each.confidence, each.index))
        ranks = occurrence_numbers(each.cell for each in self._candidates)
        seats = [
            (-self._counts[each.cell] / rank, -each.confidence, each.index, each)
            for rank, each in zip(ranks, self._candidates, strict=True)
            if rank <= MOST_OF_A_PAIR
        ]
        self._candidates = [seat[-1] for seat in sorted(seats, key=lambda seat: seat[:3])[:MOST_OF_ALL]]
        seat_counts = Counter(each.cell for each in self._candidates)
        self._least_confidence = {
            each.cell: each.confidence
            for each in self._candidates
            if seat_counts[each.cell] == MOST_OF_A_PAIR
        }

    def selected(self) -> list[Mistake]:
        """The selected mistakes, the most confident first."""
        self._prune()
        return sorted(self._candidates, key=lambda each: (-each.confidence, each.index, each.cell))


def occurrence_numbers(cells: Iterable[tuple[int, ...]]) -> list[int]:
    """For each cell, how often it has occurred so far: 1 for its first occurrence, 2 for its second."""
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
    )


def as_examples(mistakes: list[Mistake], class_names: tuple[str, ...] | None) -> Examples:
    """Mistakes as examples, a row each; `probabilities` (m, 0) where they are not known."""
    return Examples(
        indices=np.array([each.index for each in mistakes], np.int64),
        names=tuple(each.name for each in mistakes),
        labels=np.array([each.label for each in mistakes], np.int64),
        classes=_stacked([each.classes for each in mistakes], np.int64),
        probabilities=_stacked([each.probabilities for each in mistakes], np.float32),
        class_names=class_names,
        images=None,
    )


def thumbnails_of(mistakes: list[Mistake]) -> np.ndarray | None:
    """The thumbnails of mistakes, (m, side, side, 3) uint8; None where inputs aren't images."""
    images = [each.thumbnail for each in mistakes if each.thumbnail is not None]
    same_shape = len(images) == len(mistakes) and len({image.shape for image in images}) == 1
    return np.stack(images) if same_shape else None


def _stacked(rows: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.stack(rows) if rows else np.zeros((0, 0), dtype)
