"""Robust timing on a noisy machine: candidates take turns, and ratios are computed in each round.

Other processes and thermal limits slow a shared machine for seconds at a time. Candidates measured one after
the other in the same round are affected alike, so the ratio of a round varies less than the ratio of two
medians, and the spread of ratios shows how reliable it is.
"""

from __future__ import annotations

import gc
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

import numpy as np

Work = TypeVar("Work")
Peer = TypeVar("Peer")
Candidate = Callable[[], object]


@dataclass(frozen=True)
class Ratio:
    """The time relative to the baseline: median, minimum and maximum over rounds."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:.2f}× ({self.least:.2f}–{self.most:.2f})"


@dataclass(frozen=True, eq=False)
class Timing:
    """The time of a candidate in each round.

    Attributes:
        wall: (rounds,) seconds of wall time.
        cpu: (rounds,) seconds of CPU time, over all threads of the process.
    """

    wall: np.ndarray
    cpu: np.ndarray

    @property
    def wall_median(self) -> float:
        """Median wall time over rounds, in seconds."""
        return float(np.median(self.wall))

    @property
    def cpu_median(self) -> float:
        """Median CPU time over rounds, in seconds."""
        return float(np.median(self.cpu))

    def wall_over(self, floor: Timing) -> Ratio:
        """Wall time relative to that of the baseline in the same round."""
        return _ratio(self.wall, floor.wall)

    def cpu_over(self, floor: Timing) -> Ratio:
        """CPU time relative to that of the baseline in the same round."""
        return _ratio(self.cpu, floor.cpu)


def interleaved(candidates: Mapping[str, Candidate], rounds: int, *, warmups: int = 1) -> dict[str, Timing]:
    """Time each candidate once in each round, after `warmups` calls that are not counted.

    A candidate must return only when its work is complete: end it with `.numpy()`, because a GPU returns
    earlier. The order rotates, so that none always runs after the same other candidate.
    """
    for candidate in candidates.values():
        for _ in range(warmups):
            candidate()
    names = list(candidates)
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            measured[name].append(once(candidates[name]))
    return {name: Timing(*np.array(pairs).T) for name, pairs in measured.items()}


def table(timings: Mapping[str, Timing], floor: str) -> str:
    """The timings as a Markdown table, with ratios to the candidate called `floor`."""
    base = timings[floor]
    rows = [
        f"| {name} | {_seconds(timing.wall_median)} | {_seconds(timing.cpu_median)} "
        f"| {timing.wall_over(base)} | {timing.cpu_over(base)} |"
        for name, timing in timings.items()
    ]
    header = "| candidate | wall | CPU | wall ÷ floor (min–max) | CPU ÷ floor (min–max) |"
    return "\n".join([header, "|---|--:|--:|--:|--:|", *rows])


def print_table(title: str, timings: Mapping[str, Timing], floor: str, *packages: str) -> None:
    """Print a title, the table, and the machine and versions."""
    rounds = len(timings[floor].wall)
    print(f"\n### {title}\n\n{table(timings, floor)}\n")
    print(f"Medians of {rounds} rounds; ratios are medians of the rounds' own ratios. {machine(*packages)}")


def usable(makers: Mapping[str, Callable[[Work], Peer]], work: Work) -> tuple[dict[str, Peer], list[str]]:
    """The packages that can be used here, by name, and a note about each that can't."""
    peers, notes = {}, []
    for package, make in makers.items():
        try:
            peers[package] = make(work)
        except ImportError as error:
            notes.append(
                f"{package} is left out: {error}; `pip install -e .[bench]` or `pip install {package}`."
            )
        except Exception as error:  # whatever a package raises, the others are still measured
            reason = (str(error).strip() or repr(error)).splitlines()[0]
            notes.append(f"{package} is left out, it fails: {type(error).__name__}: {reason[:300]}")
    return peers, notes


def machine(*packages: str) -> str:
    """One line: versions of Python, TensorFlow, Keras and the given packages, and the number of cores."""
    versions = [f"{name} {_version(name)}" for name in ("tensorflow", "keras", *packages)]
    return f"python {platform.python_version()}, {', '.join(versions)}, {_cores()} cores, {_device()}."


def once(candidate: Candidate) -> tuple[float, float]:
    """Seconds of a single call, wall and CPU."""
    gc.collect()
    gc.disable()  # otherwise one candidate pays for the garbage of another
    try:
        wall, cpu = time.perf_counter(), time.process_time()
        candidate()
        return time.perf_counter() - wall, time.process_time() - cpu
    finally:
        gc.enable()


def _ratio(times: np.ndarray, floor: np.ndarray) -> Ratio:
    ratios = times / floor
    return Ratio(float(np.median(ratios)), float(ratios.min()), float(ratios.max()))


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _cores() -> int:
    # A container may have fewer cores than the machine.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _device() -> str:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return f"{len(gpus)} GPU" if gpus else "CPU only"
