"""One call of a layer that is called several times in a forward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """One call of a layer.

    Attributes:
        number: its position among all calls of the layer in a forward pass, starting with the first input's.
        inputs: positions of the model's inputs that it is computed from, dict entries by sorted key; empty
            if not known.
        frame: the time step of the only input that it is computed from; None if it is not a single one.
    """

    number: int = 0
    inputs: tuple[int, ...] = ()
    frame: int | None = None


def numbers_text(calls: Sequence[Call]) -> str:
    """The numbers of calls, as the option `calls` takes them."""
    return ",".join(str(call.number) for call in calls)


def several_calls_text(calls: Mapping[str, Sequence[Call]]) -> str:
    """The call numbers of several layers, listed by layer if they differ. Empty if all are first calls."""
    texts = {path: numbers_text(each) for path, each in calls.items()}
    if set(texts.values()) <= {"0"}:
        return ""
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return "; ".join(f"{path}: {text}" for path, text in texts.items())
