"""The methods that failed during a training, and the warnings about them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterable

from mlflow_interp.exceptions import ArchitectureError, InterpretationError

logger = logging.getLogger("mlflow_interp")


class Failures:
    """Records the methods that failed during a training, and gives each warning once.

    Args:
        methods: the names of all methods.
        silent: whether to suppress warnings.
        only_by_all: the methods that are selected only by `all`.
    """

    def __init__(self, methods: Collection[str], *, silent: bool, only_by_all: Collection[str] = ()) -> None:
        self._methods = methods
        self._silent = silent
        self._only_by_all = only_by_all
        self._given_up: set[str] = set()
        self._warned: set[str] = set()
        self._lock = threading.Lock()  # the validation pass and the worker's client have their own threads

    def active(self, methods: Iterable[str]) -> list[str]:
        """The given methods that have not failed."""
        return [name for name in methods if name not in self._given_up]

    def give_up(self, methods: Iterable[str], error: Exception) -> None:
        """Continue without these methods, with one warning that gives the reason.

        There is none for a method that `all` selected and that is for models of another architecture.
        """
        with self._lock:
            failed = self.active(methods)
            self._given_up.update(failed)
        if isinstance(error, ArchitectureError):
            failed = [name for name in failed if name not in self._only_by_all]
        if failed:
            self.warn(f"training continues without {', '.join(failed)}: {reason_in_words(error)}")

    def give_up_all(self, error: Exception) -> None:
        """Continue without interpretation; existing results are logged, and the run ends as usual."""
        with self._lock:
            failed = self.active(self._methods)
            self._given_up.update(failed)
        if failed:
            self.warn(f"training continues without interpretation: {reason_in_words(error)}")

    def warn(self, text: str) -> None:
        """Warn the user, once for each text."""
        if text not in self._warned and not self._silent:
            self._warned.add(text)
            logger.warning("%s", text)


def reason_in_words(error: Exception) -> str:
    """The first line of an error, preceded by its type unless it is an error that the user can fix."""
    first = (str(error).strip().splitlines() or [""])[0]
    return first if isinstance(error, InterpretationError) else f"{type(error).__name__}: {first}"
