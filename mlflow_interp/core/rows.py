"""Arrays with one row per input, accumulated chunk by chunk and returned in the order of the inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Concatenate = Callable[[Sequence[np.ndarray]], np.ndarray]


class Rows:
    """Accumulates arrays with one row per input, in any order; returns them in the order of the inputs.

    Args:
        concatenate: joins the parts of one array; by default along the rows.
    """

    def __init__(self, concatenate: Concatenate = np.concatenate) -> None:
        self._concatenate = concatenate
        self._parts: list[dict[str, np.ndarray]] = []

    def add(self, indices: np.ndarray, **arrays: np.ndarray) -> None:
        """Add the rows of some inputs.

        Args:
            indices: (n,) int64 the positions of the inputs.
            arrays: by name, with n rows each; the same names in every call.
        """
        # Copied, as the caller may reuse its memory.
        self._parts.append({name: np.array(each) for name, each in ({"indices": indices} | arrays).items()})

    def merge(self, other: Rows) -> None:
        """Add all rows of another part."""
        self._parts.extend(other._parts)

    def drop(self, name: str) -> None:
        """Forget the rows of one array."""
        for part in self._parts:
            part.pop(name, None)

    def __len__(self) -> int:
        return sum(len(part["indices"]) for part in self._parts)

    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays by name, with "indices", sorted by index; empty if nothing was added."""
        if not self._parts:
            return {}
        joined = {name: self._concatenate([part[name] for part in self._parts]) for name in self._parts[0]}
        order = np.argsort(joined["indices"], kind="stable")
        return {name: array[order] for name, array in joined.items()}
