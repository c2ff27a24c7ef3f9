"""A grid of 2×2 matrices: inputs that may have several labels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.layout import FigureLayout, fitted
from mlflow_interp.kinds.confusion_matrix.measures import normalized
from mlflow_interp.kinds.confusion_matrix.text import amount, headline, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.kinds.confusion_matrix.result import ConfusionMatrixResult

MOST_LABELS = 48
_SIDE, _WIDE, _HIGH, _HEAD = 1.3, 1.75, 2.15, 0.75  # inches: of a matrix, of its place, of the title
_LEFT = 0.6


def draw_labels_grid(
    result: ConfusionMatrixResult, normalize: str, chosen: np.ndarray, colours: Any
) -> Figure:
    """Draw a matrix for each label, the first 48 in the order `chosen`."""
    chosen = chosen[:MOST_LABELS]
    columns = min(8, max(3, math.ceil(math.sqrt(1.6 * len(chosen)))), len(chosen))
    rows = math.ceil(len(chosen) / columns)
    paper = FigureLayout.of(max(5.2, _LEFT + columns * _WIDE), _HEAD + rows * _HIGH + 0.1)
    _title(paper, result, len(chosen))
    shares = normalized(result.matrix, normalize)
    for place, label in enumerate(chosen.tolist()):
        left, top = _LEFT + place % columns * _WIDE, _HEAD + 0.38 + place // columns * _HIGH
        axes = paper.axes((left, top, _SIDE, _SIDE))
        most = float(shares.max() or 1) if normalize in ("none", "all") else 1.0
        _panel(axes, result, label, shares[label] / most, colours)
        _name(axes, result, label)
        axes.set_yticks([0, 1], ["absent", "present"] if place % columns == 0 else ["", ""], size=7)
        axes.set_xticks([0, 1], ["not found", "found"], size=7)
    return paper.figure


def _title(paper: FigureLayout, result: ConfusionMatrixResult, shown: int) -> None:
    total, (facts, measures) = len(result.counts), headline(result)
    more = f" · {shown} of {total} labels" if shown < total else ""
    paper.title(f"Confusion matrices · {facts}", measures + more)


def _panel(axes: Any, result: ConfusionMatrixResult, label: int, shade: np.ndarray, colours: Any) -> None:
    pixels = colours(0.9 * shade, bytes=True)
    axes.imshow(pixels, interpolation="nearest", aspect="auto")
    matrix = result.matrix[label]
    shares = normalized(matrix, "true")
    for row, column in np.ndindex(2, 2):
        ink = "white" if pixels[row, column, :3].mean() < 140 else style.INK
        look = {"ha": "center", "va": "center", "color": ink}
        axes.text(column, row - 0.08, amount(matrix[row, column]), size=8.5, **look)
        axes.text(
            column, row + 0.22, percent(float(shares[row, column]), zero="0%"), size=6, alpha=0.75, **look
        )


def _name(axes: Any, result: ConfusionMatrixResult, label: int) -> None:
    name = fitted(result.names[label], _WIDE - 0.1, 8.5)
    axes.set_title(name, size=8.5, color=style.INK, pad=14, parse_math=False)
    axes.text(
        0.5, 1.04, f"F1 {result.each.f1[label]:.2f}", transform=axes.transAxes, ha="center", size=7,
        color=style.FAINT,
    )  # fmt: skip
    axes.tick_params(length=0, labelcolor=style.FAINT, pad=2)
    for spine in axes.spines.values():
        spine.set_color("#d0d7de")
