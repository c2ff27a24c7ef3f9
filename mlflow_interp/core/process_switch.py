"""A switch of the whole process that several threads may want thrown at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager


class ProcessSwitch:
    """Throws a switch of the process while any thread wants it so: the first one in, the last one out.

    A context manager of a thread's own would put the switch back while another still counts on it.

    Args:
        throw: Makes the context manager that throws the switch and puts it back.
    """

    def __init__(self, throw: Callable[[], AbstractContextManager[object]]) -> None:
        self._throw = throw
        self._lock = threading.Lock()
        self._threads = 0
        self._thrown = ExitStack()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Throw the switch for as long as the block lasts."""
        with self._lock:
            if not self._threads:
                self._thrown.enter_context(self._throw())
            self._threads += 1
        try:
            yield
        finally:
            with self._lock:
                self._threads -= 1
                if not self._threads:
                    self._thrown.close()
