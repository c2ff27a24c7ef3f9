"""The figure of a confusion matrix: numbers in the cells, or only colours if there are many classes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.captions import caption
from mlflow_interp.drawing.fonts import use_fonts
from mlflow_interp.drawing.layout import (
    MARGIN,
    SMALL_SIZE,
    SUBTITLE_SIZE,
    TITLE_SIZE,
    WIDTH,
    Box,
    FigureLayout,
    fitted,
    width_of,
)
from mlflow_interp.drawing.panels import find_panel
from mlflow_interp.kinds.confusion_matrix.cell_numbers import CellNumbers
from mlflow_interp.kinds.confusion_matrix.difference import ConfusionMatrixDifference
from mlflow_interp.kinds.confusion_matrix.difference_figure import draw_difference, draw_difference_cells
from mlflow_interp.kinds.confusion_matrix.labels_figure import draw_label, draw_labels_grid
from mlflow_interp.kinds.confusion_matrix.measures import normalized
from mlflow_interp.kinds.confusion_matrix.ordering import Order, class_order
from mlflow_interp.kinds.confusion_matrix.text import amount, headline, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.kinds.confusion_matrix.result import ConfusionMatrixResult

Normalize = Literal["none", "true", "predicted", "all"]

MOST_WITH_NUMBERS = 20  # classes
MOST_WITH_ALL_NAMES = 60
MOST_PIXELS = 1000  # classes with a pixel of their own
_MEANING = {
    "none": "{unit}",
    "true": "share of the true class",
    "predicted": "share of the predicted class",
    "all": "share of all {unit}",
}
_MATRIX_TOP = 0.72  # inches
_GAP = 0.2
_BAR_WIDTH = 0.14
_RIGHT = _GAP + _BAR_WIDTH + 0.7  # of the matrix, with the numbers and the label of the colour bar
_LARGEST_CELL = 1.1
_PAIR_HEIGHT = 0.34
_NAME_WIDTH = 1.8  # of a class, beside and below the matrix
_PAIR_NAME_WIDTH = 0.95  # of a class in a confused pair
MOST_PAIRS = 9


def draw(
    result: ConfusionMatrixResult | ConfusionMatrixDifference,
    *,
    normalize: Normalize = "true",
    order: Order = "given",
    colormap: style.Colormap = "Blues",
) -> Figure:
    """Draw the matrix, with rows for true and columns for predicted classes, and the most confused pairs.

    Up to 20 classes have numbers in their cells; with more classes, cells only have colours. Inputs with
    several labels have a 2×2 matrix for each label. For a difference, both signs are drawn.

    Args:
        result: Counts of any number of classes, or a difference.
        normalize: What colours and numbers show: none, the number of inputs; true, the share of the true
            class (the diagonal is recall); predicted, the share of the predicted class (the diagonal is
            precision); all, the share of all inputs.
        order: Order of classes: given; cluster, with confused classes side by side; support, the largest
            class first; recall, the lowest recall first.
        colormap: Matplotlib colormap of the figure. It should go from light to dark; a difference needs a
            diverging colormap, and any other is replaced by RdBu_r.

    Raises:
        OptionError: no such colormap, or order="cluster" for labels.
    """
    colours = style.find_colormap(colormap)
    if isinstance(result, ConfusionMatrixDifference):
        classes = class_order(result.minuend.matrix, order)
        return draw_difference(result, normalize, classes, style.diverging_colormap(colormap))
    classes = class_order(result.matrix, order)
    if result.multi_label:
        return draw_labels_grid(result, normalize, classes, colours)
    return _drawing(result, normalize, classes, colours).figure()


def draw_panel(
    axes: Any,
    result: ConfusionMatrixResult | ConfusionMatrixDifference,
    panel: int | str,
    *,
    normalize: Normalize = "true",
    order: Order = "given",
    colormap: style.Colormap = "Blues",
) -> None:
    """Draw the matrix into axes; for several labels the matrix of one, given by its index or name.

    Raises:
        OptionError: no such label or colormap.
    """
    colours = style.find_colormap(colormap)
    if isinstance(result, ConfusionMatrixDifference):
        find_panel(panel, ["matrix"], "panel")
        classes = class_order(result.minuend.matrix, order)
        draw_difference_cells(axes, result, normalize, classes, style.diverging_colormap(colormap))
        return
    if result.multi_label:
        draw_label(axes, result, find_panel(panel, result.names, "label"), normalize, colours)
        return
    find_panel(panel, ["matrix"], "panel")
    _drawing(result, normalize, class_order(result.matrix, order), colours).panel(axes)


def _drawing(result: ConfusionMatrixResult, normalize: str, classes: np.ndarray, colours: Any) -> _Drawing:
    values = normalized(result.matrix, normalize)[np.ix_(classes, classes)]
    return _Drawing(result, values, classes, normalize, colours)


@dataclass(frozen=True, eq=False)
class _Drawing:
    """The drawing of a matrix.

    Attributes:
        result: the counts.
        values: (classes, classes) the values that colours and numbers show, in the drawn order.
        order: (classes,) int64, the class of each row and column.
        normalize: see `draw`.
        colours: the colormap.
    """

    result: ConfusionMatrixResult
    values: np.ndarray
    order: np.ndarray
    normalize: str
    colours: Any

    @property
    def classes(self) -> int:
        return len(self.values)

    @cached_property
    def names(self) -> list[str]:
        """The names of the classes, in the drawn order, cut to the available width."""
        return [fitted(self.result.names[index], _NAME_WIDTH, self.font_size) for index in self.order]

    @cached_property
    def longest(self) -> float:
        """The width in inches of the longest name that is drawn."""
        return max(width_of(name, self.font_size) for name in self._tick_names().values())

    @cached_property
    def left(self) -> float:
        """The width in inches of what stands left of the matrix."""
        return math.ceil(100 * (MARGIN + 0.3 + self.longest)) / 100

    @property
    def cell(self) -> float:
        """The side of a cell in inches: a whole number of pixels, so that all have the same size.

        As large as a figure's width allows, but large enough for numbers and names.
        """
        if self.classes > MOST_WITH_ALL_NAMES:
            return max(1, MOST_PIXELS // self._blocks) / style.DPI
        room = (WIDTH - self.left - _RIGHT - MARGIN) / self.classes
        if self.classes > MOST_WITH_NUMBERS:
            side = max(self.font_size * 1.25 / 72, min(0.17, room))
        else:
            side = max(self.numbers.narrowest, min(_LARGEST_CELL, room))
        return math.ceil(style.DPI * side) / style.DPI

    @cached_property
    def numbers(self) -> CellNumbers:
        """The numbers in the cells."""
        matrix = self.result.matrix[np.ix_(self.order, self.order)]
        return CellNumbers.of(self.values, matrix, are_counts=self.normalize == "none")

    @property
    def _blocks(self) -> int:
        """The number of drawn rows: one for each class, or fewer where several classes share a pixel."""
        return math.ceil(self.classes / math.ceil(self.classes / MOST_PIXELS))

    @property
    def font_size(self) -> float:
        """Font size of class names, in points."""
        return 9 if self.classes <= 10 else 8 if self.classes <= MOST_WITH_NUMBERS else 7

    def figure(self) -> Figure:
        """The figure: names left and below, the colour bar on the right, the most confused pairs below."""
        side = round(self.cell * self._blocks, 3)
        angle = self._angle(side)
        names_height = {0: 0.15, 45: 0.71 * self.longest + 0.1, 90: self.longest + 0.1}[angle]
        bottom = _MATRIX_TOP + max(side, 1.6) + 0.5 + names_height
        layout, pairs = self._layout(side, round(bottom, 2))
        axes = layout.axes((self.left, _MATRIX_TOP, side, side))
        mappable = self._matrix(axes, self.cell)
        self._ticks(axes, angle)
        self._colour_bar(layout, (self.left + side + _GAP, _MATRIX_TOP, _BAR_WIDTH, min(side, 4.0)), mappable)
        self._write_pairs(layout, round(bottom, 2), pairs)
        return layout.finished(self.result.names)

    def panel(self, axes: Any) -> None:
        """The matrix alone, in the user's axes."""
        cell = min(axes.get_window_extent().size) / axes.figure.dpi / self.classes
        self._matrix(axes, cell)
        self._ticks(axes, self._angle(cell * self.classes))
        axes.set_aspect("equal")
        axes.set_title(headline(self.result)[0], size=9, color=style.INK, parse_math=False)
        use_fonts(axes, self.result.names)

    def _layout(self, side: float, bottom: float) -> tuple[FigureLayout, list[tuple[str, str]]]:
        """A figure with its title, for a matrix of this side in inches, and the pairs to write below it."""
        facts, measures = headline(self.result)
        title = f"{self.result.title} · {facts}"
        text_width = max(width_of(title, TITLE_SIZE, bold=True), width_of(measures, SUBTITLE_SIZE))
        width = round(max(self.left + side + _RIGHT, text_width + 2 * MARGIN + 0.01), 2)
        pairs = self._pairs()
        height = 0.3 + math.ceil(len(pairs) / _pair_columns(width)) * _PAIR_HEIGHT if pairs else 0
        layout = FigureLayout.of(width, round(bottom + height, 2), caption(self._meaning(), self.result))
        layout.title(title, measures)
        return layout, pairs

    def _meaning(self) -> str:
        """What is drawn, in a sentence or two."""
        share = _MEANING[self.normalize].format(unit=self.result.unit)
        shown = f"number of {share}" if self.normalize == "none" else share
        few = self.classes <= MOST_WITH_NUMBERS
        bare = few and self.normalize != "none" and self.numbers.are_bare(self.cell)
        numbers = f"colour and number{' in %' if bare else ''}" if few else "colour"
        return (
            "Confusion matrix: a row for each true class and a column for each predicted class; "
            f"{numbers}: {shown}."
        )

    def _matrix(self, axes: Any, cell: float) -> Any:
        """Draw the cells; only empty cells are white, so that one input among thousands stays visible."""
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import LinearSegmentedColormap, PowerNorm

        few = self.classes <= MOST_WITH_NUMBERS
        most = 1.0 if self.normalize in ("true", "predicted") else float(self.values.max() or 1)
        colours = self.colours(np.linspace(0.0 if few else 0.16, 0.97, 256))
        colormap = LinearSegmentedColormap.from_list("cells", colours)
        mappable = ScalarMappable(PowerNorm(1 if few else 0.5, 0, most), colormap)
        pooled = self._pooled()
        pixels = mappable.to_rgba(pooled, bytes=True)
        pixels[pooled == 0] = 255
        axes.imshow(pixels, interpolation="nearest", aspect="auto")
        if few:
            self.numbers.write(axes, pixels, cell)
        return mappable

    def _pooled(self) -> np.ndarray:
        """The drawn values: the largest if several cells share a pixel, so that no large cell is lost."""
        block = math.ceil(self.classes / MOST_PIXELS)
        padded = np.pad(self.values, (0, -self.classes % block))
        return np.asarray(padded.reshape(self._blocks, block, self._blocks, block).max(axis=(1, 3)))

    def _tick_names(self) -> dict[int, str]:
        """The names that fit, by position."""
        step = 1 if self.classes <= MOST_WITH_ALL_NAMES else math.ceil(self.classes / 40)
        return {index: self.names[index] for index in range(0, self.classes, step)}

    def _angle(self, side: float) -> int:
        """The angle of the names below a matrix of this side in inches: the first at which none overlap."""
        apart = side / len(self._tick_names())
        if self.longest < 0.88 * apart:
            return 0
        return 45 if 0.71 * apart > 1.05 * self.font_size / 72 else 90

    def _ticks(self, axes: Any, angle: int) -> None:
        from matplotlib.ticker import FixedLocator

        tick_names = self._tick_names()
        labels = list(tick_names.values())
        scale = self._blocks / self.classes
        positions = [(index + 0.5) * scale - 0.5 for index in tick_names]
        settings: dict[str, Any] = {"fontsize": self.font_size, "parse_math": False, "color": style.INK}
        rotation: dict[str, Any] = {"rotation": angle}
        if angle == 45:
            rotation |= {"ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks(positions, labels, **settings, **rotation)
        axes.set_yticks(positions, labels, **settings)
        axes.set_xlabel("predicted class", size=9, color=style.FAINT)
        axes.set_ylabel("true class", size=9, color=style.FAINT)
        axes.tick_params(length=0 if self.classes <= MOST_WITH_ALL_NAMES else 2, color="#b6bec6", pad=3)
        for spine in axes.spines.values():
            spine.set_color("#d0d7de")
        if self.classes <= MOST_WITH_ALL_NAMES:
            lines = FixedLocator(list(np.arange(0.5, self.classes - 1)))
            axes.xaxis.set_minor_locator(lines)
            axes.yaxis.set_minor_locator(lines)
            axes.grid(which="minor", color="#e4e8ec", linewidth=0.6)
            axes.tick_params(which="minor", length=0)

    def _colour_bar(self, layout: FigureLayout, box: Box, mappable: Any) -> None:
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        counts = self.normalize == "none"
        formatter = FuncFormatter(lambda value, _: amount(value) if counts else percent(value, zero="0%"))
        ticks = MaxNLocator(5, integer=counts)
        meaning = _MEANING[self.normalize].format(unit=self.result.unit)
        layout.colour_bar(box, mappable, meaning, format=formatter, ticks=ticks)

    def _pairs(self) -> list[tuple[str, str]]:
        """The names and counts of the most confused pairs."""
        if self.classes < 4:
            return []
        support = self.result.counts.sum(axis=1)
        pairs = []
        for label, predicted, times in self.result.confused(MOST_PAIRS):
            names = [fitted(self.result.names[index], _PAIR_NAME_WIDTH, 8) for index in (label, predicted)]
            count = f"{amount(times)} of {amount(support[label])} ({percent(times / support[label])})"
            pairs.append((" → ".join(names), count))
        return pairs

    def _write_pairs(self, layout: FigureLayout, top: float, pairs: list[tuple[str, str]]) -> None:
        """Write the pairs in columns, the most confused ones in the first row."""
        if pairs:
            layout.write(MARGIN, top, "Most confused", size=8.5, weight="bold")
        columns = _pair_columns(layout.width)
        width = (layout.width - 2 * MARGIN) / columns
        for index, (names, count) in enumerate(pairs):
            row, column = divmod(index, columns)
            left = MARGIN + column * width
            layout.write(left, top + 0.22 + _PAIR_HEIGHT * row, names, size=8)
            below = top + 0.22 + _PAIR_HEIGHT * row + 0.14
            layout.write(left, below, count, size=SMALL_SIZE, colour=style.FAINT)


def _pair_columns(width: float) -> int:
    """The number of columns of pairs in a figure of this width in inches."""
    return max(1, int((width - 2 * MARGIN) / (2 * _PAIR_NAME_WIDTH + 0.2)))
