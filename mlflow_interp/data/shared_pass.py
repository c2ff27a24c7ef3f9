"""Reads a source once for several models: what a part holds is read once, and prepared for each of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

from mlflow_interp.core.batch import closed_at_end
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.data.read_ahead import read_ahead

_LATEST = 1  # parts that others may have been given before a model begins to read along


@dataclass(frozen=True)
class Reading:
    """How the inputs of one model are read.

    Attributes:
        source: what is read; readings of one source, by `is_same`, can share a pass.
        open: opens the source for one pass, and yields its parts in the caller's thread, which runs the
            user's code in a dataset. Takes the forms of all readings that share the pass.
        job: a function that prepares a part in any thread; called in the caller's thread.
        chunk: the chunk of what the job returned, in the caller's thread; None without a readable input.
        form: the form in which images are decoded; None for other inputs.
        total: the number of inputs, None if it is only known after reading.
        facts: how inputs are prepared, for the manifest; complete after reading.
    """

    source: Any
    open: Callable[[Sequence[Any]], AbstractContextManager[Iterator[Any]]]
    job: Callable[[Any], Callable[[], Any]]
    chunk: Callable[[Any], Chunk | None]
    form: Any
    total: int | None
    facts: dict[str, Any]


class SharedPasses:
    """Passes over a source in which several models take part.

    A pass is meant for models that read side by side, one part at a time. A model that begins after another
    has had its second part, or when nobody reads, begins a new pass, so that each can also read alone.
    """

    def __init__(self, readings: Sequence[Reading]) -> None:
        self._readings = readings
        self._current: _Pass | None = None

    def chunks(self, position: int) -> Iterator[Chunk]:
        """Yield the chunks for one of the models, from the first."""
        if self._current is None or not self._current.admits(position):
            self._current = _Pass(self._readings)
        with closed_at_end(self._current.prepared(position)) as prepared:
            for each in prepared:
                chunk = self._readings[position].chunk(each)
                if chunk is not None:
                    yield chunk


class _Pass:
    """One pass: a part is read when the first model asks for it, and held until the last one has taken it."""

    def __init__(self, readings: Sequence[Reading]) -> None:
        self._expected = set(range(len(readings)))  # models that have not begun
        self._waiting: dict[int, deque[Any]] = {position: deque() for position in self._expected}
        self._count = 0
        self._error: Exception | None = None
        self._parts = self._prepared_parts(readings)

    def admits(self, position: int) -> bool:
        """Whether a model may begin to take part."""
        return position in self._expected

    def prepared(self, position: int) -> Iterator[Any]:
        """Yield what the jobs of one model returned."""
        self._expected.discard(position)
        waiting = self._waiting[position]
        try:
            while waiting or self._read():
                yield waiting.popleft()
        finally:
            del self._waiting[position]
            if self._waiting.keys() <= self._expected:  # all that began have ended
                self._expected.clear()
                self._parts.close()

    def _read(self) -> bool:
        """Give the next part to all models; false at the end."""
        if self._error is not None:
            raise self._error
        if self._count == _LATEST:
            for position in self._expected:
                del self._waiting[position]
            self._expected.clear()
        try:
            part = next(self._parts, None)
        except Exception as error:
            self._error = error  # for all models
            raise
        if part is None:
            return False
        self._count += 1
        for position, prepared in part.items():
            if position in self._waiting:
                self._waiting[position].append(prepared)
        return True

    def _prepared_parts(self, readings: Sequence[Reading]) -> Generator[dict[int, Any], None, None]:
        """Yield, for each part, what the job of each model returned, by the position of the model."""
        forms = list(dict.fromkeys(each.form for each in readings))
        with readings[0].open(forms) as parts, closed_at_end(read_ahead(self._jobs(readings, parts))) as done:
            yield from done

    def _jobs(self, readings: Sequence[Reading], parts: Iterator[Any]) -> Iterator[Callable[[], Any]]:
        for part in parts:
            yield partial(_run_all, {position: readings[position].job(part) for position in self._waiting})


def _run_all(jobs: dict[int, Callable[[], Any]]) -> dict[int, Any]:
    return {position: job() for position, job in jobs.items()}
