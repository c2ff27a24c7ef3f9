"""Digests of inputs and weights: equal values have equal digests, wherever they are stored."""

from __future__ import annotations

import hashlib
from io import BufferedReader, BytesIO
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import Arrays, flatten

DIGEST_BYTES = 16  # of one input
_MODULUS = 2 ** (8 * DIGEST_BYTES)


def row_digests(arrays: Arrays) -> np.ndarray:
    """(n, 16) uint8: the blake2b digest of each row: its dtype and shape as well as its bytes.

    For several arrays, a row includes all of them, in the order of `flatten`. Text is hashed as UTF-8.
    """
    leaves = [_hashable(array) for array in flatten(arrays)]
    digests = np.empty((len(leaves[0][1]), DIGEST_BYTES), np.uint8)
    for index in range(len(digests)):
        digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
        for header, rows in leaves:
            digest.update(header)
            digest.update(rows[index])
        digests[index] = np.frombuffer(digest.digest(), np.uint8)
    return digests


def file_digest(file: BufferedReader | BytesIO) -> bytes:
    """The digest of all bytes of an open file."""
    file.seek(0)
    return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=DIGEST_BYTES)).digest()


def bytes_digest(content: bytes) -> bytes:
    """The digest of the content of a file; equal to `file_digest`."""
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


def _hashable(array: np.ndarray) -> tuple[bytes, Any]:
    """The header that all rows of an array share, and the bytes of each row."""
    array = np.asarray(array)
    shape = array.shape[1:]
    if array.dtype.kind in "OSU":
        return f"text{shape}".encode(), [_text(row) for row in array.reshape(len(array), -1)]
    little_endian = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    rows = little_endian.reshape(len(array), int(np.prod(shape))).view(np.uint8)
    return f"{array.dtype.name}{shape}".encode(), rows


def _text(values: np.ndarray) -> bytes:
    """Texts as bytes, each prefixed with its length, so that "ab", "c" differs from "a", "bc"."""
    encoded = [value if isinstance(value, bytes) else str(value).encode() for value in values.tolist()]
    return b"".join(len(each).to_bytes(8, "little") + each for each in encoded)


class InputsDigest:
    """The digest of many inputs, independent of their order and of how they are split into parts.

    It is the sum of the digests of all rows, read as little-endian integers, modulo 2**128, with the
    number of rows. Duplicates count, which they would not with an exclusive or.
    """

    def __init__(self) -> None:
        self.count = 0
        self._sum = 0

    def update(self, digests: np.ndarray) -> None:
        """Add rows by their digests (n, 16) uint8; see `row_digests`."""
        words = np.ascontiguousarray(digests, np.uint8).view("<u4").sum(axis=0, dtype=np.uint64)
        self._add(len(digests), sum(int(word) << (32 * place) for place, word in enumerate(words)))

    def merge(self, other: InputsDigest) -> None:
        """Add all rows of another part."""
        self._add(other.count, other._sum)

    def hexdigest(self) -> str:
        """The sum as 32 hexadecimal digits, and the number of rows after a hyphen."""
        return f"{self._sum:032x}-{self.count}"

    def _add(self, count: int, total: int) -> None:
        self.count += count
        self._sum = (self._sum + total) % _MODULUS


def weights_digest(model: Any) -> str:
    """The sha256 of all weights in order: equal for equal models, wherever they are stored."""
    sha256 = hashlib.sha256()
    for weight in model.weights:
        update_digest(sha256, np.asarray(weight))
    return sha256.hexdigest()


def update_digest(sha256: Any, array: np.ndarray) -> None:
    """Update a hash with an array: dtype and shape as well as bytes, so that views can't collide."""
    sha256.update(f"{array.dtype}{array.shape}".encode())
    sha256.update(np.ascontiguousarray(array).view(np.uint8).data)
