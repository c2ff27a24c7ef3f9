"""An array on disk that grows as rows come, and is read back without being loaded.

A .npy file, as NumPy maps it into memory; HDF5 (h5py 3.14) ends the process where the disk is full.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from mlflow_interp.exceptions import OptionError


class GrowingArray:
    """A .npy file of float32 rows that grows as they come, however many they will be."""

    def __init__(self, file: Path, shape: tuple[int, ...]) -> None:
        # Without a buffer, so that a full disk is told by the write and not once more by the close.
        self._file = file.open("wb", buffering=0)
        self._shape = shape
        self._rows = 0

    def __enter__(self) -> GrowingArray:
        return self

    def append(self, rows: np.ndarray) -> None:
        """Write rows behind those there are.

        Raises:
            OptionError: the disk is full.
        """
        try:
            if not self._rows:
                self._write(self._header())
            self._write(np.ascontiguousarray(rows, np.float32).view(np.uint8).reshape(-1).data)
        except OSError as error:
            raise OptionError(
                f"activations can't be written to {self._file.name!r}: {error.strerror}; give cache a folder "
                "with more room, or pool by mean instead of flatten"
            ) from error
        self._rows += len(rows)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Say in the header how many rows there are."""
        with self._file:
            if kind is None:
                self._file.seek(0)
                self._write(self._header())

    def _header(self) -> memoryview:
        """NumPy leaves room for the first axis to grow, so that the header keeps its length."""
        described = {"descr": "<f4", "fortran_order": False, "shape": (self._rows, *self._shape)}
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, described)
        return header.getbuffer()

    def _write(self, left: memoryview) -> None:
        while len(left):
            left = left[self._file.write(left) :]


def has_rows(file: Path, count: int) -> bool:
    """Whether a file holds an array of so many rows; a damaged one counts as none."""
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError):
        return False
    return array.dtype == np.float32 and array.ndim == 2 and len(array) == count
