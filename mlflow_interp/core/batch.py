"""All inputs of one interpretation, read chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.digests import InputsDigest
from mlflow_interp.exceptions import InputsError


@dataclass
class Batch:
    """All inputs of one interpretation, read chunk by chunk as often as a method likes.

    Attributes:
        source: where they come from, for people: a path, a URI, "array", "dataset".
        read: yields the chunks; each call starts again and gives the same inputs.
        total: the number of inputs, None where it is only known after reading.
        class_names: the names of the model's classes, None where they are not known.
        preparation: how inputs became what the model is fed: preprocess, resize, size.
        read_like: reads one more input out of a file, prepared as these are.
        read_arrays: reads the arrays of an earlier interpretation out of its folder or URI.
        labelled: false where no input has a label, as far as that is known before reading.
        skipped: what could not be read and why, by name; filled while reading.
        warnings: what a user should know before trusting a figure.
    """

    source: str
    read: Callable[[], Iterator[Chunk]]
    total: int | None = None
    class_names: tuple[str, ...] | None = None
    preparation: Mapping[str, Any] = field(default_factory=dict)
    read_like: Callable[[str], np.ndarray] | None = None
    read_arrays: Callable[[str], dict[str, np.ndarray]] | None = None
    labelled: bool = True
    skipped: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    _digest: str | None = None
    _count: int = 0

    def chunks(self) -> Iterator[Chunk]:
        """Yield every chunk; a full pass also sets `digest` and `count`.

        Raises:
            InputsError: nothing could be read at all.
        """
        digest = InputsDigest()
        count = 0
        for chunk in self.read():
            digest.add(chunk.inputs)
            count += len(chunk)
            yield chunk
        if not count:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in list(self.skipped.items())[:3])
            raise InputsError(
                f"no input could be read from {self.source!r}"
                + (f" ({reasons})" if reasons else " (it is empty)")
                + "; give others, or save or copy them anew"
            )
        self._digest = digest.hexdigest()
        self._count = count

    @property
    def digest(self) -> str:
        """The sha256 of every input as the model is fed it, in order."""
        if self._digest is None:
            for _ in self.chunks():
                pass
        return str(self._digest)

    @property
    def count(self) -> int:
        """How many inputs could be read."""
        return self._count if self.digest else 0
