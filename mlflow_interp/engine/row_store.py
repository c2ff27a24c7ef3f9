"""Rows of features of many inputs: on disk while they grow, as an array when pickled."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from mlflow_interp.engine.growing_array import GrowingArray


class RowStore:
    """Rows (n, features) float32 in a temporary file, which is removed with the last reference to the store.

    Memory is bounded by the rows appended at a time. A pickle contains the rows, not the file.
    """

    def __init__(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="mlflow-interp-"))
        self._file = folder / "rows.npy"
        self._open_files: list[GrowingArray] = []
        weakref.finalize(self, _close_and_remove, self._open_files, folder)
        self._growing: GrowingArray | None = None
        self._rows: np.ndarray | None = None

    def append(self, rows: np.ndarray) -> None:
        """Append rows (n, features).

        Raises:
            OptionError: the disk is full.
        """
        if self._growing is None:
            self._growing = GrowingArray(self._file, rows.shape[1:])
            self._open_files.append(self._growing)
            if self._rows is not None:
                self._growing.append(self._rows)
                self._rows = None
        self._growing.append(rows)

    def rows(self) -> np.ndarray:
        """All rows so far, read from disk on demand; appending more makes the array invalid."""
        if self._growing is not None:
            self._growing.flush()
            return np.asarray(np.load(self._file, mmap_mode="r"))
        if self._rows is None:
            raise ValueError("nothing was appended")
        return self._rows

    def __getstate__(self) -> dict[str, Any]:
        is_empty = self._growing is None and self._rows is None
        return {"rows": None if is_empty else np.array(self.rows())}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__()  # type: ignore[misc]
        self._rows = state["rows"]


def _close_and_remove(files: list[GrowingArray], folder: Path) -> None:
    for file in files:
        file.close()
    shutil.rmtree(folder, ignore_errors=True)
