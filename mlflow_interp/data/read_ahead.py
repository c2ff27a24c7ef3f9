"""Prepares the next part of the inputs in a thread while the model runs on the previous one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import chain
from typing import TypeVar

from mlflow_interp.backend.startup import allowed_threads
from mlflow_interp.core.batch import closed_at_end

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 1  # parts to prepare while one is used
MOST_DECODERS = 8  # threads; Pillow decodes and resizes without the GIL, but the rest needs it
TURNS = 4  # of each decoder for a part: a turn costs as much as a small image, and few turns end unevenly


class Decoders(AbstractContextManager["Decoders"]):
    """Threads that decode files in parallel; if only one thread may work, the caller decodes them itself."""

    def __init__(self) -> None:
        self._count = min(MOST_DECODERS, allowed_threads())
        self._threads = ThreadPoolExecutor(self._count, thread_name_prefix="mlflow-interp-decode")

    def __exit__(self, *error: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """The results of a function, in order."""
        if self._count == 1:
            return list(map(function, items))
        size = max(1, len(items) // (TURNS * self._count))
        turns = [items[start : start + size] for start in range(0, len(items), size)]
        return list(chain.from_iterable(self._threads.map(lambda turn: list(map(function, turn)), turns)))


def read_ahead(jobs: Iterator[Callable[[], T]]) -> Generator[T, None, None]:
    """Yield the results of the jobs in order; threads run the next jobs while a result is used.

    Jobs are taken from their iterator in the caller's thread. An error is raised in place of its result.
    No thread is left when the iterator ends or is closed.
    """
    waiting: deque[Future[T]] = deque()
    # Exited in reverse order: first the threads end, then the jobs close their source.
    with closed_at_end(jobs), ThreadPoolExecutor(1, thread_name_prefix="mlflow-interp-read") as thread:
        try:
            for submitted in _submitted(thread, jobs):
                waiting.append(submitted)
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            thread.shutdown(cancel_futures=True)


def _submitted(thread: ThreadPoolExecutor, jobs: Iterator[Callable[[], T]]) -> Iterator[Future[T]]:
    """Each job as a future; an error of the iterator becomes the last future's."""
    try:
        for job in jobs:
            yield thread.submit(job)
    except Exception as error:
        failed: Future[T] = Future()
        failed.set_exception(error)
        yield failed
