"""The nearest rows of a reference by cosine similarity, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlflow_interp.core.sampling import sampling_keys
from mlflow_interp.core.selection import DECIMALS
from mlflow_interp.exceptions import InapplicableError

QUERIES = 512  # rows in a block
REFERENCES = 4096
_SCALE = 10**DECIMALS
_NEVER = np.iinfo(np.int64).max
_TINY = 1e-30  # a length up to which a row counts as zero


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest rows of a reference, the most similar first.

    Attributes:
        rows: (n, k) int64, rows of the reference.
        similarities: (n, k) float32, cosine similarities from -1 to 1; 0 if one of the two is zero.
    """

    rows: np.ndarray
    similarities: np.ndarray


def find_neighbours(
    queries: np.ndarray,
    reference: np.ndarray,
    count: int,
    *,
    identities: tuple[np.ndarray, np.ndarray],
    exclude_equal: bool,
) -> Neighbours:
    """The rows of a reference that are most similar to each query.

    Similarities are rounded to five decimals before they are compared, and a hash decides between equal ones,
    so that neither the order of rows nor the size of blocks matters. Memory is bounded by a block.

    Args:
        queries: (n, features), may be on disk.
        reference: (m, features), may be on disk.
        count: the number of rows to find; fewer if the reference has not as many for each query.
        identities: (n, bytes) and (m, bytes) uint8, the digests of queries and reference rows.
        exclude_equal: whether to leave out rows of the reference with the digest of the query.

    Raises:
        InapplicableError: a query has no row to compare it with.
    """
    both = np.concatenate(identities)
    numbers = np.unique(both.view(f"V{both.shape[1]}").reshape(-1), return_inverse=True)[1]
    of_queries, of_reference = numbers[: len(queries)], numbers[len(queries) :]
    times = np.bincount(of_reference, minlength=len(both))[of_queries] if exclude_equal else np.zeros(1)
    count = min(count, len(reference) - int(times.max()))
    if count < 1:
        raise InapplicableError(
            f"the reference has {len(reference)} inputs, all equal to an input, so there is no other to "
            "compare it with; give more inputs, or a reference"
        )
    searched = _Reference(reference, lengths_of(reference), of_reference, _by_hash(identities[1]))
    found = [
        _of_block(
            _scaled(queries[start : start + QUERIES], lengths_of(queries[start : start + QUERIES])),
            of_queries[start : start + QUERIES] if exclude_equal else None,
            searched,
            count,
        )
        for start in range(0, len(queries), QUERIES)
    ]
    rows, similarities = (np.concatenate(each) for each in zip(*found, strict=True))
    return Neighbours(rows, similarities)


@dataclass(frozen=True, eq=False)
class _Reference:
    """The rows that are searched.

    Attributes:
        rows: (m, features), may be on disk.
        lengths: (m,) float64.
        identities: (m,) int64, equal for rows with equal digests.
        by_hash: (m,) int64, the rows in an order by hash.
    """

    rows: np.ndarray
    lengths: np.ndarray
    identities: np.ndarray
    by_hash: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def ranks(self) -> np.ndarray:
        """(m,) int64, the position of each row in `by_hash`."""
        ranks = np.empty(len(self), np.int64)
        ranks[self.by_hash] = np.arange(len(self))
        return ranks


def _of_block(
    queries: np.ndarray, excluded: np.ndarray | None, reference: _Reference, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """The rows and similarities of a block of queries of length 1.

    Args:
        queries: (n, features).
        excluded: (n,) the identity that the neighbours of each must not have; None to exclude none.
        reference: the rows that are searched.
        count: the number of rows to find.
    """
    best = np.empty((len(queries), 0), np.int64)
    for start in range(0, len(reference), REFERENCES):
        block = slice(start, start + REFERENCES)
        rows = _scaled(reference.rows[block], reference.lengths[block])
        # The less similar, the more steps; the rank of the row makes all numbers different.
        steps = _SCALE - np.rint(queries @ rows.T * _SCALE).astype(np.int64)
        order = steps * len(reference) + reference.ranks[block]
        if excluded is not None:
            order[reference.identities[np.newaxis, block] == excluded[:, np.newaxis]] = _NEVER
        best = _lowest(np.concatenate([best, _lowest(order, count)], axis=1), count)
    best.sort(axis=1)
    steps, rank = np.divmod(best, len(reference))
    return reference.by_hash[rank], ((_SCALE - steps) / _SCALE).astype(np.float32)


def _lowest(order: np.ndarray, count: int) -> np.ndarray:
    """The lowest numbers of each row, in any order."""
    if order.shape[1] <= count:
        return order
    return np.partition(order, count - 1, axis=1)[:, :count]


def lengths_of(rows: np.ndarray) -> np.ndarray:
    """(n,) float64, the Euclidean length of each row, block by block."""
    return np.concatenate(
        [
            np.linalg.norm(np.asarray(rows[start : start + REFERENCES], np.float64), axis=1)
            for start in range(0, len(rows), REFERENCES)
        ]
    )


def _scaled(rows: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """(n, features) float32, rows divided by their lengths; zeros stay zeros."""
    divisors = np.where(lengths > _TINY, lengths, np.inf)
    return np.asarray(rows, np.float32) * (1 / divisors).astype(np.float32)[:, np.newaxis]


def _by_hash(digests: np.ndarray) -> np.ndarray:
    """(m,) int64, rows in an order by the hash of their digests; equal rows in their own order."""
    words = sampling_keys(digests, 0).view(">u8").astype(np.uint64)
    return np.lexsort((words[:, 1], words[:, 0]))
