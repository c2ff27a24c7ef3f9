"""The figure of a confusion matrix: numbers in the cells, or only colours if there are many classes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.layout import (
    MARGIN,
    SMALL_SIZE,
    SUBTITLE_SIZE,
    TITLE_SIZE,
    Box,
    FigureLayout,
    fitted,
    width_of,
)
from mlflow_interp.drawing.panels import find_panel
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
_PAIRS_WIDTH = 2.7
_NAME_WIDTH = 1.8  # of a class, beside and below the matrix
_PAIR_NAME_WIDTH = 1.15  # of a class in a confused pair


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


@dataclass(frozen=True)
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

    @property
    def cell(self) -> float:
        """The side of a cell in inches: a whole number of pixels, so that all have the same size."""
        if self.classes <= MOST_WITH_NUMBERS:
            return round(min(1.1, max(0.46, 5.6 / self.classes)), 2)
        if self.classes <= MOST_WITH_ALL_NAMES:
            return 0.17
        return max(1, MOST_PIXELS // self._blocks) / style.DPI

    @property
    def _blocks(self) -> int:
        """The number of drawn rows: one for each class, or fewer where several classes share a pixel."""
        return math.ceil(self.classes / math.ceil(self.classes / MOST_PIXELS))

    @property
    def font_size(self) -> float:
        """Font size of class names, in points."""
        return 9 if self.classes <= 10 else 8 if self.classes <= MOST_WITH_NUMBERS else 7

    def figure(self) -> Figure:
        """The figure: names left and below, the colour bar on the right, then the most confused pairs."""
        names = [fitted(self.result.names[index], _NAME_WIDTH, self.font_size) for index in self.order]
        longest = max(width_of(name, self.font_size) for name in self._tick_names(names).values())
        horizontal = longest < self.cell * 0.95
        left = MARGIN + 0.3 + longest
        bottom = 0.5 + (0.15 if horizontal else 0.71 * longest + 0.1)
        layout, box = self._layout(math.ceil(100 * left) / 100, bottom)
        axes = layout.axes(box)
        mappable = self._matrix(axes)
        self._ticks(axes, names, horizontal=horizontal)
        side = box[2]
        bar_left = box[0] + side + _GAP
        self._colour_bar(layout, (bar_left, _MATRIX_TOP, _BAR_WIDTH, min(side, 4.0)), mappable)
        self._write_pairs(layout, bar_left + _BAR_WIDTH + 0.75, self._pairs(side))
        return layout.figure

    def panel(self, axes: Any) -> None:
        """The matrix alone, in the user's axes."""
        names = [fitted(self.result.names[index], _NAME_WIDTH, self.font_size) for index in self.order]
        cell = axes.get_window_extent().width / axes.figure.dpi / self.classes
        longest = max(width_of(name, self.font_size) for name in self._tick_names(names).values())
        self._matrix(axes)
        self._ticks(axes, names, horizontal=longest < 0.95 * cell)
        axes.set_aspect("equal")
        axes.set_title(headline(self.result)[0], size=9, color=style.INK, parse_math=False)

    def _layout(self, left: float, bottom: float) -> tuple[FigureLayout, Box]:
        """A figure with its title, and the box of the matrix, with these margins in inches."""
        facts, measures = headline(self.result)
        title = f"{self.result.title} · {facts}"
        side = round(self.cell * self._blocks, 2)
        width = left + side + _GAP + _BAR_WIDTH + 0.65 + (_PAIRS_WIDTH if self._pairs(side) else 0)
        text_width = max(width_of(title, TITLE_SIZE, bold=True), width_of(measures, SUBTITLE_SIZE))
        width = round(max(width, text_width + 2 * MARGIN + 0.01), 2)
        layout = FigureLayout.of(width, round(_MATRIX_TOP + max(side, 1.6) + bottom, 2))
        layout.title(title, measures)
        return layout, (left, _MATRIX_TOP, side, side)

    def _matrix(self, axes: Any) -> Any:
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
            self._numbers(axes, pixels)
        return mappable

    def _pooled(self) -> np.ndarray:
        """The drawn values: the largest if several cells share a pixel, so that no large cell is lost."""
        block = math.ceil(self.classes / MOST_PIXELS)
        padded = np.pad(self.values, (0, -self.classes % block))
        return np.asarray(padded.reshape(self._blocks, block, self._blocks, block).max(axis=(1, 3)))

    def _numbers(self, axes: Any, pixels: np.ndarray) -> None:
        counts = self.result.matrix[np.ix_(self.order, self.order)]
        with_counts = self.normalize != "none" and self.classes <= 10
        size = 8.5 if self.classes <= 10 else 7.5
        shift = 0.1 if with_counts else 0
        for row, column in zip(*np.nonzero(self.values), strict=True):
            value = self.values[row, column]
            text = amount(value) if self.normalize == "none" else percent(value)
            settings = {"ha": "center", "va": "center", "color": _readable(pixels[row, column])}
            axes.text(column, row - shift, text, size=size, **settings)
            if with_counts:
                axes.text(column, row + 0.22, amount(counts[row, column]), size=6.5, alpha=0.75, **settings)

    def _tick_names(self, names: list[str]) -> dict[int, str]:
        """The names that fit, by position."""
        step = 1 if self.classes <= MOST_WITH_ALL_NAMES else math.ceil(self.classes / 40)
        return {index: names[index] for index in range(0, self.classes, step)}

    def _ticks(self, axes: Any, names: list[str], *, horizontal: bool) -> None:
        from matplotlib.ticker import FixedLocator

        tick_names = self._tick_names(names)
        labels = list(tick_names.values())
        scale = self._blocks / self.classes
        positions = [(index + 0.5) * scale - 0.5 for index in tick_names]
        settings: dict[str, Any] = {"fontsize": self.font_size, "parse_math": False, "color": style.INK}
        rotation = {} if horizontal else {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
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

    def _pairs(self, side: float) -> list[tuple[str, str]]:
        """The names and counts of the most confused pairs, as many as fit beside a matrix of this height."""
        if self.classes < 4:
            return []
        support = self.result.counts.sum(axis=1)
        most = min(12, int((max(side, 1.6) - 0.3) / 0.4))
        pairs = []
        for label, predicted, times in self.result.confused(most):
            names = [fitted(self.result.names[index], _PAIR_NAME_WIDTH, 8) for index in (label, predicted)]
            count = f"{amount(times)} of {amount(support[label])} ({percent(times / support[label])})"
            pairs.append((" → ".join(names), count))
        return pairs

    def _write_pairs(self, layout: FigureLayout, left: float, pairs: list[tuple[str, str]]) -> None:
        if pairs:
            layout.write(left, _MATRIX_TOP, "most confused", size=9, weight="bold")
        for row, (names, count) in enumerate(pairs):
            top = _MATRIX_TOP + 0.26 + 0.4 * row
            layout.write(left, top, names, size=8)
            layout.write(left, top + 0.15, count, size=SMALL_SIZE, colour=style.FAINT)


def _readable(pixel: np.ndarray) -> str:
    """A text colour that is readable on this pixel's colour."""
    red, green, blue = (float(part) / 255 for part in pixel[:3])
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.55 else style.INK
