"""The names of classes in a figure, each at the median of its points and none over another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.layout import SMALL_SIZE, fitted, width_of

MOST_NAMED = 20  # classes; more names would hide the points
_WIDEST = 0.4, 0.22  # of a name, as a share of the axes' width: of up to ten names, of more
_PAD = 0.03  # inches around a name
_FAR = 0.16  # inches from which on a line leads from a name to its points
_ROUNDS = 300


def write_cluster_names(axes: Any, points: np.ndarray, labels: np.ndarray, classes: dict[int, str]) -> None:
    """Write the name of each class that has points at their median.

    Args:
        axes: axes in which the points are drawn; their position in the figure must be final.
        points: (n, 2) positions.
        labels: (n,) the class of each point.
        classes: the names of at most `MOST_NAMED` classes, by class; others are not named.
    """
    present = [index for index in classes if (labels == index).any()]
    if not present:
        return
    axes.apply_aspect()
    dpi = axes.figure.dpi
    box = axes.get_window_extent()
    medians = np.stack([np.median(points[labels == index], axis=0) for index in present])
    anchors = axes.transData.transform(medians) / dpi
    widest = _WIDEST[len(present) > 10] * box.width / dpi
    names = [fitted(classes[index], widest, SMALL_SIZE) for index in present]
    sizes = np.array([(width_of(name, SMALL_SIZE), SMALL_SIZE * 1.2 / 72) for name in names]) + 2 * _PAD
    low, high = np.array([box.min, box.max]) / dpi
    centres = apart(anchors, sizes, (low + _PAD, high - _PAD))
    for name, median, anchor, centre in zip(names, medians, anchors, centres, strict=True):
        _write(axes, name, median, 72 * (centre - anchor))


def _write(axes: Any, name: str, point: np.ndarray, offset: np.ndarray) -> None:
    """Write a name on a pale ground, and lead a line to its points if it was moved far."""
    is_far = float(np.hypot(*offset)) > 72 * _FAR
    line = {"arrowstyle": "-", "color": style.INK, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 0}
    ground = {"boxstyle": "round,pad=0.12", "facecolor": "white", "alpha": 0.75, "linewidth": 0}
    axes.annotate(
        name, tuple(point), tuple(offset), textcoords="offset points", ha="center", va="center",
        size=SMALL_SIZE, color=style.INK, bbox=ground, arrowprops=line if is_far else None, zorder=5,
        parse_math=False,
    )  # fmt: skip


def apart(
    centres: np.ndarray, sizes: np.ndarray, bounds: tuple[Sequence[float] | np.ndarray, np.ndarray]
) -> np.ndarray:
    """Move boxes so that none overlaps another, as little as needed, and all stay within bounds if they fit.

    Args:
        centres: (n, 2) their centres.
        sizes: (n, 2) their widths and heights.
        bounds: the lowest and the highest corner.
    """
    low, high = (np.asarray(bounds[0]) + sizes / 2, np.asarray(bounds[1]) - sizes / 2)
    moved = np.clip(centres, low, np.maximum(low, high))
    needed = (sizes[:, np.newaxis] + sizes) / 2
    # Boxes with the same centre are moved apart in the order of the classes.
    order = np.arange(len(sizes))
    ahead = np.where(order[:, np.newaxis] > order, 1.0, -1.0)
    for _ in range(_ROUNDS):
        between = moved[:, np.newaxis] - moved
        overlaps = needed - np.abs(between)
        overlaps[np.arange(len(sizes)), np.arange(len(sizes))] = 0
        both = (overlaps > 1e-4).all(axis=2)
        if not both.any():
            break
        directions = np.where(between == 0, ahead[..., np.newaxis], np.sign(between))
        # Along the axis where the smaller move is enough.
        upright = overlaps[..., 1] <= overlaps[..., 0]
        along = np.stack([~upright, upright], axis=2) & both[..., np.newaxis]
        moved = moved + 0.5 * np.where(along, directions * overlaps, 0).sum(axis=1)
        moved = np.clip(moved, low, np.maximum(low, high))
    return np.asarray(moved)
