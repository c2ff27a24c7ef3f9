"""All inputs of one interpretation, read chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.inputs_record import InputsRecord
from mlflow_interp.core.output_positions import OutputPositions
from mlflow_interp.exceptions import InputsError

_SHUFFLED = (
    "the inputs were in a different order when they were read again, so the results of the two passes belong "
    "to different inputs; shuffle with reshuffle_each_iteration=False, or pass arrays"
)
_NOT_REPEATABLE = (
    "the inputs were different when they were read again, so the results of the two passes belong to "
    "different inputs; make the dataset yield the same inputs each time (no random augmentation), or pass "
    "arrays"
)


@dataclass
class Batch:
    """All inputs of one interpretation, read chunk by chunk.

    They may be read several times; there is a warning if a source then gives different inputs.

    Attributes:
        source: where they come from, for display: a path, a URI, "array", "dataset".
        read: yields the chunks; each call starts from the beginning.
        total: the number of inputs, None if it is only known after reading.
        class_names: the names of the model's classes, None if not known.
        preparation: how inputs were prepared for the model: preprocess, resize, size.
        read_like: reads one more input from a file, prepared like these.
        load_like: loads other inputs, with their labels or None, prepared like these.
        black_like: what a black image of the shape of one input becomes by preprocessing; it returns None if
            that is not known.
        read_arrays: reads the arrays of an earlier interpretation from its folder or URI.
        positions: which positions of the model's output are explained; None for all.
        head: what the model's output is, as stated; see `backend.heads.Head`.
        ignored_label: the label that the model's loss ignores, None without one.
        log_images: whether results may hold images and other values of the inputs.
        regions: the option that gives regions of the inputs, "masks" or "boxes"; "" without any.
        labelled: false if no input has a label, as far as that is known before reading.
        skipped: by name, inputs that could not be read and why; filled while reading.
        warnings: what a user should know before trusting a figure.
    """

    source: str
    read: Callable[[], Iterator[Chunk]]
    total: int | None = None
    class_names: tuple[str, ...] | None = None
    preparation: Mapping[str, Any] = field(default_factory=dict)
    read_like: Callable[[str], np.ndarray] | None = None
    load_like: Callable[[Any, Any], Batch] | None = None
    black_like: Callable[[tuple[int, ...]], np.ndarray | None] | None = None
    read_arrays: Callable[[str], dict[str, np.ndarray]] | None = None
    log_images: bool = True
    labelled: bool = True
    regions: str = ""
    positions: OutputPositions | None = None
    head: str = "auto"
    ignored_label: int | None = None
    skipped: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    # The first full pass, if there was one. A list, as batches made of this one by `replace` share it.
    _passes: list[InputsRecord] = field(default_factory=list, repr=False)

    def chunks(self) -> Iterator[Chunk]:
        """Yield every chunk; a full pass also creates the `record`.

        Threads may read inputs ahead of their use. They end with the iterator: a loop that may be left early
        should iterate over `contextlib.closing(batch.chunks())`.

        Raises:
            InputsError: no input could be read.
        """
        current = InputsRecord()
        with closed_at_end(self.read()) as chunks:
            for chunk in chunks:
                current.update(chunk)
                yield chunk
        if not current.count:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in list(self.skipped.items())[:3])
            raise InputsError(
                f"no input could be read from {self.source!r}"
                + (f" ({reasons})" if reasons else " (it is empty)")
                + "; give other inputs, or save or copy these again"
            )
        if not self._passes:
            self._passes.append(current)
        warning = _difference(self._passes[0], current)
        if warning and warning not in self.warnings:
            self.warnings.append(warning)

    def storable(self, chunk: Chunk) -> Chunk:
        """What a result may keep of a chunk: all of it, or nothing that shows its inputs."""
        return chunk if self.log_images else chunk.blanked()

    def in_memory(self) -> Batch:
        """These inputs, all read now and held in memory: each pass gives the same, whatever the source."""
        chunks = list(self.chunks())
        return replace(self, read=lambda: iter(chunks))

    def with_columns(self, columns: Mapping[str, Any]) -> Batch:
        """These inputs with additional values for each: `chunk.columns` has the values of its inputs.

        An input's row is its position in the inputs as given: unreadable inputs keep their row, and with
        `max_inputs` there are values for all inputs, including those that are not read.

        Args:
            columns: By name (used in messages), an array with a row for each given input.

        Raises:
            InputsError: the numbers of values and inputs differ. Raised here if the number of inputs is
                known, otherwise while reading.
        """
        values = {name: np.atleast_1d(np.asarray(column)) for name, column in columns.items()}
        for name, column in values.items():
            self._check_length(name, len(column))
        return replace(self, read=lambda: self._read_with(values))

    def _check_length(self, name: str, count: int) -> None:
        if not self.has_room_for(count):
            raise _lengths_differ(name, count, f"{self.total}")

    def has_room_for(self, count: int) -> bool:
        """Whether there can be this many values, one for each input as given; not all may be read."""
        return self.total is None or count == self.total or (self._is_limited and count > self.total)

    @property
    def _is_limited(self) -> bool:
        return self.preparation.get("max_inputs") is not None

    def _read_with(self, columns: Mapping[str, np.ndarray]) -> Iterator[Chunk]:
        inputs = 0
        with closed_at_end(self.read()) as chunks:
            for chunk in chunks:
                last = int(chunk.indices.max())
                for name, column in columns.items():
                    if last >= len(column):
                        raise _lengths_differ(name, len(column), f"{last + 1} or more")
                rows = {name: column[chunk.indices] for name, column in columns.items()}
                inputs += len(chunk)
                yield replace(chunk, columns={**chunk.columns, **rows})
        inputs += len(self.skipped)
        for name, column in columns.items():
            if self.total is None and not self._is_limited and len(column) > inputs:
                raise _lengths_differ(name, len(column), f"{inputs}")

    @property
    def count(self) -> int:
        """The number of inputs that could be read."""
        return self.record().count

    def record(self) -> InputsRecord:
        """The record of the inputs; reads them all if they were not read before."""
        if not self._passes:
            for _ in self.chunks():
                pass
        record = self._passes[0]
        record.skipped |= self.skipped
        record.warn(*self.warnings)
        return record


def _difference(first: InputsRecord, later: InputsRecord) -> str | None:
    """A warning if a later pass gave different inputs, or the same in a different order."""
    if first.order == later.order:
        return None
    return _SHUFFLED if first.digest == later.digest else _NOT_REPEATABLE


@contextmanager
def closed_at_end(chunks: Iterator[Any]) -> Iterator[Iterator[Any]]:
    """An iterator that is closed when the block ends, if it can be closed."""
    try:
        yield chunks
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()


def _lengths_differ(name: str, count: int, inputs: str) -> InputsError:
    return InputsError(f"there are {count} {name} for {inputs} inputs; give one for each")
