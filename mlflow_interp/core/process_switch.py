"""A process-wide setting that several threads may need to change at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager


class ProcessSwitch:
    """Changes a setting of the process while any thread needs it: from the first thread in to the last out.

    A context manager per thread would restore the setting while another thread still relies on the change.

    Args:
        change: Creates the context manager that changes and restores the setting.
    """

    def __init__(self, change: Callable[[], AbstractContextManager[object]]) -> None:
        self._change = change
        self._lock = threading.Lock()
        self._threads = 0
        self._changed = ExitStack()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Keep the setting changed for as long as the block lasts."""
        with self._lock:
            if not self._threads:
                self._changed.enter_context(self._change())
            self._threads += 1
        try:
            yield
        finally:
            with self._lock:
                self._threads -= 1
                if not self._threads:
                    self._changed.close()
