"""Confusion matrices: a picture with a number in each cell, or colours alone where cells are many."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.layout import BELOW, MARGIN, SMALL, TITLE, Box, FigureLayout, fitted, width_of
from mlflow_interp.exceptions import OptionError
from mlflow_interp.kinds.confusion_matrix.labels_figure import draw_labels_grid
from mlflow_interp.kinds.confusion_matrix.measures import normalized
from mlflow_interp.kinds.confusion_matrix.ordering import Order, class_order
from mlflow_interp.kinds.confusion_matrix.text import amount, headline, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.kinds.confusion_matrix.result import ConfusionMatrixResult

Normalize = Literal["none", "true", "predicted", "all"]

MOST_WITH_NUMBERS, MOST_WITH_ALL_NAMES, MOST_PIXELS = 20, 60, 1000  # classes
_MEANING = {
    "none": "inputs",
    "true": "share of the true class",
    "predicted": "share of the predicted class",
    "all": "share of all inputs",
}
_EDGE, _HEAD, _GAP, _BAR, _ASIDE = 0.15, 0.72, 0.2, 0.14, 2.7  # inches
_LONGEST_NAME, _PAIRED = 1.8, 1.15  # inches of a name, and of one of a pair


def draw(
    result: ConfusionMatrixResult,
    *,
    normalize: Normalize = "true",
    order: Order = "given",
    colormap: str = "Blues",
) -> Figure:
    """Draw the matrix, a row a true class, a column a predicted one, and name the most confused pairs.

    Up to 20 classes have numbers in their cells; more are told by colour alone. Inputs with several labels
    have a matrix of 2×2 for each.

    Args:
        result: Counts of any number of classes.
        normalize: What colours and numbers are: none, how many inputs; true, their share of the true
            class (so the diagonal is recall); predicted, of the predicted class (precision); all, of all.
        order: The order of classes: given; cluster, confused ones side by side; support, the largest
            first; recall, the worst found first.
        colormap: A matplotlib colormap from light to dark.

    Raises:
        OptionError: no such normalisation, order or colormap.
    """
    if normalize not in _MEANING:
        raise OptionError(f"no normalize {normalize!r}; there are: {', '.join(_MEANING)}")
    colours = style.find_colormap(colormap)
    chosen = class_order(result.matrix, order)
    if result.multi_label:
        return draw_labels_grid(result, normalize, chosen, colours)
    shown = normalized(result.matrix, normalize)[np.ix_(chosen, chosen)]
    return _Drawing(result, shown, chosen, normalize, colours).figure()


@dataclass(frozen=True)
class _Drawing:
    """A matrix (classes, classes) to be drawn in the order `chosen`."""

    result: ConfusionMatrixResult
    shown: np.ndarray
    chosen: np.ndarray
    normalize: str
    colours: Any

    @property
    def classes(self) -> int:
        return len(self.shown)

    @property
    def cell(self) -> float:
        """Inches of a cell's side: a whole number of pixels, so that each is drawn alike."""
        if self.classes <= MOST_WITH_NUMBERS:
            return round(min(1.1, max(0.46, 5.6 / self.classes)), 2)
        if self.classes <= MOST_WITH_ALL_NAMES:
            return 0.17
        return max(1, MOST_PIXELS // self._blocks) / style.DPI

    @property
    def _blocks(self) -> int:
        """Rows of what is drawn: classes, or more than one in a pixel."""
        return math.ceil(self.classes / math.ceil(self.classes / MOST_PIXELS))

    @property
    def letter(self) -> float:
        """Font size of class names, in points."""
        return 9 if self.classes <= 10 else 8 if self.classes <= MOST_WITH_NUMBERS else 7

    def figure(self) -> Figure:
        """The whole figure: names left and below, the colour bar right, the worst pairs further right."""
        names = [fitted(self.result.names[index], _LONGEST_NAME, self.letter) for index in self.chosen]
        longest = max(width_of(name, self.letter) for name in self._named(names).values())
        flat = longest < self.cell * 0.95
        left = _EDGE + 0.3 + longest
        below = 0.5 + (0.15 if flat else 0.71 * longest + 0.1)
        paper, box = self._paper(math.ceil(100 * left) / 100, below)
        axes = paper.axes(box)
        mappable = self._matrix(axes)
        self._ticks(axes, names, flat=flat)
        left, side = box[0] + box[2] + _GAP, box[2]
        self._bar(paper, (left, _HEAD, _BAR, min(side, 4.0)), mappable)
        self._aside(paper, left + _BAR + 0.75, self._worst(side))
        return paper.figure

    def _paper(self, left: float, below: float) -> tuple[FigureLayout, Box]:
        """Paper with its title, and where the matrix stands on it."""
        facts, measures = headline(self.result)
        title, side = f"Confusion matrix · {facts}", round(self.cell * self._blocks, 2)
        width = left + side + _GAP + _BAR + 0.65 + (_ASIDE if self._worst(side) else 0)
        words = max(width_of(title, TITLE, bold=True), width_of(measures, BELOW)) + 2 * MARGIN + 0.01
        paper = FigureLayout.of(round(max(width, words), 2), round(_HEAD + max(side, 1.6) + below, 2))
        paper.title(title, measures)
        return paper, (left, _HEAD, side, side)

    def _matrix(self, axes: Any) -> Any:
        """Paint the cells; nothing there is white, so that one input among thousands is still seen."""
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import LinearSegmentedColormap, PowerNorm

        few = self.classes <= MOST_WITH_NUMBERS
        most = 1.0 if self.normalize in ("true", "predicted") else float(self.shown.max() or 1)
        tints = self.colours(np.linspace(0.0 if few else 0.16, 0.97, 256))
        scale = LinearSegmentedColormap.from_list("cells", tints)
        mappable = ScalarMappable(PowerNorm(1 if few else 0.5, 0, most), scale)
        pooled = self._pooled()
        pixels = mappable.to_rgba(pooled, bytes=True)
        pixels[pooled == 0] = 255
        axes.imshow(pixels, interpolation="nearest", aspect="auto")
        if few:
            self._numbers(axes, pixels)
        return mappable

    def _pooled(self) -> np.ndarray:
        """Where several classes share a pixel, the largest of their cells: none is lost."""
        block = math.ceil(self.classes / MOST_PIXELS)
        rest = -self.classes % block
        padded = np.pad(self.shown, (0, rest))
        return np.asarray(padded.reshape(self._blocks, block, self._blocks, block).max(axis=(1, 3)))

    def _numbers(self, axes: Any, pixels: np.ndarray) -> None:
        counts = self.result.matrix[np.ix_(self.chosen, self.chosen)]
        both = self.normalize != "none" and self.classes <= 10
        size = 8.5 if self.classes <= 10 else 7.5
        for row, column in zip(*np.nonzero(self.shown), strict=True):
            ink = _readable(pixels[row, column])
            value = self.shown[row, column]
            text = amount(value) if self.normalize == "none" else percent(value)
            up = 0.1 if both else 0
            axes.text(column, row - up, text, ha="center", va="center", size=size, color=ink)
            if both:
                below = amount(counts[row, column])
                axes.text(
                    column, row + 0.22, below, ha="center", va="center", size=6.5, color=ink, alpha=0.75
                )

    def _named(self, names: list[str]) -> dict[int, str]:
        """The names that have room, by position."""
        step = 1 if self.classes <= MOST_WITH_ALL_NAMES else math.ceil(self.classes / 40)
        return {at: names[at] for at in range(0, self.classes, step)}

    def _ticks(self, axes: Any, names: list[str], *, flat: bool) -> None:
        from matplotlib.ticker import FixedLocator

        named = self._named(names)
        shrink = self._blocks / self.classes
        places = [(at + 0.5) * shrink - 0.5 for at in named]
        look: dict[str, Any] = {"fontsize": self.letter, "parse_math": False, "color": style.INK}
        turned = {} if flat else {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks(places, list(named.values()), **look, **turned)
        axes.set_yticks(places, list(named.values()), **look)
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

    def _bar(self, paper: FigureLayout, box: Box, mappable: Any) -> None:
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        counted = self.normalize == "none"
        shape = FuncFormatter(lambda value, _: amount(value) if counted else percent(value, zero="0%"))
        ticks = MaxNLocator(5, integer=counted)
        paper.colour_bar(box, mappable, _MEANING[self.normalize], format=shape, ticks=ticks)

    def _worst(self, side: float) -> list[tuple[str, str]]:
        """Lines about the most confused pairs, as many as have room."""
        if self.classes < 4:
            return []
        support = self.result.counts.sum(axis=1)
        name = self.result.names
        return [
            (
                f"{fitted(name[label], _PAIRED, 8)} → {fitted(name[taken], _PAIRED, 8)}",
                f"{amount(times)} of {amount(support[label])} ({percent(times / support[label])})",
            )
            for label, taken, times in self.result.confused(min(12, int((max(side, 1.6) - 0.3) / 0.4)))
        ]

    def _aside(self, paper: FigureLayout, left: float, lines: list[tuple[str, str]]) -> None:
        if lines:
            paper.write(left, _HEAD, "most confused", size=9, weight="bold")
        for at, (pair, count) in enumerate(lines):
            top = _HEAD + 0.26 + 0.4 * at
            paper.write(left, top, pair, size=8)
            paper.write(left, top + 0.15, count, size=SMALL, colour=style.FAINT)


def _readable(pixel: np.ndarray) -> str:
    """Ink that can be read on a colour."""
    red, green, blue = (float(part) / 255 for part in pixel[:3])
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.55 else style.INK
