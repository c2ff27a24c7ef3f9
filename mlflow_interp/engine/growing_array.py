"""An array on disk that grows row by row, and is read without loading it into memory.

A .npy file, as NumPy maps it into memory; HDF5 (h5py 3.14) ends the process when the disk is full.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from mlflow_interp.exceptions import OptionError


class GrowingArray:
    """A .npy file of float32 rows whose number is not known in advance."""

    def __init__(self, file: Path, shape: tuple[int, ...]) -> None:
        # Unbuffered, so that a full disk fails only the write, and not the close as well.
        self._file = file.open("wb", buffering=0)
        self._shape = shape
        self._rows = 0

    def __enter__(self) -> GrowingArray:
        return self

    def append(self, rows: np.ndarray) -> None:
        """Append rows.

        Raises:
            OptionError: the disk is full.
        """
        try:
            if not self._rows:
                self._write(self._header())
            self._write(np.ascontiguousarray(rows, np.float32).view(np.uint8).reshape(-1).data)
        except OSError as error:
            raise OptionError(
                f"activations can't be written to {self._file.name!r}: {error.strerror}; set cache to a "
                "folder with more free space, or use pooling='mean' instead of 'flatten'"
            ) from error
        self._rows += len(rows)

    def flush(self) -> None:
        """Write the number of rows so far to the header, so that the file can be read."""
        end = self._file.tell()
        self._file.seek(0)
        self._write(self._header())
        self._file.seek(end)

    def close(self) -> None:
        """Close the file without updating its header."""
        self._file.close()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write the final number of rows to the header."""
        with self._file:
            if kind is None:
                self._file.seek(0)
                self._write(self._header())

    def _header(self) -> memoryview:
        """The header; NumPy pads it for a growing first axis, so that its length stays the same."""
        described = {"descr": "<f4", "fortran_order": False, "shape": (self._rows, *self._shape)}
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, described)
        return header.getbuffer()

    def _write(self, remaining: memoryview) -> None:
        while len(remaining):
            remaining = remaining[self._file.write(remaining) :]


def has_rows(file: Path, count: int) -> bool:
    """Whether a file has an array with `count` rows; a damaged file does not."""
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError):
        return False
    return array.dtype == np.float32 and array.ndim == 2 and len(array) == count
