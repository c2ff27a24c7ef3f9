"""Progress reports: a bar on a terminal, a line from time to time elsewhere, or nothing."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any, NoReturn, TypeVar

from tqdm import tqdm

T = TypeVar("T")
SECONDS_BETWEEN_LINES = 10.0

# A context variable, so that one thread's quiet call does not silence another's.
_shown: ContextVar[bool] = ContextVar("progress_shown", default=False)


@contextlib.contextmanager
def shown(show: bool) -> Iterator[None]:
    """Show (or hide) the progress of everything that runs inside the block."""
    token = _shown.set(show)
    try:
        yield
    finally:
        _shown.reset(token)


def say(line: str) -> None:
    """Print one line on standard error, unless progress is hidden."""
    if _shown.get():
        print(line, file=sys.stderr, flush=True)


def track(items: Iterable[T], *, total: int | None, label: str, unit: str) -> Iterator[T]:
    """Yield `items`, reporting rate and remaining time.

    An item that is a number counts as that many units; any other item counts its length.
    """
    if not _shown.get():
        yield from items
    elif sys.stderr.isatty():
        yield from _tracked(items, tqdm(total=total, desc=label, unit=_plural(unit), dynamic_ncols=True))
    else:
        lines = _Lines(total=total, desc=label, unit=_plural(unit), mininterval=SECONDS_BETWEEN_LINES)
        yield from _tracked(items, lines)


class _Lines(tqdm):  # type: ignore[type-arg]
    """Reports in separate lines, for output in which a bar can't overwrite itself."""

    def __init__(self, **settings: Any) -> None:
        line = "{desc}: {n_fmt}/{total_fmt}{unit} [{elapsed}<{remaining}, {rate_fmt}]"
        # No line at the start, before anything is done.
        super().__init__(
            **settings, bar_format=line, delay=SECONDS_BETWEEN_LINES, file=sys.stderr, position=0
        )

    @staticmethod
    def status_printer(file: Any) -> Callable[[str], None]:
        """The function that prints a report."""
        return lambda text: print(text, file=file, flush=True) if text else None

    def close(self) -> None:
        """Report nothing more: an error that stops the work is reported elsewhere."""
        self.disable = True
        super().close()


def _tracked(items: Iterable[T], bar: tqdm[NoReturn]) -> Iterator[T]:
    with bar:
        for item in items:
            yield item
            bar.update(_size(item))
        if bar.n != bar.last_print_n:  # even if the work took less time than the interval
            bar.refresh()


def _size(item: object) -> int:
    if isinstance(item, int):
        return item
    return len(item) if hasattr(item, "__len__") else 1


def _plural(unit: str) -> str:
    return f" {unit}es" if unit.endswith("s") else f" {unit}s"
