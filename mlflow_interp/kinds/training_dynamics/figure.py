"""The figure of training dynamics: accuracy of classes, map of the inputs, lists of inputs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.captions import caption, names_of
from mlflow_interp.drawing.embedded_image import draw_image
from mlflow_interp.drawing.fonts import use_fonts
from mlflow_interp.drawing.layout import MARGIN, SMALL_SIZE, WIDTH, FigureLayout, fitted
from mlflow_interp.drawing.palette import class_colours
from mlflow_interp.drawing.panels import find_panel
from mlflow_interp.kinds.training_dynamics.result import LISTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.kinds.training_dynamics.result import TrainingDynamicsResult

PANELS = ("accuracy", "map")
MOST_NAMED = 10  # classes in the legend
LOWEST = 5  # classes in the legend if there are more
_TOP = 0.78  # inches above the charts
_CHART = 2.0  # height of the charts
_COLUMNS = 8  # inputs in a row
_GAP = 0.1
_SIDE = (WIDTH - 2 * MARGIN + _GAP) / _COLUMNS - _GAP
_CURVE = 0.3  # height of the trajectory of an input
_LINE = 0.13
_GREY = "#b6bec6"
_ROWS = {"least learnt": 2, "forgotten": 1, "learnt last": 1}  # rows of inputs in each list
_MEANING = (
    "Left: accuracy of each class on all labelled inputs. Right: each point is an input, by the mean and the "
    "standard deviation of the probability of its label over the epochs; green points are predicted as "
    "labelled after the last epoch. Below: inputs with the probability of their label by epoch, from 0 to 1, "
    "and label → prediction after the last epoch."
)


def draw(result: TrainingDynamicsResult) -> Figure:
    """Draw how classes and inputs were learnt.

    Args:
        result: The history of inputs over the epochs of a training.
    """
    lists = {name: _first(result, name) for name in LISTS}
    lists = {name: rows for name, rows in lists.items() if len(rows)}
    has_images = result.examples.images is not None
    cell = (_SIDE if has_images else 0.0) + _CURVE + 3 * _LINE + 0.16
    heights = {name: math.ceil(len(rows) / _COLUMNS) * cell + 0.34 for name, rows in lists.items()}
    top = _TOP + _CHART + 0.62
    layout = FigureLayout.of(WIDTH, top + sum(heights.values()), caption(_MEANING, result))
    layout.title(result.title, headline(result))
    _draw_accuracy(layout.axes((0.45, _TOP, 2.6, _CHART)), result, legend=True)
    _draw_map(layout.axes((4.6, _TOP, 2.2, _CHART)), result)
    for name, rows in lists.items():
        _draw_list(layout, result, name, rows, top)
        top += heights[name]
    return layout.finished(names_of(result.examples))


def draw_panel(axes: Any, result: TrainingDynamicsResult, panel: int | str) -> None:
    """Draw the accuracy of classes ("accuracy" or 0) or the map of the inputs ("map" or 1) into axes."""
    if find_panel(panel, PANELS, "panel") == 0:
        _draw_accuracy(axes, result, legend=True)
    else:
        _draw_map(axes, result)
    use_fonts(axes, result.examples.class_names or ())


def headline(result: TrainingDynamicsResult) -> str:
    """Such as "after 5 epochs: accuracy 97.2%, 12 of 500 inputs were forgotten, 9 were never right"."""
    metrics = result.metrics()
    epochs = len(result.epochs)
    followed = int(result.times.sum())
    parts = [f"after {epochs} epoch{'s' if epochs > 1 else ''}: accuracy {metrics['accuracy']:.1%}"]
    if epochs > 1:
        parts.append(f"{int(metrics['forgotten']):,} of {style.counted(followed)} were forgotten")
    return ", ".join([*parts, f"{int(metrics['never_right']):,} were never right"])


def _first(result: TrainingDynamicsResult, name: str) -> np.ndarray:
    """The first rows of a list that are shown."""
    rows = result.listed(name)
    return rows[np.isin(rows, result.examples.shown_rows)][: _ROWS[name] * _COLUMNS]


def named_classes(result: TrainingDynamicsResult) -> list[int]:
    """The classes that are named: all if they are few, else those with the lowest accuracy now."""
    occurring = result.occurring.tolist()
    if len(occurring) <= MOST_NAMED:
        return [int(each) for each in occurring]
    accuracy = result.class_accuracy[-1]
    known = [index for index in occurring if not np.isnan(accuracy[index])]
    return sorted(known, key=lambda index: (round(float(accuracy[index]), 9), index))[:LOWEST]


def _draw_accuracy(axes: Any, result: TrainingDynamicsResult, *, legend: bool) -> None:
    """A line for each class; classes that are not named are grey."""
    accuracy, epochs = result.class_accuracy, result.kept_epochs
    named = named_classes(result)
    mark = "o" if len(epochs) == 1 else None
    others = [index for index in result.occurring.tolist() if index not in named]
    for index in others:
        axes.plot(
            epochs, accuracy[:, index], color=_GREY, linewidth=0.5, alpha=0.6, marker=mark, markersize=2
        )
    colours = class_colours(len(named))
    for index, colour in zip(named, colours, strict=True):
        axes.plot(
            epochs, accuracy[:, index], color=colour, linewidth=1.2, marker=mark, markersize=3,
            label=style.shorten(result.examples.class_name(index), 16),
        )  # fmt: skip
    _style(axes, "accuracy of each class", "epoch")
    axes.set_ylim(-0.03, 1.03)
    axes.xaxis.get_major_locator().set_params(integer=True)
    if legend and named:
        title = "class" if not others else f"{len(named)} lowest of {len(named) + len(others)}"
        found = axes.legend(
            loc="upper left", bbox_to_anchor=(1.02, 1.03), fontsize=style.SMALLEST_TEXT, frameon=False,
            title=title, title_fontsize=style.SMALLEST_TEXT, handlelength=1.2, borderaxespad=0.2,
            labelspacing=0.25, alignment="left",
        )  # fmt: skip
        for text in found.get_texts():
            text.set_parse_math(False)


def _draw_map(axes: Any, result: TrainingDynamicsResult) -> None:
    """Swayamdipta et al. 2020: mean probability of the label by its standard deviation."""
    history = result.history
    colours = np.where(result.is_right, style.RIGHT, style.WRONG)
    size = float(np.clip(2500 / len(colours), 2, 14))
    # The least learnt last, as they matter most and are few.
    axes.scatter(
        history.variability[::-1], history.means[::-1], c=colours[::-1], s=size, alpha=0.6, linewidths=0,
        rasterized=len(colours) > 2_000,
    )  # fmt: skip
    _style(axes, "mean probability of the label", "standard deviation over the epochs")
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlim(-0.01, max(0.1, 1.1 * float(history.variability.max())))


def _style(axes: Any, title: str, across: str) -> None:
    axes.set_title(title, size=SMALL_SIZE, color=style.FAINT, pad=4)
    axes.set_xlabel(across, size=SMALL_SIZE, color=style.FAINT)
    axes.tick_params(labelsize=style.SMALLEST_TEXT, length=2, color=_GREY, labelcolor=style.FAINT, pad=2)
    axes.grid(color="#eaeef2", linewidth=0.5)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_color("#d0d7de")


def _draw_list(
    layout: FigureLayout, result: TrainingDynamicsResult, name: str, rows: np.ndarray, top: float
) -> None:
    text = f"{name[:1].upper()}{name[1:]}: {LISTS[name]}"
    layout.write(MARGIN, top, fitted(text, WIDTH - 2 * MARGIN, SMALL_SIZE), size=SMALL_SIZE, weight="bold")
    canvas = layout.axes((0, 0, layout.width, layout.height))
    canvas.set(xlim=(0, layout.width), ylim=(layout.height, 0))
    canvas.set_axis_off()
    canvas.set_autoscale_on(False)
    images = result.examples.images
    side = 0.0 if images is None else _SIDE
    for at, row in enumerate(rows.tolist()):
        line, column = divmod(at, _COLUMNS)
        left = MARGIN + column * (_SIDE + _GAP)
        y = top + 0.2 + line * (side + _CURVE + 3 * _LINE + 0.16)
        if images is not None:
            place = int(np.searchsorted(result.examples.shown_rows, row))
            draw_image(canvas, images[place], (left, y, side, side))
        _draw_trajectory(canvas, result, row, (left, y + side + 0.05, _SIDE, _CURVE))
        y += side + _CURVE + 0.08
        for text, colour in lines_of(result, row, name):
            line_text = fitted(text, _SIDE + _GAP - 0.02, style.SMALLEST_TEXT)
            layout.write(left, y, line_text, size=style.SMALLEST_TEXT, colour=colour)
            y += _LINE


def _draw_trajectory(
    canvas: Any, result: TrainingDynamicsResult, row: int, box: tuple[float, float, float, float]
) -> None:
    """The probability of the label by epoch, in a box of the figure."""
    left, top, width, height = box
    seen = np.flatnonzero(result.history.predicted[row] >= 0)
    values = result.history.trajectories[row, seen]
    canvas.plot([left, left + width], [top + height] * 2, color=_GREY, linewidth=0.5)
    canvas.plot([left, left + width], [top] * 2, color="#eaeef2", linewidth=0.5)
    last = max(len(result.kept) - 1, 1)
    across = left + width * seen / last
    mark = "o" if len(seen) == 1 else None
    canvas.plot(across, top + height * (1 - values), color="#0969da", linewidth=1, marker=mark, markersize=2)


def lines_of(result: TrainingDynamicsResult, row: int, name: str) -> list[tuple[str, str]]:
    """The name of an input, its label and prediction, and why it is listed, with their colours."""
    examples = result.examples
    label, predicted = int(examples.labels[row]), int(examples.classes[row, 0])
    colour = style.RIGHT if label == predicted else style.WRONG
    class_name = examples.class_name
    both = class_name(label) if label == predicted else f"{class_name(label)} → {class_name(predicted)}"
    return [(examples.names[row], style.INK), (both, colour), (reason(result, row, name), style.FAINT)]


def reason(result: TrainingDynamicsResult, row: int, name: str) -> str:
    """Why an input is in a list, such as "forgotten 2×"."""
    if name == "forgotten":
        return f"forgotten {int(result.history.forgotten[row])}×"
    if name == "learnt last":
        return f"since epoch {result.learnt_epochs[row]}"
    return f"mean {result.history.means[row]:.2f}"
