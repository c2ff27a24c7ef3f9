"""The reliability diagram."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlflow_interp.drawing import style

from .result import ReliabilityResult


def draw(result: ReliabilityResult, *, colour: str = "#0969da") -> Any:
    """Draw the share of correct predictions in each bin.

    Args:
        result: The counts.
        colour: The colour of the bars.
    """
    figure = style.new_figure(5, 5)
    draw_panel(figure.add_axes((0.14, 0.12, 0.8, 0.76)), result, colour=colour)
    figure.suptitle("Calibration")
    return figure


def draw_panel(axes: Any, result: ReliabilityResult, panel: Any = 0, *, colour: str = "#0969da") -> None:
    """Draw the diagram into axes."""
    bins = len(result.counts)
    middles = (np.arange(bins) + 0.5) / bins
    axes.bar(middles, np.nan_to_num(result.accuracies), 0.95 / bins, color=colour)
    axes.plot([0, 1], [0, 1], color=style.FAINT, linestyle="--")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability", ylabel="share of right predictions")
