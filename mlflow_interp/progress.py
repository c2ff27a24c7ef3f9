"""Progress for people: a bar on a terminal, a plain line now and then elsewhere, or nothing."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")
SECONDS_BETWEEN_LINES = 10.0

# A context variable, so that one thread's quiet call does not silence another's.
_shown: ContextVar[bool] = ContextVar("progress_shown", default=False)


@contextlib.contextmanager
def shown(show: bool) -> Iterator[None]:
    """Show (or hide) the progress of everything that runs inside."""
    token = _shown.set(show)
    try:
        yield
    finally:
        _shown.reset(token)


def say(line: str) -> None:
    """One line to the user on standard error, unless hidden."""
    if _shown.get():
        print(line, file=sys.stderr, flush=True)


def track(items: Iterable[T], *, total: int | None, label: str, unit: str) -> Iterator[T]:
    """Yield `items`, reporting rate and remaining time.

    A number counts as many as it says, anything else as many as its length.
    """
    if not _shown.get():
        yield from items
    elif sys.stderr.isatty():
        yield from _bar(items, total, label, unit)
    else:
        yield from _lines(items, total, label, unit)


def _size(item: object) -> int:
    if isinstance(item, int):
        return item
    return len(item) if hasattr(item, "__len__") else 1


def _bar(items: Iterable[T], total: int | None, label: str, unit: str) -> Iterator[T]:
    from tqdm import tqdm

    with tqdm(total=total, desc=label, unit=f" {_plural(unit)}", dynamic_ncols=True) as bar:
        for item in items:
            yield item
            bar.update(_size(item))


def _lines(items: Iterable[T], total: int | None, label: str, unit: str) -> Iterator[T]:
    started = told = time.monotonic()
    done = 0
    for item in items:
        yield item
        done += _size(item)
        if time.monotonic() - told > SECONDS_BETWEEN_LINES and done != total:
            told = time.monotonic()
            say(_line(label, done, total, unit, told - started))
    say(_line(label, done, done, unit, time.monotonic() - started))


def _line(label: str, done: int, total: int | None, unit: str, seconds: float) -> str:
    rate, units = done / max(seconds, 1e-9), _plural(unit)
    left = f", {(total - done) / rate:.0f} s left" if total and total > done else ""
    return f"{label}: {done}/{total or '?'} {units}, {rate:.1f} {units}/s{left}"


def _plural(unit: str) -> str:
    return f"{unit}es" if unit.endswith("s") else f"{unit}s"
