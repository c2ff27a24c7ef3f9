"""The figure of a comparison: the verdict and its rules, flips, agreement by class, and what changed most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.comparison.wording import percent, points, signed
from mlflow_interp.core.contrast import explained_name
from mlflow_interp.drawing import style
from mlflow_interp.drawing.captions import names_of
from mlflow_interp.drawing.embedded_image import draw_image
from mlflow_interp.drawing.fonts import use_fonts
from mlflow_interp.drawing.layout import MARGIN, SMALL_SIZE, WIDTH, FigureLayout, fitted, wrapped
from mlflow_interp.exceptions import OptionError
from mlflow_interp.kinds.comparison.result import change_of
from mlflow_interp.kinds.comparison.tiles import make_tiles
from mlflow_interp.result_kind import Kind

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.kinds.comparison.result import ClassRow, ComparisonResult
    from mlflow_interp.kinds.comparison.tiles import PairTiles

MARKS = {"passed": "✓", "failed": "✕", "warned": "!", "undecided": "?"}
COLOURS = {"passed": style.RIGHT, "failed": style.WRONG, "warned": "#9a6700", "undecided": style.FAINT}
MOST_CLASSES = 20
MOST_INPUTS = 6
PANELS = ("flips", "classes")

_TOP = 0.72  # inches above the first row
_FLIPS = 1.7  # side of the matrix of flips
_RULES_LEFT = 3.0
_LINE = 0.15
_CLASS = 0.19  # height of a class
_TILE = 1.25  # side of a tile
_GAP = 0.06
_CEILING_INK = "#0969da"


def draw(result: ComparisonResult, tiles: PairTiles | None = None) -> Figure:
    """Draw the verdict, the flips, the agreement of heatmaps by class, and the inputs that changed most.

    Args:
        result: Two versions on the same inputs.
        tiles: The tiles of the result, if already computed.
    """
    tiles = tiles or make_tiles(result)
    classes = classes_to_draw(result)
    rows = _rows_to_draw(result) if tiles.headings else []
    rules = _rule_lines(result)
    upper = max(_FLIPS + 0.4, 0.1 + _LINE * sum(1 + len(lines) for _, _, lines in rules) + 0.2)
    middle = 0.75 + _CLASS * len(classes) if classes else 0.0
    columns = len(tiles.headings)
    side = min(_TILE, (WIDTH - 2 * MARGIN - 1.6) / max(1, columns) - 0.06)
    tallest = max((_height_of(pixels, side) for at in rows for pixels in tiles.pixels[at]), default=0.0)
    # Beside each stand as many lines as `input_lines` has.
    step = max(tallest, 0.14 * (7 + len(result.paired.agreements))) + 0.12
    lower = 0.5 + len(rows) * step if rows else 0.0
    layout = FigureLayout.of(WIDTH, _TOP + upper + middle + lower + 0.05, _caption(result))
    layout.title(title_of(result), headline(result))
    _draw_flips(layout, result, _TOP)
    _write_rules(layout, rules, _TOP + 0.05)
    if classes:
        height = _CLASS * len(classes)
        axes = layout.axes((1.7, _TOP + upper + 0.3, WIDTH - 1.7 - 0.4, height))
        _draw_classes(axes, result, classes)
    if rows:
        inputs = _Inputs(result, tiles, rows, side, step)
        inputs.draw(layout, _TOP + upper + middle)
    return layout.finished([*names_of(result.examples), *result.names])


def difference_figures(result: ComparisonResult) -> dict[str, bytes]:
    """The figure of each difference of results that are no heatmaps, as PNG, by method."""
    return {
        name: style.png(Kind(type(each).__module__.rpartition(".")[0]).draw(each))
        for name, each in result.differences.items()
    }


def draw_panel(axes: Any, result: ComparisonResult, panel: int | str) -> None:
    """Draw the matrix of flips, or the agreement of classes, into axes."""
    name = PANELS[panel] if isinstance(panel, int) and 0 <= panel < len(PANELS) else panel
    if name == "flips":
        _flip_matrix(axes, result)
    elif name == "classes" and classes_to_draw(result):
        _draw_classes(axes, result, classes_to_draw(result))
    else:
        raise OptionError(f"panel is {panel!r}; give one of {', '.join(PANELS)}")
    use_fonts(axes, ())


def classes_to_draw(result: ComparisonResult) -> list[ClassRow]:
    """The classes whose heatmaps agree least, these first."""

    def least(each: ClassRow) -> float:
        return min((value for value in each.agreements.values() if value is not None), default=2.0)

    known = [each for each in result.classes() if least(each) < 2.0]
    return sorted(known, key=least)[:MOST_CLASSES]


def _rows_to_draw(result: ComparisonResult) -> list[int]:
    """Positions in `shown`: half of them negative flips, the rest those whose heatmaps agree least."""
    flips = set(result.flips().tolist())
    positions = list(range(len(result.shown)))
    first = [at for at in positions if int(result.shown[at]) in flips][: MOST_INPUTS // 2]
    agreement = [np.nan_to_num(each.correlation, nan=2.0) for each in result.paired.agreements.values()]
    rest = [at for at in positions if at not in first]
    if agreement:
        least = np.min(np.stack(agreement), axis=0)
        rest.sort(key=lambda at: float(least[int(result.shown[at])]))
    return first + rest[: MOST_INPUTS - len(first)]


def title_of(result: ComparisonResult) -> str:
    """Such as "pirates v3 → pirates v7"."""
    return " → ".join(result.names)


def headline(result: ComparisonResult) -> str:
    """The verdict and the main numbers, in a line."""
    numbers = result.numbers
    parts = [f"gate {result.verdict}"] if result.verdict else []
    if "accuracy_drop" in numbers:
        right = result.whole.predictions.right[result.whole.predictions.labelled].mean(axis=0)
        parts.append(f"accuracy {right[0]:.1%} → {right[1]:.1%}")
    parts.append(f"{numbers['churn'].value:.1%} predicted differently")
    return " · ".join([*parts, style.counted(len(result.whole.predictions))])


def _caption(result: ComparisonResult) -> str:
    text = f"Old version: {result.names[0]}; new version: {result.names[1]}."
    if result.paired.agreements:
        text += (
            " Agreement: rank correlation of both versions' heatmaps for the same class. Blue band: of the "
            "old version with itself under small changes of the input; grey band: with permuted weights."
        )
    return text


def _rule_lines(result: ComparisonResult) -> list[tuple[str, str, list[str]]]:
    """Status, name and wrapped reason of each rule; of the numbers, without a gate."""
    width = WIDTH - _RULES_LEFT - MARGIN
    if not result.verdicts:
        return [
            ("", name.replace("_", " "), wrapped(text, width, style.SMALLEST_TEXT))
            for name, text in number_lines(result)[:8]
        ]
    return [
        (each.status, each.rule.replace("_", " "), wrapped(each.reason, width, style.SMALLEST_TEXT))
        for each in result.verdicts
    ]


def number_lines(result: ComparisonResult) -> list[tuple[str, str]]:
    """The name of each number, and the number with its interval."""
    shares = ("flips", "churn", "accuracy", "probability_shift", "overlap", "moved")
    lines = []
    for name, each in result.numbers.items():
        if not np.isfinite(each.value):
            continue
        share = any(word in name for word in shares) and "relative" not in name
        text = percent(each) if name.startswith("kept") else points(each) if share else signed(each)
        lines.append((name, text))
    return lines


def _write_rules(layout: FigureLayout, rules: list[tuple[str, str, list[str]]], top: float) -> None:
    for status, name, lines in rules:
        mark = f"{MARKS[status]} " if status else ""
        layout.write(
            _RULES_LEFT, top, f"{mark}{name}", size=8, colour=COLOURS.get(status, style.INK), weight="bold"
        )
        top += _LINE
        for line in lines:
            layout.write(_RULES_LEFT, top, line, size=style.SMALLEST_TEXT, colour=style.FAINT)
            top += 0.125
        top += _LINE - 0.125 + 0.02


def _draw_flips(layout: FigureLayout, result: ComparisonResult, top: float) -> None:
    axes = layout.axes((MARGIN + 0.75, top + 0.3, _FLIPS, _FLIPS))
    _flip_matrix(axes, result)


def _flip_matrix(axes: Any, result: ComparisonResult) -> None:
    """Old right or wrong by new right or wrong; without labels, same or different predictions."""
    predictions = result.whole.predictions
    if predictions.labelled.any():
        right = predictions.right[predictions.labelled]
        names = ["right", "wrong"]
        counts = np.array([[((right[:, 0] == a) & (right[:, 1] == b)).sum() for b in (1, 0)] for a in (1, 0)])
        tints = [["#dafbe1", "#ffcecb"], ["#b6e3ff", "#eaeef2"]]
        axes.set_yticks([0, 1], names, size=SMALL_SIZE)
        axes.set_ylabel("old version", size=SMALL_SIZE, color=style.FAINT)
    else:
        changed = int(predictions.changed.sum())
        counts = np.array([[len(predictions) - changed, changed]])
        names = ["same", "different"]
        tints = [["#eaeef2", "#ffcecb"]]
        axes.set_yticks([])
    from matplotlib.colors import to_rgb

    pixels = np.array([[to_rgb(each) for each in row] for row in tints])
    axes.imshow(pixels, aspect="auto", interpolation="nearest")
    for (row, column), count in np.ndenumerate(counts):
        axes.text(column, row - 0.06, f"{count:,}", ha="center", va="center", size=12, color=style.INK)
        axes.text(
            column, row + 0.24, f"{count / max(1, counts.sum()):.1%}", ha="center", va="center",
            size=SMALL_SIZE, color=style.INK,
        )  # fmt: skip
    axes.set_xticks([0, 1], names, size=SMALL_SIZE)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("new version", size=SMALL_SIZE, color=style.FAINT)
    _quiet(axes)


def _quiet(axes: Any) -> None:
    axes.tick_params(length=0, labelcolor=style.INK)
    for spine in axes.spines.values():
        spine.set_color("#d0d7de")


def _draw_classes(axes: Any, result: ComparisonResult, classes: Any) -> None:
    """A row for each class: the agreement of the heatmaps of each method, over the bands of the anchors."""
    places = np.arange(len(classes))
    colours = ("#1b1f24", "#8250df", "#bf3989", "#0a7a5c")
    for number, (key, agreement) in enumerate(result.whole.agreements.items()):
        if agreement.anchors is not None and number == 0:
            for values, ink in (
                (agreement.anchors.ceiling, _CEILING_INK),
                (agreement.anchors.floor, "#57606a"),
            ):
                finite = values[np.isfinite(values)]
                if len(finite):
                    low, high = np.quantile(finite, [0.25, 0.75])
                    axes.axvspan(low, high, color=ink, alpha=0.15, linewidth=0)
                    axes.axvline(float(np.median(finite)), color=ink, alpha=0.5, linewidth=0.8)
        medians = [each.agreements.get(key) for each in classes]
        known = [(place, value) for place, value in zip(places, medians, strict=True) if value is not None]
        axes.scatter(
            [value for _, value in known], [place for place, _ in known], s=16, zorder=3,
            color=colours[number % len(colours)], label=key,
        )  # fmt: skip
    labels = [
        f"{fitted(each.name, 1.0, SMALL_SIZE)}  {each.accuracy[0]:.0%}→{each.accuracy[1]:.0%}"
        for each in classes
    ]
    axes.set_yticks(places, labels, size=SMALL_SIZE, parse_math=False)
    axes.set_ylim(len(classes) - 0.5, -0.5)
    axes.set_xlim(-0.6, 1.05)
    axes.grid(axis="y", color="#eaeef2", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(axis="x", labelsize=style.SMALLEST_TEXT, length=2, labelcolor=style.FAINT)
    axes.set_title(
        "agreement of heatmaps by class, median; accuracy old→new",
        size=SMALL_SIZE, color=style.FAINT, loc="left", pad=4,
    )  # fmt: skip
    if len(result.paired.agreements) > 1:
        axes.legend(fontsize=style.SMALLEST_TEXT, frameon=False, loc="lower left")
    _quiet(axes)


@dataclass(frozen=True)
class _Inputs:
    """Some of the inputs that are shown, with both predictions.

    Attributes:
        result: the comparison.
        tiles: the tiles of all inputs that are shown.
        rows: the positions of those that are drawn.
        side: of a tile, in inches.
        step: from one input to the next.
    """

    result: ComparisonResult
    tiles: PairTiles
    rows: list[int]
    side: float
    step: float

    def draw(self, layout: FigureLayout, top: float) -> None:
        """Draw the headings, and a row for each input."""
        canvas = layout.axes((0, 0, layout.width, layout.bottom))
        canvas.set_xlim(0, layout.width)
        canvas.set_ylim(layout.bottom, 0)
        canvas.axis("off")
        top += 0.28
        for column, heading in enumerate(self.tiles.headings):
            text = fitted(heading, self.side, SMALL_SIZE)
            layout.write(self._left(column), top - 0.16, text, size=SMALL_SIZE, colour=style.FAINT)
        for number in self.rows:
            for column, pixels in enumerate(self.tiles.pixels[number]):
                height, across = pixels.shape[:2]
                scale = self.side / max(height, across)
                draw_image(canvas, pixels, (self._left(column), top, across * scale, height * scale))
            self._write(layout, int(self.result.shown[number]), top)
            top += self.step

    def _left(self, column: int) -> float:
        return MARGIN + column * (self.side + _GAP)

    def _write(self, layout: FigureLayout, row: int, top: float) -> None:
        left = self._left(len(self.tiles.headings)) + _GAP
        width = layout.width - left - MARGIN
        for line, colour in input_lines(self.result, row):
            layout.write(left, top, fitted(line, width, SMALL_SIZE), size=SMALL_SIZE, colour=colour)
            top += 0.14


def _height_of(pixels: np.ndarray, side: float) -> float:
    height, width = pixels.shape[:2]
    return float(side * height / max(height, width))


def input_lines(result: ComparisonResult, row: int) -> list[tuple[str, str]]:
    """What stands beside an input, each line with its colour."""
    predictions = result.paired.predictions
    change = change_of(predictions, row)
    inks = {"right before, wrong now": style.WRONG, "wrong before, right now": style.RIGHT}
    name = result.examples.class_name
    lines = [(result.examples.names[row], style.INK), (change, inks.get(change, style.FAINT))]
    if predictions.labelled[row]:
        lines.append((f"label {name(int(predictions.labels[row]))}", style.FAINT))
    for at, which in enumerate(("old", "new")):
        predicted = name(int(predictions.predicted[row, at]))
        lines.append((f"{which}: {predicted} {predictions.confidence[row, at]:.0%}", style.FAINT))
    for key, agreement in result.paired.agreements.items():
        value = agreement.correlation[row]
        if np.isfinite(value):
            shown = f"{value:.2f}".replace("-", "−")
            lines.append((f"agreement {shown}" + (f" ({key})" if len(result.pairs) > 1 else ""), style.FAINT))
    if result.old.has_target:
        lines.append((f"heat for {explained_name(result.old, row)}", style.FAINT))
    return lines
