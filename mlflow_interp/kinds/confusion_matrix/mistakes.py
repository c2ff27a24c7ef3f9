"""Which wrongly predicted inputs are kept to be looked at: few of each kind, the most confident first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.examples import Examples
from mlflow_interp.core.image_arrays import thumbnails

MOST_OF_A_PAIR, MOST_OF_ALL = 6, 600
TOP, SIDE = 5, 64  # classes, and pixels of a thumbnail, kept of an input


@dataclass(frozen=True, eq=False)
class Mistake:
    """An input that was taken for what it isn't.

    Attributes:
        cell: the true class and the class it was taken for; of several labels, which, and 0 or 1.
        confidence: the probability of what it was taken for, 0 where not known.
        index: its position in the inputs as given.
        name: its name.
        label: its true class; of several labels, the one that was mistaken.
        classes: (k,) int64 the most probable classes, best first.
        probabilities: (k,) float32 theirs, or (0,) where not known.
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
    """Keeps at most `MOST_OF_A_PAIR` of each pair of classes and `MOST_OF_ALL`, however many come.

    Where there is not room for all, pairs get seats by their number of mistakes (D'Hondt's method), so
    that the worst pairs are shown well and rare ones at all. What is kept depends on the order of the
    inputs but not on where chunks are cut.
    """

    def __init__(self) -> None:
        self._kept: list[Mistake] = []
        self._seen: Counter[tuple[int, int]] = Counter()
        self._least: dict[tuple[int, int], float] = {}

    def add(
        self,
        chunk: Chunk,
        rows: np.ndarray,
        cells: np.ndarray,
        confidence: np.ndarray,
        said: np.ndarray | None,
    ) -> None:
        """Take in mistakes.

        Args:
            chunk: The inputs.
            rows: (m,) which of them are mistaken; one with several wrong labels stands there again.
            cells: (m, 2) int64, see `Mistake.cell`.
            confidence: (m,) of the wrong prediction.
            said: (n, classes) probabilities of the whole chunk, where known.
        """
        for row, cell, sure in zip(
            rows.tolist(), map(tuple, cells.tolist()), confidence.tolist(), strict=True
        ):
            self._seen[cell] += 1
            if sure > self._least.get(cell, -1.0):
                self._kept.append(_mistake(chunk, row, cell, sure, said))
                if len(self._kept) == 2 * MOST_OF_ALL:
                    self._prune()

    def _prune(self) -> None:
        """Leave the `MOST_OF_ALL` that come first; what can't get among them is not even looked at."""
        self._kept.sort(key=lambda each: (each.cell, -each.confidence, each.index))
        ranks, groups = [], Counter[tuple[int, int]]()
        for each in self._kept:
            groups[each.cell] += 1
            ranks.append(groups[each.cell])
        seats = [
            (-self._seen[each.cell] / rank, -each.confidence, each.index, each)
            for rank, each in zip(ranks, self._kept, strict=True)
            if rank <= MOST_OF_A_PAIR
        ]
        self._kept = [seat[-1] for seat in sorted(seats, key=lambda seat: seat[:3])[:MOST_OF_ALL]]
        full = {cell for cell, count in Counter(_cells(self._kept)).items() if count == MOST_OF_A_PAIR}
        self._least = {each.cell: each.confidence for each in self._kept if each.cell in full}

    def kept(self) -> list[Mistake]:
        """Those kept, the most confident first."""
        self._prune()
        return sorted(self._kept, key=lambda each: (-each.confidence, each.index, each.cell))


def _cells(mistakes: Iterable[Mistake]) -> list[tuple[int, int]]:
    return [each.cell for each in mistakes]


def _mistake(chunk: Chunk, row: int, cell: tuple[int, int], sure: float, said: np.ndarray | None) -> Mistake:
    best = np.array([cell[1]]) if said is None else np.argsort(-said[row], kind="stable")[:TOP]
    return Mistake(
        cell=cell,
        confidence=sure,
        index=int(chunk.indices[row]),
        name=chunk.names[row],
        label=cell[0],
        classes=best.astype(np.int64),
        probabilities=(np.zeros(0) if said is None else said[row][best]).astype(np.float32),
        thumbnail=None if chunk.images is None else thumbnails(chunk.images[row : row + 1], SIDE)[0],
    )


def as_examples(kept: list[Mistake], class_names: tuple[str, ...] | None) -> Examples:
    """Kept mistakes as examples, a row each; `probabilities` (m, 0) where they are not known."""
    return Examples(
        indices=np.array([each.index for each in kept], np.int64),
        names=tuple(each.name for each in kept),
        labels=np.array([each.label for each in kept], np.int64),
        classes=_stacked([each.classes for each in kept], np.int64),
        probabilities=_stacked([each.probabilities for each in kept], np.float32),
        class_names=class_names,
        images=None,
    )


def thumbnails_of(kept: list[Mistake]) -> np.ndarray | None:
    """The thumbnails of kept mistakes, (m, side, side, 3) uint8; None where inputs aren't pictures."""
    small = [each.thumbnail for each in kept if each.thumbnail is not None]
    alike = len(small) == len(kept) and len({each.shape for each in small}) == 1
    return np.stack(small) if alike else None


def _stacked(rows: list[np.ndarray], kind: type) -> np.ndarray:
    return np.stack(rows) if rows else np.zeros((0, 0), kind)
