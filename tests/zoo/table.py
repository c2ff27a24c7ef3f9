"""The table of results: one row per architecture, one column per method."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from tests.running import methods_for_convolutions
from tests.zoo import architectures

_BLOCK = re.compile(r"<!-- zoo -->\n.*?<!-- end -->", re.DOTALL)
Trial = dict[str, Any]


def row(trial: Trial) -> str:
    """An architecture, its input, its size, the outcome of each method, and the total time."""
    methods = trial["methods"]
    fared = [methods[name]["outcome"] for name in methods_for_convolutions()]
    side = trial["side"]
    size = f"{trial['parameters'] / 1e6:.1f} M"
    return f"| {trial['name']} | {side}×{side} | {size} | {' | '.join(fared)} | {trial['seconds']:.0f} s |"


def table(trials: Sequence[Trial]) -> str:
    """The whole table in Markdown, with the message for users if a method does not pass."""
    head = ["architecture", "input", "parameters", *methods_for_convolutions(), "time"]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *map(row, trials)]
    messages = [
        f"- {trial['name']}, {name}, {each['outcome']}: {each['message']}"
        for trial in trials
        for name, each in trial["methods"].items()
        if each["message"]
    ]
    return "\n".join([summary(trials), "", *lines, *(["", *messages] if messages else [])])


def summary(trials: Sequence[Trial]) -> str:
    """The number of passes, the date and the versions."""
    outcomes = [each["outcome"] for trial in trials for each in trial["methods"].values()]
    counts = ", ".join(f"{outcomes.count(kind)} {kind}" for kind in ("pass", "not applicable", "fail"))
    versions = ", ".join(f"{name} {version(name)}" for name in ("keras", "tensorflow", "umap-learn"))
    of = len(architectures.names())
    return f"{len(trials)} of {of} architectures: {counts}. {datetime.date.today()}, {versions}."


def failed(trials: Sequence[Trial]) -> bool:
    """Whether any method failed."""
    return any(each["outcome"] == "fail" for trial in trials for each in trial["methods"].values())


def filled(page: str, trials: Sequence[Trial]) -> str:
    """A page with its marked table replaced."""
    return _BLOCK.sub(lambda _: f"<!-- zoo -->\n{table(trials)}\n<!-- end -->", page)
