"""The inputs that two results share, so that one can be subtracted from the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mlflow_interp.core.examples import Examples
from mlflow_interp.drawing.style import counted
from mlflow_interp.exceptions import InputsError


@dataclass(frozen=True, eq=False)
class Matching:
    """The inputs that two results share, in the order of the first.

    Attributes:
        rows: (m,) int64, their rows in the first.
        other_rows: (m,) int64, their rows in the second.
        left_out: the numbers of inputs of the first, and of the second, without a counterpart.
    """

    rows: np.ndarray
    other_rows: np.ndarray
    left_out: tuple[int, int]

    def warnings(self) -> list[str]:
        """States how many inputs are left out."""
        if not any(self.left_out):
            return []
        first, second = self.left_out
        return [
            f"only {counted(len(self.rows))} can be compared: {first} of the first result and {second} of "
            "the second are left out, as the other result does not have them"
        ]


def match(one: Examples, other: Examples) -> Matching:
    """Match the inputs of two results by digest, or by position and name if digests are not known.

    Raises:
        InputsError: they have no input in common.
    """
    has_digests = one.digests is not None and other.digests is not None
    keys, other_keys = (_numbered(_keys(each, has_digests)) for each in (one, other))
    positions = {key: row for row, key in enumerate(other_keys)}
    pairs = [(row, positions[key]) for row, key in enumerate(keys) if key in positions]
    if not pairs:
        raise InputsError(
            f"the results have no input in common: the first has {_listed(one)}, the second "
            f"{_listed(other)}; interpret the same inputs with both models"
        )
    rows, other_rows = np.array(pairs, np.int64).T
    return Matching(rows, other_rows, (len(one) - len(pairs), len(other) - len(pairs)))


def _keys(examples: Examples, has_digests: bool) -> Sequence[Hashable]:
    if has_digests:
        return [row.tobytes() for row in np.asarray(examples.digests)]
    return list(zip(examples.indices.tolist(), examples.names, strict=True))


def _numbered(keys: Sequence[Hashable]) -> list[tuple[Hashable, int]]:
    """Keys with the number of earlier occurrences of each: equal inputs are matched in order."""
    counts: Counter[Hashable] = Counter()
    numbered = []
    for key in keys:
        numbered.append((key, counts[key]))
        counts[key] += 1
    return numbered


def _listed(examples: Examples) -> str:
    names = ", ".join(repr(name) for name in examples.names[:3])
    return f"{names}{', …' if len(examples) > 3 else ''} ({counted(len(examples))})"


def examples_at(examples: Examples, rows: np.ndarray) -> Examples:
    """The examples of some rows, in this order; the same inputs are shown as before."""
    position_of = {row: position for position, row in enumerate(examples.shown_rows.tolist())}
    shown = np.array([at for at, row in enumerate(rows.tolist()) if row in position_of], np.int64)
    positions = [position_of[row] for row in rows[shown].tolist()]
    return replace(
        examples,
        indices=examples.indices[rows],
        names=tuple(examples.names[row] for row in rows.tolist()),
        labels=examples.labels[rows],
        classes=examples.classes[rows],
        probabilities=examples.probabilities[rows],
        images=None if examples.images is None else examples.images[positions],
        values=None if examples.values is None else examples.values[positions],
        shown=shown,
        thumbnails=None if examples.thumbnails is None else examples.thumbnails[rows],
        digests=None if examples.digests is None else examples.digests[rows],
        true_values=None if examples.true_values is None else examples.true_values[rows],
        wholes=tuple(examples.wholes[position] for position in positions) if examples.wholes else (),
    )
