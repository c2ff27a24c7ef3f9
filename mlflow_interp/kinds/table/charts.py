"""The charts of a table: probabilities of right and wrong predictions, and what is confused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.layout import SMALL_SIZE, fitted, width_of
from mlflow_interp.drawing.palette import UNKNOWN_COLOUR, class_colours
from mlflow_interp.kinds.confusion_matrix.text import amount, percent
from mlflow_interp.kinds.table.counts import STATES

if TYPE_CHECKING:
    from mlflow_interp.kinds.table.result import TableResult

MOST_PAIRS = 8
PAIR_WIDTH = 1.45  # inches of the names of a pair
_LINE_COLOUR = "#d0d7de"

#: Names, number and note of a bar.
Bar = tuple[tuple[str, ...], int, str]


def draw_probabilities(axes: Any, result: TableResult) -> None:
    """The histogram of the probability of the predicted class: right below wrong below unlabelled."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

    bins = result.bins
    colours = (*class_colours(2), UNKNOWN_COLOUR)
    bottom = np.zeros(bins.counts.shape[1])
    for state, counts, colour in zip(STATES, bins.counts, colours, strict=True):
        if counts.any():
            share = f" {counts.sum() / bins.counts.sum():.1%}" if result.labelled else ""
            axes.bar(
                bins.edges[:-1], counts, width=np.diff(bins.edges), bottom=bottom, align="edge",
                color=colour, edgecolor="white", linewidth=0.4, label=f"{state}{share}",
            )  # fmt: skip
            bottom += counts
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.06 * max(1.0, float(bottom.max())))
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: amount(round(value))))
    axes.set_xlabel("probability of the predicted class", size=SMALL_SIZE, color=style.FAINT)
    axes.legend(
        fontsize=style.SMALLEST_TEXT, frameon=False, loc="lower left", bbox_to_anchor=(-0.02, 0.98),
        ncols=3, handlelength=0.9, handleheight=0.9, handletextpad=0.4, columnspacing=1.0, borderpad=0,
        labelcolor=style.INK,
    )  # fmt: skip
    _quiet(axes)


def draw_classes(axes: Any, result: TableResult) -> None:
    """The most confused pairs as bars; without labels, the classes that are predicted most often."""
    bars, _ = class_bars(result)
    if bars:
        places = np.arange(len(bars))
        colour = class_colours(2)[1] if result.labelled else UNKNOWN_COLOUR
        widest = max(count for _, count, _ in bars)
        axes.barh(places, [count for _, count, _ in bars], height=0.62, color=colour)
        for place, (_, count, note) in zip(places, bars, strict=True):
            axes.text(
                count + 0.02 * widest, place, f"{count:,}{note}", va="center", size=style.SMALLEST_TEXT,
                color=style.FAINT, clip_on=False, parse_math=False,
            )  # fmt: skip
        axes.set_yticks(
            places, [fitted_pair(name, PAIR_WIDTH) for name, _, _ in bars], size=style.SMALLEST_TEXT,
            parse_math=False,
        )  # fmt: skip
        axes.set_ylim(max(len(bars), 4) - 0.5, -0.5)
        axes.set_xlim(0, widest)
    else:
        axes.set_yticks([])
    _quiet(axes)
    axes.set_xticks([])
    axes.tick_params(length=0)
    for side in ("bottom", "right", "top"):
        axes.spines[side].set_visible(False)


def class_bars(result: TableResult) -> tuple[list[Bar], str]:
    """Names, number and note of each bar, and their title."""
    name = result.class_name
    if not result.labelled:
        most = sorted(result.classes, key=lambda each: (-each.predicted, each.label))[:MOST_PAIRS]
        bars: list[Bar] = [
            ((each.name,), each.predicted, f" ({percent(each.predicted / result.predicted)})")
            for each in most
            if each.predicted
        ]
        return bars, "most frequent predictions"
    support = {each.label: each.labelled for each in result.classes}
    pairs: list[Bar] = [
        ((name(label), name(predicted)), count, f" ({percent(count / support[label])})")
        for label, predicted, count in result.confused(MOST_PAIRS)
    ]
    return pairs, "most confused: label → prediction (share of the label)" if pairs else "no wrong prediction"


def fitted_pair(names: tuple[str, ...], width: float) -> str:
    """Names joined by an arrow in a width in inches; a long one gets what a short one leaves."""
    size = style.SMALLEST_TEXT
    left = width - width_of(" → ", size) * (len(names) - 1)
    widths = [width_of(name, size) for name in names]
    for done, at in enumerate(sorted(range(len(names)), key=widths.__getitem__)):
        widths[at] = min(widths[at], left / (len(names) - done))
        left -= widths[at]
    return " → ".join(
        fitted(name, each + 0.01, size) for name, each in zip(names, widths, strict=True)
    )  # the hundredth of an inch is for rounding


def _quiet(axes: Any) -> None:
    axes.tick_params(labelsize=style.SMALLEST_TEXT, length=2, color="#b6bec6", labelcolor=style.FAINT, pad=2)
    axes.tick_params(axis="y", labelcolor=style.INK)
    for spine in axes.spines.values():
        spine.set_color(_LINE_COLOUR)
