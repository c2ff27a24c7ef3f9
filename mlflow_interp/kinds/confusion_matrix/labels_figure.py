"""A grid of 2×2 matrices for inputs that may have several labels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.captions import caption
from mlflow_interp.drawing.fonts import use_fonts
from mlflow_interp.drawing.layout import FigureLayout, fitted
from mlflow_interp.kinds.confusion_matrix.measures import normalized
from mlflow_interp.kinds.confusion_matrix.text import amount, headline, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.kinds.confusion_matrix.result import ConfusionMatrixResult

MOST_LABELS = 48
_MATRIX_SIDE = 1.25  # inches
_CELL_WIDTH = 1.55  # of a matrix with its name and ticks
_MOST_COLUMNS = 4
_CELL_HEIGHT = 2.15
_TITLE_HEIGHT = 0.75
_LEFT = 0.6


def draw_labels_grid(
    result: ConfusionMatrixResult, normalize: str, order: np.ndarray, colours: Any
) -> Figure:
    """Draw a matrix for each label, the first 48 in this order."""
    order = order[:MOST_LABELS]
    columns = min(_MOST_COLUMNS, len(order))
    rows = math.ceil(len(order) / columns)
    width = max(5.2, _LEFT + columns * _CELL_WIDTH)
    height = _TITLE_HEIGHT + rows * _CELL_HEIGHT + 0.1
    layout = FigureLayout.of(width, height, _caption(result, normalize))
    _title(layout, result, len(order))
    shades = _shades(result, normalize)
    for index, label in enumerate(order.tolist()):
        row, column = divmod(index, columns)
        top = _TITLE_HEIGHT + 0.38 + row * _CELL_HEIGHT
        axes = layout.axes((_LEFT + column * _CELL_WIDTH, top, _MATRIX_SIDE, _MATRIX_SIDE))
        _panel(axes, result, label, shades[label], colours)
        _panel_title(axes, result, label)
        axes.set_yticks([0, 1], ["absent", "present"] if column == 0 else ["", ""], size=7)
        axes.set_xticks([0, 1], ["not found", "found"], size=7)
    return layout.finished(result.names)


def draw_label(axes: Any, result: ConfusionMatrixResult, label: int, normalize: str, colours: Any) -> None:
    """Draw the matrix of one label into the user's axes."""
    _panel(axes, result, label, _shades(result, normalize)[label], colours)
    _panel_title(axes, result, label)
    axes.set_yticks([0, 1], ["absent", "present"], size=7)
    axes.set_xticks([0, 1], ["not found", "found"], size=7)
    axes.set_aspect("equal")
    use_fonts(axes, result.names)


def _caption(result: ConfusionMatrixResult, normalize: str) -> str:
    shades = {
        "none": "number of inputs",
        "true": "share of the row",
        "predicted": "share of the column",
        "all": "share of all inputs",
    }
    return caption(
        "Confusion matrix of each label: whether it is present (rows) and found (columns), as the number of "
        f"inputs and below it as % of the row; colour: {shades[normalize]}.",
        result,
    )


def _shades(result: ConfusionMatrixResult, normalize: str) -> np.ndarray:
    """(labels, 2, 2) in 0..1."""
    shares = normalized(result.matrix, normalize)
    return np.asarray(shares / (float(shares.max() or 1) if normalize in ("none", "all") else 1.0))


def _title(layout: FigureLayout, result: ConfusionMatrixResult, drawn: int) -> None:
    total = len(result.counts)
    facts, measures = headline(result)
    note = f" · {drawn} of {total} labels" if drawn < total else ""
    layout.title(f"{result.title} · {facts}", measures + note)


def _panel(axes: Any, result: ConfusionMatrixResult, label: int, values: np.ndarray, colours: Any) -> None:
    pixels = colours(0.9 * values, bytes=True)
    axes.imshow(pixels, interpolation="nearest", aspect="auto")
    matrix = result.matrix[label]
    shares = normalized(matrix, "true")
    for row, column in np.ndindex(2, 2):
        colour = "white" if pixels[row, column, :3].mean() < 140 else style.INK
        settings = {"ha": "center", "va": "center", "color": colour}
        share = percent(float(shares[row, column]), zero="0%")
        axes.text(column, row - 0.08, amount(matrix[row, column]), size=8.5, **settings)
        axes.text(column, row + 0.24, share, size=style.SMALLEST_TEXT, alpha=0.75, **settings)


def _panel_title(axes: Any, result: ConfusionMatrixResult, label: int) -> None:
    name = fitted(result.names[label], _CELL_WIDTH - 0.1, 8.5)
    axes.set_title(name, size=8.5, color=style.INK, pad=14, parse_math=False)
    axes.text(
        0.5, 1.04, f"F1 {result.each.f1[label]:.2f}", transform=axes.transAxes, ha="center", size=7,
        color=style.FAINT,
    )  # fmt: skip
    axes.tick_params(length=0, labelcolor=style.FAINT, pad=2)
    for spine in axes.spines.values():
        spine.set_color("#d0d7de")
