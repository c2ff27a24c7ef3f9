"""One run of a layer that runs several times in a forward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """One run of a layer.

    Attributes:
        number: its position among all runs of the layer in a forward pass, starting with the first input's.
        inputs: positions of the model's inputs that it is computed from, dict entries by sorted key; empty
            if not known.
        frame: the time step of the only input that it is computed from; None if it is not a single one.
    """

    number: int = 0
    inputs: tuple[int, ...] = ()
    frame: int | None = None


def numbers_text(runs: Sequence[Run]) -> str:
    """The numbers of runs, as the option `runs` takes them."""
    return ",".join(str(run.number) for run in runs)


def several_runs_text(runs: Mapping[str, Sequence[Run]]) -> str:
    """The run numbers of several layers, listed by layer if they differ. Empty if all are first runs."""
    texts = {path: numbers_text(each) for path, each in runs.items()}
    if set(texts.values()) <= {"0"}:
        return ""
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return "; ".join(f"{path}: {text}" for path, text in texts.items())
