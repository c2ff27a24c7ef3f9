"""The record of all inputs of a call: digests, names, inputs that could not be read, and warnings."""

from __future__ import annotations

import hashlib
import heapq
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.digests import DIGEST_BYTES, InputsDigest, row_digests

MOST_NAMES = 1000  # of inputs in a manifest, which every later call into the run reads


class InputsRecord:
    """The record of all inputs, or of a part of them.

    Parts can be merged in any order. Nothing is lost except names beyond the first `MOST_NAMES`.

    Attributes:
        skipped: by name, inputs that could not be read and why.
        warnings: what a user should know about the inputs before trusting a figure, without duplicates.
    """

    def __init__(self) -> None:
        self.skipped: dict[str, str] = {}
        self.warnings: list[str] = []
        self._digest = InputsDigest()
        self._order = InputsDigest()
        self._names: list[tuple[int, str]] = []  # the first by position

    def update(self, chunk: Chunk) -> None:
        """Record a chunk."""
        digests = row_digests(chunk.inputs) if chunk.digests is None else chunk.digests
        self._digest.update(digests)
        self._order.update(_placed(chunk.indices, digests))
        self._add_names(list(zip(chunk.indices.tolist(), chunk.names, strict=True)))

    def merge(self, other: InputsRecord) -> None:
        """Add the record of other inputs."""
        self._digest.merge(other._digest)
        self._order.merge(other._order)
        self._add_names(other._names)
        self.skipped |= other.skipped
        self.warn(*other.warnings)

    def warn(self, *warnings: str) -> None:
        """Add new warnings."""
        self.warnings.extend(dict.fromkeys(each for each in warnings if each not in self.warnings))

    @property
    def count(self) -> int:
        """The number of inputs that could be read."""
        return self._digest.count

    @property
    def digest(self) -> str:
        """The digest of all inputs as given, independent of their order; see `InputsDigest`."""
        return self._digest.hexdigest()

    @property
    def order(self) -> str:
        """The digest of all inputs and their positions: different if two inputs are swapped."""
        return self._order.hexdigest()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the inputs, at most the first `MOST_NAMES`."""
        return tuple(name for _, name in self._names)

    def as_dict(self) -> dict[str, Any]:
        """Digests, number, names, and skipped inputs, for the manifest."""
        return {
            "digest": self.digest,
            "order": self.order,
            "count": self.count,
            "names": list(self.names),
            "skipped": dict(self.skipped),
        }

    def _add_names(self, names: list[tuple[int, str]]) -> None:
        is_full = len(self._names) == MOST_NAMES
        if is_full and (not names or min(names) > self._names[-1]):
            return
        self._names = heapq.nsmallest(MOST_NAMES, [*self._names, *names])


def _placed(positions: np.ndarray, digests: np.ndarray) -> np.ndarray:
    """(n, 16) uint8: digests of the position and the digest of each input."""
    placed = np.empty((len(digests), DIGEST_BYTES), np.uint8)
    for row, (position, digest) in enumerate(zip(positions.tolist(), digests, strict=True)):
        content = position.to_bytes(8, "little") + digest.tobytes()
        placed[row] = np.frombuffer(hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest(), np.uint8)
    return placed
