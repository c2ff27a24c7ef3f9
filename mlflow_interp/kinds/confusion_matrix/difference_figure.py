"""The figure of a difference of confusion matrices: a coloured cell with a sign for each pair of classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.captions import caption
from mlflow_interp.drawing.fonts import use_fonts
from mlflow_interp.drawing.layout import MARGIN, TITLE_SIZE, WIDTH, FigureLayout, fitted, width_of
from mlflow_interp.kinds.confusion_matrix.cell_numbers import CellNumbers
from mlflow_interp.kinds.confusion_matrix.measures import normalized
from mlflow_interp.kinds.confusion_matrix.text import amount

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.kinds.confusion_matrix.difference import ConfusionMatrixDifference

MOST_WITH_NUMBERS = 20  # classes
MOST_NAMES = 60
_TOP = 0.72  # inches
_NAME_WIDTH = 1.8
_RIGHT = 1.2  # of the cells, with the colour bar
_CELLS_OF_A_LABEL = ("true negatives", "false positives", "false negatives", "true positives")


def draw_difference(
    result: ConfusionMatrixDifference, normalize: str, order: np.ndarray, colours: Any
) -> Figure:
    """Draw the difference of shares or counts; for several labels, a row with four cells for each."""
    from matplotlib.ticker import FuncFormatter

    names = [fitted(result.names[index], _NAME_WIDTH, 8) for index in order.tolist()]
    rows = len(names)
    columns = 4 if result.multi_label else rows
    longest = max(width_of(name, 8) for name in names)
    left = MARGIN + 0.4 + longest
    cell = _cell(WIDTH - left - _RIGHT, rows, _numbers(result, normalize, order))
    width = cell * columns if not result.multi_label else max(cell, 0.9) * columns
    title, measures = titles(result)
    wide = max(left + width + _RIGHT, width_of(title, TITLE_SIZE, bold=True) + 2 * MARGIN + 0.1)
    slanted = max(longest, width_of(_CELLS_OF_A_LABEL[1], 8)) if result.multi_label else longest
    meaning = caption(_caption(result, normalize), result)
    layout = FigureLayout.of(wide, _TOP + cell * rows + 0.75 + 0.71 * slanted, meaning)
    layout.title(title, measures)
    axes = layout.axes((left, _TOP, width, cell * rows))
    mappable = draw_difference_cells(axes, result, normalize, order, colours)
    axes.set_aspect("auto")
    axes.set_title("")
    box = (left + width + 0.2, _TOP, 0.14, min(cell * rows, 4.0))
    written = FuncFormatter(lambda value, _: f"{100 * value:+.3g}%" if value else "0%")
    layout.colour_bar(box, mappable, _meaning(normalize), format=None if normalize == "none" else written)
    return layout.finished(result.names)


def _cell(room: float, rows: int, numbers: CellNumbers) -> float:
    """The side of a cell in inches, for `rows` of them in this room."""
    if rows > MOST_NAMES:
        return 6.0 / rows
    narrowest = numbers.narrowest if rows <= MOST_WITH_NUMBERS else 8 * 1.25 / 72
    return max(narrowest, min(1.0, room / rows))


def _caption(result: ConfusionMatrixDifference, normalize: str) -> str:
    rows = "label" if result.multi_label else "true and a column for each predicted class"
    return (
        f"Difference of confusion matrices, first minus second: a row for each {rows}; {_meaning(normalize)}."
    )


def titles(result: ConfusionMatrixDifference) -> tuple[str, str]:
    """The difference of accuracies, and the other measures that differ."""
    metrics = result.metrics()
    others = (
        f"{name.replace('_', ' ')} {value:+.3f}" for name, value in metrics.items() if name != "accuracy"
    )
    return f"Difference of confusion matrices · accuracy {metrics['accuracy']:+.1%}", " · ".join(others)


def draw_difference_cells(
    axes: Any, result: ConfusionMatrixDifference, normalize: str, order: np.ndarray, colours: Any
) -> Any:
    """Draw the cells into axes, and return the mapping of values to colours."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    values = _ordered(result, normalize, order)
    most = float(np.abs(values).max() or 1)
    mappable = ScalarMappable(Normalize(-most, most), colours)
    pixels = mappable.to_rgba(values, bytes=True)
    axes.imshow(pixels, interpolation="nearest")
    if len(order) <= MOST_WITH_NUMBERS:
        width, height = axes.get_window_extent().size / axes.figure.dpi
        cell = min(width / values.shape[1], max(height / values.shape[0], 1.25 * style.SMALLEST_TEXT / 72))
        _numbers(result, normalize, order).write(axes, pixels, float(cell))
    _ticks(axes, [result.names[index] for index in order.tolist()], multi_label=result.multi_label)
    axes.set_title(titles(result)[0], size=9, color=style.INK, parse_math=False)
    use_fonts(axes, result.names)
    return mappable


def _ordered(result: ConfusionMatrixDifference, normalize: str, order: np.ndarray) -> np.ndarray:
    """The values of the drawn cells."""
    values = _values(result, normalize)
    values = values[order].reshape(len(order), 4) if result.multi_label else values[np.ix_(order, order)]
    return np.asarray(values)


def _numbers(result: ConfusionMatrixDifference, normalize: str, order: np.ndarray) -> CellNumbers:
    values = _ordered(result, normalize, order)
    cells = zip(*(each.tolist() for each in np.nonzero(values)), strict=True)
    return CellNumbers({cell: _text(float(values[cell]), normalize) for cell in cells})


def _values(result: ConfusionMatrixDifference, normalize: str) -> np.ndarray:
    """Shares minus shares, or counts minus counts."""
    others = result.reordered(result.subtrahend.matrix)
    return np.asarray(normalized(result.minuend.matrix, normalize) - normalized(others, normalize))


def _text(value: float, normalize: str) -> str:
    if normalize != "none":
        return f"{value:+.0%}" if abs(value) >= 0.005 else f"{'+' if value > 0 else '−'}<1%"
    return f"{'+' if value > 0 else '−'}{amount(abs(value))}"


def _meaning(normalize: str) -> str:
    meanings = {
        "none": "difference of counts",
        "true": "difference of shares of the true class",
        "predicted": "difference of shares of the predicted class",
        "all": "difference of shares of all inputs",
    }
    return meanings[normalize]


def _ticks(axes: Any, names: list[str], *, multi_label: bool) -> None:
    step = 1 if len(names) <= MOST_NAMES else -(-len(names) // 40)
    labels = {index: fitted(names[index], _NAME_WIDTH, 8) for index in range(0, len(names), step)}
    settings: dict[str, Any] = {"fontsize": 8, "parse_math": False, "color": style.INK}
    slanted = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axes.set_yticks(list(labels), list(labels.values()), **settings)
    if multi_label:
        axes.set_xticks(range(4), _CELLS_OF_A_LABEL, **settings, **slanted)
    else:
        axes.set_xticks(list(labels), list(labels.values()), **settings, **slanted)
        axes.set_xlabel("predicted class", size=9, color=style.FAINT)
        axes.set_ylabel("true class", size=9, color=style.FAINT)
    axes.tick_params(length=0, pad=3)
    for spine in axes.spines.values():
        spine.set_color("#d0d7de")
