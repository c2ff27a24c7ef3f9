"""What a training goes on without, and what the user was warned of."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterable

from mlflow_interp.exceptions import InterpretationError

logger = logging.getLogger("mlflow_interp")


class Failures:
    """The methods that a training goes on without; every warning is given once.

    Args:
        methods: the names of all methods.
        silent: whether to log no warnings.
    """

    def __init__(self, methods: Collection[str], *, silent: bool) -> None:
        self._methods = methods
        self._silent = silent
        self._given_up: set[str] = set()
        self._warned: set[str] = set()
        self._lock = threading.Lock()  # the validation pass and the worker's client have their own threads

    def active(self, methods: Iterable[str]) -> list[str]:
        """Those of some methods that have not failed."""
        return [name for name in methods if name not in self._given_up]

    def give_up(self, methods: Iterable[str], error: Exception) -> None:
        """Go on without methods, with one warning about the reason."""
        with self._lock:
            failed = self.active(methods)
            self._given_up.update(failed)
        if failed:
            self.warn(f"training goes on without {', '.join(failed)}: {reason_in_words(error)}")

    def give_up_all(self, error: Exception) -> None:
        """Go on without interpretation; existing results are logged, and the run ends as usual."""
        with self._lock:
            failed = self.active(self._methods)
            self._given_up.update(failed)
        if failed:
            self.warn(f"training goes on without interpretation: {reason_in_words(error)}")

    def warn(self, text: str) -> None:
        """Warn the user, once with each text."""
        if text not in self._warned and not self._silent:
            self._warned.add(text)
            logger.warning("%s", text)


def reason_in_words(error: Exception) -> str:
    """The first line of an error, after its type where it is not one that a user can act on."""
    first = (str(error).strip().splitlines() or [""])[0]
    return first if isinstance(error, InterpretationError) else f"{type(error).__name__}: {first}"
