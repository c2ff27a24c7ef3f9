"""How similar the activations of different inputs are: the baseline for a caricature's cosine."""

from __future__ import annotations

import io
import tempfile
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from mlflow_interp.exceptions import OptionError

MOST_MEMORY = 64 * 2**20  # bytes of unit vectors at one layer; larger amounts go to a temporary file


class BaselineCosines:
    """The mean cosine between the activations of each input and those of all others.

    It is (u·S - u·u) / (n - 1), with u the unit vector of an input's activations and S the sum of all n.
    S is only known at the end, so all u are kept until then, at four bytes per value: up to 64 MB in memory,
    more in a temporary file. The result does not depend on how inputs are split into batches and parts.
    """

    def __init__(self) -> None:
        self._count = 0
        self._bytes_each = 0
        self._rows = self._spool()
        self._alone = 0.0

    def update(self, activations: np.ndarray, upside_down: np.ndarray | None = None) -> None:
        """Add inputs.

        Args:
            activations: (n, …) of the inputs.
            upside_down: (1, …) of the first input's image upside down. Only needed once, and only used if
                there is no other input.

        Raises:
            OptionError: the disk is full.
        """
        units = [_unit(row) for row in activations]
        for unit in units:
            self._append(unit.tobytes())
        if upside_down is not None:
            self._alone = float(units[0] @ _unit(upside_down[0]))

    def merge(self, other: BaselineCosines) -> None:
        """Add the inputs of another part, after those of this one."""
        self._alone = self._alone or other._alone
        for row in other._stored():
            self._append(row)

    def result(self) -> np.ndarray:
        """(n,) float32, in the order of the inputs; a single one is compared with itself upside down."""
        if self._count < 2:
            return np.full(self._count, self._alone, np.float32)
        total = np.zeros(self._bytes_each // 4)
        for unit in self._units():
            total += unit
        products = [(unit @ total - unit @ unit) / (self._count - 1) for unit in self._units()]
        return np.array(products, np.float32)

    def _append(self, row: bytes) -> None:
        self._bytes_each = len(row)
        self._rows.seek(0, io.SEEK_END)
        try:
            self._rows.write(row)
        except OSError as error:
            raise OptionError(
                f"activations can't be written to {tempfile.gettempdir()!r}: {error.strerror}; check the "
                "free disk space, or interpret fewer inputs"
            ) from error
        self._count += 1

    def _units(self) -> Iterator[np.ndarray]:
        for row in self._stored():
            yield np.frombuffer(row, np.float32).astype(np.float64)

    def _stored(self) -> Iterator[bytes]:
        self._rows.seek(0)
        for _ in range(self._count):
            yield self._rows.read(self._bytes_each)

    def __del__(self) -> None:
        self._rows.close()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_rows": b"".join(self._stored())}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _rows=self._spool())
        self._rows.write(state["_rows"])

    def _spool(self) -> Any:
        """A file that is closed with the last reference to this accumulator."""
        spool = tempfile.SpooledTemporaryFile(MOST_MEMORY)  # noqa: SIM115 - closed by the finalizer
        weakref.finalize(self, spool.close)
        return spool


def _unit(row: np.ndarray) -> np.ndarray:
    """Activations of one input as a vector of length one; zeros stay zeros."""
    values = np.asarray(row, np.float64).ravel()
    length = np.linalg.norm(values)
    return np.asarray(values / (length or 1), np.float32)
