"""Activations stored in a folder, and reused for the same model and the same inputs.

    cache/<digest of the compiled pass and all weights>/<digest of the inputs>/<one .npy per layer>

Inputs are looked up one by one by the digest of the model's input: chunk size, order and additional inputs
make no difference.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from mlflow_interp.backend.compile import compile_for
from mlflow_interp.backend.fingerprint import graph_digest
from mlflow_interp.core.chunk import Arrays, Chunk
from mlflow_interp.core.digests import row_digests
from mlflow_interp.core.passed import Passed
from mlflow_interp.core.paths import local_path
from mlflow_interp.engine.activations import ActivationOptions, TracedActivations, trace_activations
from mlflow_interp.engine.growing_array import GrowingArray, has_rows
from mlflow_interp.engine.row_store import RowStore
from mlflow_interp.engine.trace import Trace
from mlflow_interp.exceptions import OptionError

PREDICTIONS = "predictions"
_KEYS = "inputs.npy"


def writable_folder(cache: str | Path) -> Path:
    """The folder, created if missing, after a test that it is writable.

    Raises:
        OptionError: the folder is not writable.
    """
    folder = local_path(cache)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OptionError(
            f"cache {str(folder)!r} can't be used: {error.strerror}; give a writable folder"
        ) from error
    return folder


def _keys_of(inputs: Arrays) -> list[bytes]:
    """The digest of each row of a model's input."""
    return [digest.tobytes() for digest in row_digests(inputs)]


class ActivationCache:
    """Predictions and activations of one model in a folder.

    Args:
        folder: the folder of the cache.
        model: the Keras model.
        options: which activations to store.
        chunk: inputs, for their shape.
        head: what the model's output is.

    Raises:
        OptionError: no such layer, or a model whose operations can't be compared.
    """

    def __init__(
        self,
        folder: Path,
        model: Any,
        options: ActivationOptions,
        chunk: Chunk,
        *,
        head: str = "auto",
    ) -> None:
        self.paths = list(options.paths or ())
        self.traced = TracedActivations()
        self.is_complete = True
        self._head = ""
        self._keys: list[bytes] = []
        self._chunk_keys: list[bytes] = []

        def traced(inputs: Arrays) -> Any:
            trace = Trace(model, inputs, {}, head=head)
            self.traced = trace_activations(trace, options)
            self.paths = list(self.traced.tensors)
            self._head = trace.scores.head
            return trace.scores.probabilities, list(self.traced.tensors.values())

        self._folder = folder / graph_digest(compile_for(traced, chunk.inputs))
        names = (PREDICTIONS, *(f"{options.pooling} {path}" for path in self.paths))
        self._files = [f"{hashlib.sha256(name.encode()).hexdigest()}.npy" for name in names]
        self._places: dict[bytes, tuple[int, int]] = {}
        self._parts: list[list[np.ndarray]] = []
        self._remembered = [RowStore() for _ in names]
        for part in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            self._open(part)

    def recall(self, chunk: Chunk) -> Passed | None:
        """The stored predictions and activations of a chunk; None if an input is missing."""
        self._chunk_keys = _keys_of(chunk.inputs)
        places = [self._places.get(key) for key in self._chunk_keys]
        found = [place for place in places if place is not None]
        if len(found) < len(places):
            return None
        columns = range(len(self._files))
        probabilities, *rows = (
            np.stack([self._parts[part][column][row] for part, row in found]) for column in columns
        )
        return Passed(probabilities, self._head, dict(zip(self.paths, rows, strict=True)))

    def remember(self, passed: Passed) -> None:
        """Add the chunk of the last `recall`; new inputs are stored at the end."""
        keys = self._chunk_keys
        new = [row for row, key in enumerate(keys) if key not in self._places]
        if not new:
            return
        self.is_complete = False
        self._keys += [keys[row] for row in new]
        arrays = (np.asarray(passed.probabilities), *(passed.arrays[path] for path in self.paths))
        for store, array in zip(self._remembered, arrays, strict=True):
            store.append(array[new])

    def store(self) -> None:
        """Store new inputs, in a separate folder.

        Raises:
            OptionError: the disk is full.
        """
        target = self._folder / hashlib.sha256(b"".join(self._keys)).hexdigest()
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder, ignore_cleanup_errors=True) as temporary:
            for file, store in zip(self._files, self._remembered, strict=True):
                rows = store.rows()
                with GrowingArray(Path(temporary) / file, rows.shape[1:]) as growing:
                    for start in range(0, len(rows), 1024):
                        growing.append(rows[start : start + 1024])
            np.save(Path(temporary) / _KEYS, np.frombuffer(b"".join(self._keys), np.uint8).reshape(-1, 16))
            target.mkdir(exist_ok=True)
            # File by file, so that each existing file is complete.
            for file in (*self._files, _KEYS):
                os.replace(Path(temporary) / file, target / file)

    def _open(self, part: Path) -> None:
        """Find the inputs of a stored part; a damaged part has none."""
        try:
            keys = np.load(part / _KEYS, allow_pickle=False)
        except (OSError, ValueError, EOFError, SyntaxError):
            return
        files = [part / file for file in self._files]
        is_valid = keys.dtype == np.uint8 and keys.ndim == 2 and keys.shape[1] == 16
        if is_valid and all(has_rows(file, len(keys)) for file in files):
            self._places |= {key.tobytes(): (len(self._parts), row) for row, key in enumerate(keys)}
            self._parts.append([np.load(file, mmap_mode="r") for file in files])
