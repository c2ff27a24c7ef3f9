"""The tiles of inputs: small images, computed once for the figure, the page and the run's page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Tiles:
    """The tiles of the inputs that are shown.

    Attributes:
        rows: (m,) the rows of these inputs.
        headings: a heading for each tile of an input.
        pixels: the tiles of each input, (h, w, 3) uint8.
    """

    rows: tuple[int, ...]
    headings: tuple[str, ...]
    pixels: Sequence[Sequence[np.ndarray]]

    @classmethod
    def of(
        cls,
        shown_rows: np.ndarray,
        positions: Iterable[int] | None,
        headings: Sequence[str],
        make: Callable[[int, int], Sequence[np.ndarray]],
    ) -> Tiles:
        """The tiles of the inputs that are shown, or of some of them.

        Args:
            shown_rows: their rows; see `Examples`.
            positions: positions in `shown_rows`; None for all.
            headings: a heading for each tile of an input.
            make: (position, row) => the tiles of an input.
        """
        rows = shown_rows.tolist()
        chosen = range(len(rows)) if positions is None else list(positions)
        pixels = [make(position, rows[position]) for position in chosen]
        return cls(tuple(rows[position] for position in chosen), tuple(headings), pixels)

    def captioned(self, last: int | None = None) -> list[list[tuple[str, np.ndarray]]]:
        """The tiles of each input with their headings; only the `last` ones of each if given."""
        first = 0 if last is None else len(self.headings) - last
        return [list(zip(self.headings, each, strict=True))[first:] for each in self.pixels]
