"""Defer the part of a method that needs no model, so that another process can run it during training.

A method ends in `conclude(function, *arguments)`, which normally calls the function at once. Inside
`deferring()` it pickles the call into a `Deferred` instead, which another process can conclude.
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
    """A pickled call: its arguments, such as temporary files, may be gone when it is made."""

    packed: bytes

    def conclude(self, previous: Any = None) -> Any:
        """Make the call; `previous` is the result of the previous step, None for the first."""
        function, arguments = pickle.loads(self.packed)  # noqa: S301 - packed by this program
        return function(*arguments, previous=previous)


@contextlib.contextmanager
def deferring() -> Iterator[None]:
    """Have methods return a `Deferred` for the part of their work that needs no model, if they can."""
    token = _deferring.set(True)
    try:
        yield
    finally:
        _deferring.reset(token)


def conclude(function: Callable[..., R], *arguments: Any) -> R:
    """Call `function(*arguments, previous=None)`, or pack the call for later.

    Args:
        function: defined at the top level of a module, so that it can be pickled. Needs no TensorFlow, and
            takes `previous`, the result of the previous step or None.
        arguments: of the function; they can be pickled.
    """
    if not _deferring.get():
        return function(*arguments, previous=None)
    return cast(R, Deferred(pickle.dumps((function, arguments), protocol=pickle.HIGHEST_PROTOCOL)))
