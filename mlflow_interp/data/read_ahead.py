"""Prepares the next part of the inputs in a thread while the model runs on the previous one."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from mlflow_interp.core.batch import closed_at_end

T = TypeVar("T")

AHEAD = 1  # parts to prepare while one is used
DECODERS = min(8, os.cpu_count() or 1)  # threads; Pillow decodes and resizes without the GIL


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
