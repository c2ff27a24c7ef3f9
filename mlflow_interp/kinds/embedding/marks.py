"""The marks of an embedding in axes: points, rings around wrong predictions, arrows of a difference."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.kinds.embedding.difference import EmbeddingDifference
from mlflow_interp.kinds.embedding.points import ClassColours, ValueColours, coordinates, is_wrong
from mlflow_interp.kinds.embedding.result import EmbeddingResult

MOST_VECTORS = 2_000  # points; more are drawn as pixels in an SVG, which would be large otherwise


def points_of(result: EmbeddingResult | EmbeddingDifference) -> EmbeddingResult:
    """The points; for a difference, the ends of its arrows."""
    return result.minuend if isinstance(result, EmbeddingDifference) else result


def style_axes(axes: Any, components: int) -> None:
    """No ticks, and a pale frame."""
    if components == 3:
        frame = [axis.line for axis in (axes.xaxis, axes.yaxis, axes.zaxis)]
        axes.set_zticks([])
    else:
        frame = list(axes.spines.values())
    axes.set_xticks([])
    axes.set_yticks([])
    for line in frame:
        line.set_color("#d8dee4")
    if components > 1:
        # Distances are to scale in every direction.
        axes.set_aspect("equal", adjustable="datalim")


def draw_marks(
    axes: Any,
    result: EmbeddingResult | EmbeddingDifference,
    column: int,
    colours: ClassColours | ValueColours,
    size: float,
) -> None:
    """Draw points, or arrows and the points they lead to."""
    if isinstance(result, EmbeddingDifference):
        _arrows(axes, result, column, colours)
        size /= 3
    _points(axes, points_of(result), column, colours, size)


def _arrows(
    axes: Any, result: EmbeddingDifference, column: int, colours: ClassColours | ValueColours
) -> None:
    start, end = (np.array(coordinates(each, column)) for each in (result.subtrahend, result.minuend))
    settings: dict[str, Any] = {"color": colours.of_points(result.minuend), "alpha": 0.6}
    if len(start) == 3:
        axes.quiver(*start, *(end - start), arrow_length_ratio=0.15, linewidth=0.8, **settings)
    else:
        axes.quiver(
            *start,
            *(end - start),
            angles="xy",
            scale_units="xy",
            scale=1,
            width=0.003,
            zorder=0.5,
            **settings,
        )
        # The first points count for the limits of the axes too.
        axes.update_datalim(start.T)
        axes.autoscale_view()


def _points(
    axes: Any, result: EmbeddingResult, column: int, colours: ClassColours | ValueColours, size: float
) -> None:
    points = coordinates(result, column)
    settings: dict[str, Any] = {"depthshade": False} if len(points) == 3 else {}
    settings["rasterized"] = len(points[0]) > MOST_VECTORS
    by_point = colours.of_points(result)
    markers = colours.markers_of(result) if isinstance(colours, ClassColours) else np.full(len(by_point), "o")
    for marker in dict.fromkeys(markers.tolist()):
        # In the order of the inputs, not class by class, as the last class would hide the others.
        chosen = markers == marker
        shown = [axis[chosen] for axis in points]
        axes.scatter(*shown, c=by_point[chosen], s=size, marker=marker, alpha=0.8, linewidths=0, **settings)
    wrong = is_wrong(result)
    if wrong.any():
        _ring(axes, [axis[wrong] for axis in points], size, settings)


def _ring(axes: Any, points: list[np.ndarray], size: float, settings: dict[str, Any]) -> None:
    """Draw dark rings with a white edge, which are visible on every colour."""
    from matplotlib.patheffects import Normal, Stroke

    width = float(np.clip(size**0.5 / 6, 0.35, 0.8))
    rings = axes.scatter(
        *points, s=size * 1.8, linewidths=width, facecolors="none", edgecolors=style.INK, **settings
    )
    rings.set_path_effects([Stroke(linewidth=2.2 * width, foreground="white"), Normal()])
