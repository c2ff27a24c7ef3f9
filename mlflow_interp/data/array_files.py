"""Arrays in files, read row by row: .npy and .npz files, and the files of Keras' own datasets."""

from __future__ import annotations

import gzip
import math
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mlflow_interp.core.chunk import Arrays, map_arrays
from mlflow_interp.exceptions import InputsError, first_line

_BLOCK = 2**20  # bytes to decompress at a time
_LOCAL_HEADER = 30  # bytes, before the name of a zip archive's member


@dataclass(frozen=True)
class StreamedRows:
    """The rows of a compressed array, which can only be read from its beginning.

    Attributes:
        open: opens the file at the first row.
        dtype: the dtype of the array.
        shape: the shape of the array.
        uri: the URI of the file, for messages.
    """

    open: partial[BinaryIO]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    uri: str

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]


def is_same_array(one: Any, other: Any) -> bool:
    """Whether two arrays are one, or the same compressed array in a file."""
    if isinstance(one, StreamedRows) and isinstance(other, StreamedRows):
        return (one.open.func, one.open.args) == (other.open.func, other.open.args)
    return one is other


@contextmanager
def open_rows(arrays: Arrays) -> Iterator[Callable[[np.ndarray], Arrays]]:
    """A function that returns rows at ascending positions; each call continues after the previous one.

    Args:
        arrays: an array, or a tuple or dict of arrays; each may be `StreamedRows`.
    """
    with ExitStack() as stack:
        takes: Any = map_arrays(partial(_row_taker, stack=stack), arrays)
        yield lambda rows: map_arrays(lambda take: take(rows), takes)


def _row_taker(array: Any, *, stack: ExitStack) -> Any:
    """A function that returns rows of one array."""
    if not isinstance(array, StreamedRows):
        return lambda rows: np.take(array, rows, axis=0)
    with _reading(array.uri):
        stream = stack.enter_context(array.open())
    return _RowReader(array, stream).take


class _RowReader:
    def __init__(self, array: StreamedRows, stream: BinaryIO) -> None:
        self._array = array
        self._stream = stream
        self._next = 0

    def take(self, rows: np.ndarray) -> np.ndarray:
        taken = np.empty((len(rows), *self._array.shape[1:]), self._array.dtype)
        row_bytes = math.prod(taken.shape[1:]) * taken.itemsize
        with _reading(self._array.uri):
            for row, index in enumerate(rows.tolist()):
                if index > self._next:
                    self._stream.seek((index - self._next) * row_bytes, 1)
                _fill(taken[row : row + 1].reshape(-1).view(np.uint8), self._stream)
                self._next = index + 1
        return taken


def _fill(target: np.ndarray, stream: BinaryIO) -> None:
    start = 0
    while start < len(target):
        block = stream.read(min(_BLOCK, len(target) - start))
        if not block:
            raise EOFError("the file ends before its last row")
        target[start : start + len(block)] = np.frombuffer(block, np.uint8)
        start += len(block)


@contextmanager
def _reading(uri: str) -> Iterator[None]:
    """Turns any error into an InputsError: damaged files raise zlib.error, TokenError, OverflowError, …."""
    try:
        yield
    except Exception as error:
        raise InputsError(
            f"{uri!r} can't be read: {first_line(error)}; save plain arrays with numpy.save or numpy.savez"
        ) from error


def read_npy(path: Path, uri: str) -> np.ndarray:
    """The array in a .npy file, mapped into memory.

    Raises:
        InputsError: the file can't be read.
    """
    with _reading(uri):
        return np.lib.format.open_memmap(path, mode="r")


@dataclass(frozen=True)
class NpzFile:
    """A .npz file; only the arrays and rows that are needed are read.

    An array saved by numpy.savez is mapped into memory; one saved by numpy.savez_compressed is decompressed
    while it is read. Only a compressed array in Fortran order, whose rows are scattered, is read as a whole.

    Attributes:
        path: the path of the file.
        uri: the file as the user named it, for messages.
        members: the files inside, by the names of their arrays.
    """

    path: Path
    uri: str
    members: Mapping[str, str]

    def rows(self, name: str) -> np.ndarray | StreamedRows:
        """An array that is read row by row.

        Raises:
            InputsError: it can't be read.
        """
        with _reading(self.uri), zipfile.ZipFile(self.path) as archive:
            return _member(archive, self.members[name], self.path, self.uri)

    def whole(self, name: str) -> np.ndarray:
        """An array as a whole.

        Raises:
            InputsError: it can't be read.
        """
        with _reading(self.uri), zipfile.ZipFile(self.path) as archive:
            return _whole(archive, self.members[name])


def open_npz(path: Path, uri: str) -> NpzFile:
    """A .npz file; its arrays are not read yet.

    Raises:
        InputsError: it can't be read, or contains no arrays.
    """
    with _reading(uri), zipfile.ZipFile(path) as archive:
        members = {name.removesuffix(".npy"): name for name in archive.namelist()}
    if not members:
        raise InputsError(f"{uri!r} contains no arrays; save arrays with numpy.savez")
    return NpzFile(path, uri, members)


def _member(archive: zipfile.ZipFile, name: str, path: Path, uri: str) -> np.ndarray | StreamedRows:
    info = archive.getinfo(name)
    with archive.open(info) as stream:
        shape, is_fortran, dtype = _header(stream)
        start = stream.tell()
    if dtype.hasobject:
        raise ValueError("Object arrays can't be loaded, as they could run code")
    if min(shape, default=0) < 0 or start + math.prod(shape) * dtype.itemsize > info.file_size:
        raise EOFError(f"{name!r} ends before its last row")
    if math.prod(shape) == 0:
        return np.empty(shape, dtype)
    if info.compress_type == zipfile.ZIP_STORED:
        offset = _data_offset(path, info.header_offset) + start
        return np.memmap(path, dtype, "r", offset, shape, order="F" if is_fortran else "C")
    if is_fortran or not shape:
        return _whole(archive, name)
    return StreamedRows(partial(_open_member, path, name, start), dtype, shape, uri)


def _header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """The shape, whether it is in Fortran order, and the dtype of an array in the .npy format."""
    version = np.lib.format.read_magic(stream)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:  # version 3 is only for field names
        raise ValueError(f"its arrays have format version {version[0]}.{version[1]}")
    return readers[version](stream)


def _whole(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(name) as stream:
        return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))


def _data_offset(path: Path, header_offset: int) -> int:
    with path.open("rb") as file:
        file.seek(header_offset)
        header = file.read(_LOCAL_HEADER)
    name, extra = header[26:28], header[28:30]
    return header_offset + _LOCAL_HEADER + int.from_bytes(name, "little") + int.from_bytes(extra, "little")


def _open_member(path: Path, name: str, start: int) -> Any:
    with zipfile.ZipFile(path) as archive:  # the member keeps the file open
        stream = archive.open(name)
    stream.seek(start)
    return stream


def read_idx(images: Path, labels: Path, uri: str) -> tuple[StreamedRows, np.ndarray]:
    """Images and labels in gzipped files in MNIST's format: big-endian sizes, then bytes.

    Raises:
        InputsError: the files can't be read.
    """
    with _reading(uri):
        with gzip.open(images) as file:
            shape = np.frombuffer(file.read(16), ">u4")[1:]
        with gzip.open(labels) as file:
            indices = np.frombuffer(file.read(), np.uint8, offset=8)
    rows = StreamedRows(partial(_open_idx, images), np.dtype(np.uint8), tuple(shape.tolist()), uri)
    return rows, indices


def _open_idx(path: Path) -> Any:
    stream = gzip.open(path)  # noqa: SIM115
    stream.seek(16)
    return stream
