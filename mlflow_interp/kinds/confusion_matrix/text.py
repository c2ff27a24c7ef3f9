"""A confusion matrix as text."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import numpy as np

from mlflow_interp.drawing import style

if TYPE_CHECKING:
    from mlflow_interp.kinds.confusion_matrix.result import ConfusionMatrixResult


def percent(share: float, *, zero: str = "") -> str:
    """A share as text: 3%, <1%, and 100% only if it is exactly that."""
    if share <= 0:
        return zero
    if share < 0.005:
        return "<1%"
    return "100%" if share >= 1 else f"{min(99, round(100 * share))}%"


def amount(number: float) -> str:
    """A count, or a sum of weights, in at most five characters or so: 87, 0.25, 1,204, 12.3k, 48.2M, 17G."""
    if number != int(number):
        return f"{number:.3g}"
    for limit, unit, letter in ((10_000_000_000, 1e9, "G"), (10_000_000, 1e6, "M"), (10_000, 1e3, "k")):
        if number >= limit:
            return f"{number / unit:.3g}{letter}"
    return f"{int(number):,}"


def headline(result: ConfusionMatrixResult) -> tuple[str, str]:
    """Accuracy and the number of inputs, and a line with the other measures."""
    metrics = result.metrics()
    weighted = "" if result.weighted is None else " (weighted)"
    what = "every label right for" if result.multi_label else "accuracy"
    counted = style.counted(result.inputs)
    if result.unit != "inputs":
        counted = f"{result.positions:,} {result.unit} of {counted}"
    title = f"{what} {metrics['accuracy']:.1%}{weighted} · {counted}"
    templates = {
        "balanced_accuracy": "balanced accuracy {:.1%}",
        "hamming_loss": "hamming loss {:.3f}",
        "macro_f1": "macro F1 {:.3f}",
        "micro_f1": "micro F1 {:.3f}",
        "kappa": "kappa {:.3f}",
    }
    return title, " · ".join(
        text.format(metrics[name]) for name, text in templates.items() if name in metrics
    )


def as_text(result: ConfusionMatrixResult, *, most: int = 12) -> str:
    """The matrix as plain text for a console: counts, with recall at the end of each row.

    With more than `most` classes, only those in the most confused pairs are named.
    """
    facts, measures = headline(result)
    lines = [f"{result.title} · {facts}", measures]
    if result.multi_label or len(result.counts) > most:
        return "\n".join([*lines, *_worst(result, most)])
    names = [style.shorten(name, 14) for name in result.names]
    cells = [[str(count) for count in row] for row in result.counts.tolist()]
    recall = [f"{value:.0%}" for value in result.each.recall]
    rows = [["true \\ predicted", *names, "recall"]]
    rows += [[name, *row, share] for name, row, share in zip(names, cells, recall, strict=True)]
    widths = [max(map(_console_width, column)) for column in zip(*rows, strict=True)]
    return "\n".join([*lines, *("  ".join(map(_padded, row, widths)).rstrip() for row in rows)])


def _worst(result: ConfusionMatrixResult, most: int) -> list[str]:
    if not result.multi_label:
        return [
            f"  {_short(result, label)} → {_short(result, predicted)}: {times}"
            for label, predicted, times in result.confused(most)
        ]
    worst = np.argsort(result.each.f1, kind="stable")[:most]
    return [f"  {_short(result, label)}: F1 {result.each.f1[label]:.2f}" for label in worst.tolist()]


def _short(result: ConfusionMatrixResult, label: int) -> str:
    """The name of a class, of at most 30 characters."""
    return style.shorten(result.names[label], 30)


def _console_width(text: str) -> int:
    """The width of a text in a console, where East Asian letters are two columns wide."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _padded(text: str, width: int) -> str:
    return " " * (width - _console_width(text)) + text
