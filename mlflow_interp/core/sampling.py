"""A sample of inputs: the same for the same seed and inputs, wherever and in whatever order they are."""

from __future__ import annotations

import hashlib

import numpy as np

_KEY_BYTES = 16


def sample_rows(digests: np.ndarray, cells: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """(m,) int64 sorted positions of a sample, m at most `count`, drawn from all cells in turn.

    Each row has a key, the hash of the seed and its digest. Within a cell, rows are ranked by their keys.
    Rows are taken in the order of rank and key: no cell gets a second row before each has one. Which rows
    are taken depends only on their digests and cells, not on their order, and a smaller sample is a subset
    of a larger one.

    Args:
        digests: (n, bytes) uint8, which identify rows; see `row_digests`.
        cells: (n,) or (n, k) integers, for example labels and predicted classes.
        count: the size of the sample.
        seed: a different seed gives a different sample.
    """
    keys = sampling_keys(digests, seed)
    cells = np.asarray(cells)
    cells = cells[:, np.newaxis] if cells.ndim == 1 else cells
    cell = np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1)
    # Rows with equal keys are equal inputs; their cell decides, and then their position.
    by_key = np.lexsort((cell, *_words(keys)))
    grouped = by_key[np.argsort(cell[by_key], kind="stable")]
    starts = np.searchsorted(cell[grouped], np.arange(len(grouped)))
    rank = np.empty(len(keys), np.int64)
    rank[grouped] = np.arange(len(grouped)) - starts[cell[grouped]]
    return np.sort(by_key[np.argsort(rank[by_key], kind="stable")][: max(count, 0)])


def sampling_keys(digests: np.ndarray, seed: int) -> np.ndarray:
    """(n, 16) uint8: blake2b of the seed, as eight little-endian bytes, and a row's digest."""
    prefix = hashlib.blake2b((seed % 2**64).to_bytes(8, "little"), digest_size=_KEY_BYTES)
    keys = np.empty((len(digests), _KEY_BYTES), np.uint8)
    for row, digest in enumerate(np.ascontiguousarray(digests, np.uint8)):
        key = prefix.copy()
        key.update(digest)
        keys[row] = np.frombuffer(key.digest(), np.uint8)
    return keys


def _words(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keys as pairs of numbers in the order of their bytes, the less significant first as in lexsort."""
    words = keys.view(">u8").astype(np.uint64)
    return words[:, 1], words[:, 0]


def stratified_rows(digests: np.ndarray, labels: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """(m,) int64 sorted positions of a stratified sample of at most `count`, in proportion to the labels.

    Measures of such a sample approximate those of all inputs; `sample_rows` would overrepresent rare labels.
    Which rows are taken depends only on their digests and labels.

    Args:
        digests: (n, bytes) uint8, which identify rows; see `row_digests`.
        labels: (n,) of anything that can be compared; all equal if nothing is known.
        count: the size of the sample.
        seed: a different seed gives a different sample.
    """
    if len(labels) <= count:
        return np.arange(len(labels))
    by_key = np.lexsort(_words(sampling_keys(digests, seed)))
    grouped = by_key[np.argsort(np.asarray(labels)[by_key], kind="stable")]
    # Evenly spaced positions in an order sorted by label: each label gets its share.
    return np.sort(grouped[np.arange(count) * len(labels) // count])


def position_digests(positions: np.ndarray) -> np.ndarray:
    """(n, 8) uint8: positions in place of digests, for rows without digests."""
    return np.ascontiguousarray(positions, "<i8").view(np.uint8).reshape(-1, 8)
