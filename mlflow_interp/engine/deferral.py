"""Work that needs no model any more can be done later and elsewhere, while training goes on.

A method ends in `conclude(function, *arguments)`: as a rule that calls the function at once. Inside
`deferring()` it packs the call instead, and whoever gets the `Deferred` can unpack it in another process.
"""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar, cast

R = TypeVar("R")

_deferring: ContextVar[bool] = ContextVar("deferring", default=False)


@dataclass(frozen=True)
class Deferred:
    """A call with its arguments, as bytes: what it needs may be gone when it is made."""

    packed: bytes

    def conclude(self, previous: Any = None) -> Any:
        """Make the call; `previous` is the result of the step before, None for the first."""
        function, arguments = pickle.loads(self.packed)  # noqa: S301 - packed by this program
        return function(*arguments, previous=previous)


@contextlib.contextmanager
def deferring() -> Iterator[None]:
    """Have methods give a `Deferred` for what is left of their work, where they can."""
    token = _deferring.set(True)
    try:
        yield
    finally:
        _deferring.reset(token)


def conclude(function: Callable[..., R], *arguments: Any) -> R:
    """Call `function(*arguments, previous=None)`, or pack the call for later.

    Args:
        function: of a module's top level, so that it can be found again. Needs no TensorFlow, and takes
            `previous`, the result of the step before or None.
        arguments: what can be pickled.
    """
    if not _deferring.get():
        return function(*arguments, previous=None)
    return cast(R, Deferred(pickle.dumps((function, arguments), protocol=pickle.HIGHEST_PROTOCOL)))
