"""The figure of quality: the verdict on each kind of heatmap, and its curves between those of the nulls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.captions import caption, names_of
from mlflow_interp.drawing.fonts import use_fonts
from mlflow_interp.drawing.layout import MARGIN, SMALL_SIZE, WIDTH, FigureLayout, fitted, wrapped
from mlflow_interp.exceptions import OptionError
from mlflow_interp.quality.rankings import STEPS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.kinds.quality.result import QualityResult

_TOP = 0.72  # inches above the first row
_ROW = 2.25  # of a kind of heatmap
_CURVES = 1.75  # width and height of its axes
_LEFT = 0.55
_TEXT = _LEFT + 2 * _CURVES + 0.75
_LINE = 0.145
_INK = "#0969da"
_NULL = "#b6bec6"
MARKS = {True: "✓", False: "✕", None: "–"}
_COLOURS = {True: style.RIGHT, False: style.WRONG, None: style.FAINT}
#: The measures below the checks, by name in the summary, as phrases.
SHOWN = {
    "correlation": "heat and change of score correlate {}",
    "class_specific": "correlation with the runner-up's map {}",
    "sparseness": "sparseness {}",
    "seconds": "{} s per heatmap",
}
_MEANING = (
    "Mean probability of the explained class while positions are replaced by the baseline, or restored, in "
    "the order of the heat (blue) and of maps that know nothing of the prediction (grey: random, from the "
    "middle outwards, edges, bright). The blue curve should fall and rise sooner than the grey ones."
)


def draw(result: QualityResult) -> Figure:
    """Draw the verdict on each kind of heatmap, and its curves of deletion and insertion.

    Args:
        result: Measures of the heatmaps of one or more methods.
    """
    height = _TOP + _ROW * len(result.titles) + 0.05
    layout = FigureLayout.of(WIDTH, height, caption(_MEANING, result))
    layout.title(style.with_count(title_of(result), result.examples), "whether the heatmaps can be trusted")
    for column in range(len(result.titles)):
        top = _TOP + _ROW * column
        _draw_both(layout, result, column, top)
        _write_verdict(layout, result, column, top)
    return layout.finished(names_of(result.examples))


def draw_panel(axes: Any, result: QualityResult, panel: int | str) -> None:
    """Draw the curve of insertion of one kind of heatmap, given by its number or key, into axes."""
    keys = list(result.titles)
    column = keys.index(panel) if panel in keys else panel
    if not isinstance(column, int) or not 0 <= column < len(keys):
        raise OptionError(f"panel is {panel!r}; give one of {', '.join(keys)}, or a number below {len(keys)}")
    _draw_curves(axes, result, column, 1)
    axes.set_title(result.titles[keys[column]], size=SMALL_SIZE, color=style.INK, parse_math=False)
    use_fonts(axes, ())


def title_of(result: QualityResult) -> str:
    """Such as "Quality of Grad-CAM"."""
    titles = list(result.titles.values())
    return f"{result.title} of {titles[0] if len(titles) == 1 else f'{len(titles)} kinds of heatmaps'}"


def _draw_curves(axes: Any, result: QualityResult, column: int, at: int) -> None:
    """The mean curve over inputs, and those of the nulls in grey."""
    shares = np.linspace(0, 1, STEPS + 1)
    nulls = result.null_curves[:, column, :, at].mean(axis=0)
    axes.fill_between(shares, nulls.min(axis=0), nulls.max(axis=0), color=_NULL, alpha=0.45, linewidth=0)
    for each in nulls:
        axes.plot(shares, each, color=_NULL, linewidth=0.8)
    axes.plot(shares, result.curves[:, column, at].mean(axis=0), color=_INK, linewidth=1.6)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, _highest(result))
    axes.set_xticks([0.25, 0.5, 0.75], ["25%", "50%", "75%"])
    axes.locator_params(axis="y", nbins=4)
    axes.tick_params(labelsize=style.SMALLEST_TEXT, length=2, color=_NULL, labelcolor=style.FAINT, pad=2)
    for spine in axes.spines.values():
        spine.set_color("#d0d7de")


def _highest(result: QualityResult) -> float:
    """The upper end of the axis of all curves."""
    means = [each.mean(axis=0).max() for each in (result.curves, result.null_curves)]
    return min(1.0, 1.1 * float(max(means)) or 1.0)


def draw_curves(result: QualityResult, column: int) -> Figure:
    """The curves of deletion and insertion of one kind of heatmap, without a title."""
    layout = FigureLayout.of(_LEFT + 2 * _CURVES + 0.35, _ROW - 0.3)
    _draw_both(layout, result, column, 0.0)
    return layout.finished()


def _draw_both(layout: FigureLayout, result: QualityResult, column: int, top: float) -> None:
    for at, name in enumerate(("deletion", "insertion")):
        axes = layout.axes((_LEFT + at * (_CURVES + 0.2), top + 0.3, _CURVES, _ROW - 0.95))
        _draw_curves(axes, result, column, at)
        axes.set_title(name, size=SMALL_SIZE, color=style.FAINT, pad=3)
        what = ("positions replaced", "positions restored")[at]
        axes.set_xlabel(what, size=SMALL_SIZE, color=style.FAINT)
        if at == 0:
            axes.set_ylabel("probability", size=SMALL_SIZE, color=style.FAINT)
        else:
            axes.set_yticklabels([])


def _write_verdict(layout: FigureLayout, result: QualityResult, column: int, top: float) -> None:
    width = WIDTH - _TEXT - MARGIN
    title = fitted(list(result.titles.values())[column], width, 9, bold=True)
    layout.write(_TEXT, top + 0.1, title, size=9, weight="bold")
    y = top + 0.32
    for check in result.checks(column):
        layout.write(_TEXT, y, f"{MARKS[check.passes]} {check.name}", size=8, colour=_COLOURS[check.passes])
        y += _LINE
        for line in wrapped(check.reason, width, style.SMALLEST_TEXT):
            layout.write(_TEXT, y, line, size=style.SMALLEST_TEXT, colour=style.FAINT)
            y += 0.125
        y += 0.03
    measures = "; ".join(measures_of(result, column))
    for line in wrapped(measures, width, style.SMALLEST_TEXT):
        layout.write(_TEXT, y, line, size=style.SMALLEST_TEXT, colour=style.FAINT)
        y += 0.125


def measures_of(result: QualityResult, column: int) -> list[str]:
    """The measures of a kind of heatmap that belong to no check, each as a phrase."""
    summary = result.summary(column)
    values = {name: f"{summary[name]:.2g}".replace("-", "−") for name in SHOWN if name in summary}
    return [SHOWN[name].format(value) for name, value in values.items()]
