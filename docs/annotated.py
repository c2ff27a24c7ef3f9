"""The annotated figures of the method pages: which badges they have, and where.

Each page explains the numbers below its figure. Positions follow from what is drawn, not from pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import mlflow_interp
from docs.figures import WIDTH, badge, badge_at_text, badge_on_tile, panels
from mlflow_interp.drawing import style
from mlflow_interp.drawing.grid import draw_strip
from mlflow_interp.drawing.grid_sizes import Strip
from mlflow_interp.kinds.feature_visualization.figure import draw as draw_features
from mlflow_interp.kinds.feature_visualization.figure import input_lines, measures
from mlflow_interp.kinds.heatmap.tiles import make_tiles
from mlflow_interp.kinds.nearest_examples.figure import draw as draw_neighbours
from mlflow_interp.kinds.quality.figure import draw as draw_quality
from mlflow_interp.kinds.training_dynamics.figure import draw as draw_dynamics


def annotated_heatmap(found: Any) -> Any:
    """The figure of one heatmap: strongest heat, no heat, explained class, predictions, method and layer."""
    figure = found.draw()
    heat = found.heatmaps[0]
    rows, columns = heat.shape
    hot = np.unravel_index(heat.argmax(), heat.shape)
    cold = np.unravel_index(heat.argmin(), heat.shape)
    # The tile shows the whole image, and the heat lies within the frame.
    whole = found.examples.wholes[0] if found.examples.wholes else None
    top, left, height, width = (0, 0, 1, 1) if whole is None else whole.box
    for number, (row, column) in enumerate((hot, cold), 1):
        at = left + width * (column + 0.5) / columns, top + height * (row + 0.5) / rows
        badge_on_tile(figure, number, (1, 2), at)
    badge_at_text(figure, 3, "explains")
    badge_at_text(figure, 4, f"{found.examples.probabilities[0, 0]:.1%}", distance=60)
    badge_at_text(figure, 5, found.title)
    return figure


def annotated_comparison(model: str, photo: Path, methods: tuple[str, str], layer: str | None) -> Any:
    """One image with the maps of two methods, at one layer if given; badges mark where each is strongest."""
    options = {"layer": layer} if layer else {}
    found = mlflow_interp.interpret(model, photo, list(methods), **options, log=False, quiet=True)
    results: list[Any] = [found[each] for each in methods]
    tiles = [make_tiles(result).pixels[0] for result in results]
    figure = style.new_figure(WIDTH, 3.2)
    figure.set_layout_engine("constrained")
    axes = figure.subplots()
    headings = ["image", *(result.title for result in results)]
    draw_strip(
        axes,
        Strip(", ".join(filter(None, (photo.name, layer))), [tiles[0][0], tiles[0][1], tiles[1][1]], []),
        headings,
    )
    pixels: Any = axes.images[0].get_array()
    height, width = pixels.shape[:2]
    for number, result in enumerate(results, 1):
        heat = result.heatmaps[0]
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        point = ((number + (column + 0.5) / heat.shape[1]) * width / 3, (row + 0.5) / heat.shape[0] * height)
        badge(axes, number, point, offset=(30, 26))
    return figure


def mark_tiles(axes: Any, count: int) -> None:
    """Draw a badge below each tile of a strip; within it where there is text below."""
    height, width = axes.images[0].get_array().shape[:2]
    has_text = bool(axes.texts)
    share, down, offset = (0.1, 0.9 * height, (0, 0)) if has_text else (0.5, height, (0, -14))
    for tile in range(count):
        badge(axes, tile + 1, ((tile + share) * width / count, down), offset=offset)
    axes.set_xlabel("")


def annotated_matrix(found: Any) -> Any:
    """The matrix with badges at the best class, the most frequent confusion, its row and its column."""
    figure = panels(found, ["matrix"], columns=1, height=6.6, order="given")
    axes = figure.axes[0]
    counts = found.counts
    errors = counts - np.diag(np.diag(counts))
    true, predicted = np.unravel_index(errors.argmax(), errors.shape)
    best = int((np.diag(counts) / counts.sum(axis=1)).argmax())
    # From the corner of a cell, so that no number is covered.
    badge(axes, 1, (best + 0.45, best - 0.45), offset=(20, 18))
    badge(axes, 2, (predicted + 0.45, true - 0.45), offset=(20, 18))
    badge(axes, 3, (len(counts) - 0.5, true), offset=(24, 0))
    badge(axes, 4, (predicted, -0.5), offset=(0, 24))
    return figure


def mark_points(axes: Any, found: Any) -> None:
    """Draw badges at a group of one class, at an error between groups and at one inside another class."""
    points = found.embeddings[:, -1]
    labels, classes = found.examples.labels, found.examples.classes[:, 0]
    centres = np.stack([np.median(points[labels == each], axis=0) for each in range(10)])
    spreads = [np.abs(points[labels == each] - centres[each]).mean() for each in range(10)]
    distances = np.linalg.norm(points[:, np.newaxis] - centres, axis=2)
    wrong = labels != classes
    elsewhere = np.where(wrong, distances[np.arange(len(labels)), classes], np.inf)
    two_nearest = np.sort(distances, axis=1)[:, :2]
    between = np.where(wrong, two_nearest[:, 0], -np.inf)
    badge(axes, 1, tuple(centres[int(np.argmin(spreads))]), offset=(40, 26))
    badge(axes, 2, tuple(points[int(between.argmax())]), offset=(-40, 26))
    badge(axes, 3, tuple(points[int(elsewhere.argmin())]), offset=(40, -26))
    title = axes.title
    axes.set_title(title.get_text(), size=10)
    badge(axes, 4, _right_of(axes, title), offset=(20, 0))


def _right_of(axes: Any, text: Any) -> tuple[float, float]:
    """The right end of a text, in the coordinates of its axes."""
    axes.figure.canvas.draw()
    box = text.get_window_extent()
    x, y = axes.transData.inverted().transform((box.x1 + 3, (box.y0 + box.y1) / 2))
    return float(x), float(y)


def annotated_neighbours(result: Any) -> Any:
    """The first rows of nearest examples, with badges on an input, its agreement, and its neighbours."""
    figure = draw_neighbours(result)
    row = int(result.order[0])
    badge_at_text(figure, 1, result.examples.names[row])
    badge_at_text(figure, 2, "agreement")
    badge_at_text(figure, 3, f"{result.similarities[row, 6]:.3f}")
    badge_at_text(figure, 4, result.neighbour_names[row][5])
    return figure


def annotated_features(result: Any) -> Any:
    """Features with several images each, with badges on their name, their measures and an input."""
    figure = draw_features(result)
    best = input_lines(result, 0, 0)[0][0]
    texts = {result.names[0]: 22, measures(result, 0)[1]: 28, "similarity": 78, best: 22}
    for number, (text, distance) in enumerate(texts.items(), 1):
        badge_at_text(figure, number, text, distance=distance)
    return figure


def annotated_dynamics(result: Any) -> Any:
    """The charts and lists of training dynamics, with badges on each."""
    figure = draw_dynamics(result)
    accuracy, inputs = figure.axes[:2]
    lowest = int(result.class_accuracy[0].argmin())
    badge(accuracy, 1, (result.kept_epochs[0], result.class_accuracy[0, lowest]), offset=(28, -8))
    history = result.history
    badge(inputs, 2, (float(history.variability[0]), float(history.means[0])), offset=(44, 18))
    for number, start in ((3, "Least learnt"), (4, "Forgotten")):
        badge_at_text(figure, number, start)
    return figure


def annotated_quality(result: Any) -> Any:
    """The plots and the verdict of one kind of heatmap, with badges on the curves and the verdict."""
    figure = draw_quality(result)
    deletion, insertion = figure.axes
    curves, nulls = result.curves[:, 0].mean(axis=0), result.null_curves[:, 0].mean(axis=0)
    share = 3 / 16
    badge(deletion, 1, (share, curves[0, 3]), offset=(6, -26))
    badge(insertion, 2, (share, curves[1, 3]), offset=(-2, 22))
    badge(insertion, 3, (0.5, nulls[:, 1, 8].min()), offset=(10, -26))
    # The verdict stands to the right, and begins a little below the upper end of the axes.
    badge(insertion, 4, (1.66, insertion.get_ylim()[1] * 0.955), offset=(76, 0))
    return figure
