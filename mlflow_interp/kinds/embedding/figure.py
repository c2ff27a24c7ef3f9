"""The figure of an embedding: a panel of points for each layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from mlflow_interp.core.accepted import Range
from mlflow_interp.drawing import style
from mlflow_interp.drawing.layout import SMALL_SIZE, Box, FigureLayout, fitted, width_of
from mlflow_interp.drawing.panels import find_panel
from mlflow_interp.exceptions import OptionError
from mlflow_interp.kinds.embedding.difference import EmbeddingDifference
from mlflow_interp.kinds.embedding.points import (
    MOST_IN_LEGEND,
    VALUE_COLORMAP,
    ClassColours,
    ValueColours,
    coordinates,
    is_wrong,
    point_colours,
    title_of,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.kinds.embedding.result import EmbeddingResult

Legend = Literal["shared", "each", "off"]
PointSize = Annotated[float | None, Range(above=0)]
_PANEL = 4.6  # inches
_LEGEND_WIDTH = 2.0
_BAR_WIDTH = 0.9  # of a colour bar with its numbers
_NAME_WIDTH = 1.5
_TITLE_HEIGHT = 0.6
_LINE_HEIGHT = 0.175


def draw(
    result: EmbeddingResult | EmbeddingDifference,
    *,
    legend: Legend = "shared",
    point_size: PointSize = None,
) -> Figure:
    """Draw a panel for each layer, with points coloured by label; rings mark wrong predictions.

    For a regression, colours show the label, or the predicted value if there are no labels. For a difference,
    an arrow leads from each point of the second embedding to that of the first.

    Args:
        result: Points of any number of inputs and layers, with 1, 2 or 3 components, or a difference.
        legend: One legend for all panels (shared), one in each, or off.
        point_size: Area of a point in square points. By default, the more points, the smaller.
    """
    points = _points_of(result)
    colours = point_colours([points])
    legend_width = _legend_width(colours, legend)
    layout, boxes = _panels(len(result.layers), legend_width)
    layout.title(*_titles(result))
    size = _size(points, point_size)
    for column, box in enumerate(boxes):
        axes = _axes(layout, box, points.embeddings.shape[2])
        _marks(axes, result, column, colours, size)
        axes.set_title(_panel_title(result, column), size=9, color=style.FAINT, parse_math=False)
        if legend == "each" and isinstance(colours, ClassColours):
            _legend(axes, colours, MOST_IN_LEGEND, loc="best", fontsize=6)
    if isinstance(colours, ValueColours):
        if legend_width:
            bar = (layout.width - legend_width + 0.1, _TITLE_HEIGHT + 0.4, 0.14, _PANEL - 0.55)
            layout.colour_bar(bar, _mappable(colours), fitted(colours.title, _PANEL - 1, SMALL_SIZE))
    elif legend_width:
        corner = layout.place(layout.width - legend_width, 0.62)
        most = min(MOST_IN_LEGEND, int((layout.height - 0.9) / _LINE_HEIGHT))
        _legend(layout.figure, colours, most, loc="upper left", fontsize=8, bbox_to_anchor=corner)
    return layout.figure


def _legend_width(colours: ClassColours | ValueColours, legend: str) -> float:
    """The width of the shared legend or colour bar next to the panels."""
    if isinstance(colours, ValueColours):
        return 0 if legend == "off" else _BAR_WIDTH
    return _LEGEND_WIDTH if legend == "shared" and len(colours.names) > 1 else 0


def _mappable(colours: ValueColours) -> Any:
    """The mappable of a colour bar."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    return ScalarMappable(Normalize(colours.low, colours.high), style.find_colormap(VALUE_COLORMAP))


def draw_panel(
    axes: Any,
    result: EmbeddingResult | EmbeddingDifference,
    panel: int | str,
    *,
    legend: Legend = "shared",
    point_size: PointSize = None,
) -> None:
    """Draw the points of one layer, given by its index or path, into axes; three components need 3-D ones.

    Raises:
        OptionError: no such layer, or two-dimensional axes for three components.
    """
    column = find_panel(panel, result.layers, "layer")
    points = _points_of(result)
    components = points.embeddings.shape[2]
    if components == 3 and not hasattr(axes, "set_zlim"):
        raise OptionError("three components need axes with projection='3d'")
    colours = point_colours([points])
    _style(axes, components)
    _marks(axes, result, column, colours, _size(points, point_size))
    axes.set_title(_panel_title(result, column), size=9, color=style.FAINT, parse_math=False)
    if legend == "off":
        return
    if isinstance(colours, ValueColours):
        axes.figure.colorbar(_mappable(colours), ax=axes, label=colours.title)
    elif len(colours.names) > 1:
        _legend(axes, colours, MOST_IN_LEGEND, loc="best", fontsize=6)


def _size(result: EmbeddingResult, point_size: float | None) -> float:
    """The area of a point in square points."""
    return point_size or float(np.clip(9000 / len(result.examples), 1.5, 36))


def _panels(count: int, legend_width: float) -> tuple[FigureLayout, list[Box]]:
    """An empty figure, and the boxes of its panels."""
    columns = count if count <= 3 else 2 if count == 4 else 3
    rows = math.ceil(count / columns)
    boxes = [
        (
            index % columns * _PANEL + 0.15,
            _TITLE_HEIGHT + index // columns * _PANEL + 0.4,
            _PANEL - 0.3,
            _PANEL - 0.55,
        )
        for index in range(count)
    ]
    return FigureLayout.of(columns * _PANEL + legend_width, rows * _PANEL + _TITLE_HEIGHT), boxes


def _key(result: EmbeddingResult) -> str:
    """The meaning of marks and positions if it is not obvious."""
    notes = []
    if result.embeddings.shape[2] == 1:
        rows = "; each class has a row" if result.examples.has_classes else ""
        notes.append(f"one component, left to right{rows}")
    if is_wrong(result).any():
        notes.append("ringed: wrongly predicted")
    return " · ".join(notes)


def _points_of(result: EmbeddingResult | EmbeddingDifference) -> EmbeddingResult:
    """The points; for a difference, the ends of its arrows."""
    return result.minuend if isinstance(result, EmbeddingDifference) else result


def _titles(result: EmbeddingResult | EmbeddingDifference) -> tuple[str, str]:
    if isinstance(result, EmbeddingDifference):
        return (
            f"Difference of {result.minuend.title} of {style.counted(len(result.examples))}",
            "arrows: from second to first",
        )
    return title_of(result), _key(result)


def _panel_title(result: EmbeddingResult | EmbeddingDifference, column: int) -> str:
    if isinstance(result, EmbeddingDifference):
        suffix = f" · mean distance {result.distances[:, column].mean():.2f} of the spread"
    else:
        agreement = result.measures.get("knn_agreement")
        suffix = "" if agreement is None else f" · neighbours agree {agreement[column]:.0%}"
    return fitted(result.layers[column], _PANEL - 0.3 - width_of(suffix, 9), 9) + suffix


def _axes(layout: FigureLayout, box: Box, components: int) -> Any:
    if components == 3:
        # Imported for its side effect: it registers the projection with matplotlib.
        import mpl_toolkits.mplot3d  # noqa: F401

        axes: Any = layout.axes(box, projection="3d")
    else:
        axes = layout.axes(box)
    _style(axes, components)
    return axes


def _style(axes: Any, components: int) -> None:
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


def _marks(
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
    _points(axes, _points_of(result), column, colours, size)


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
    # In the order of the inputs, not class by class, as the last class would hide the others.
    settings: dict[str, Any] = {"depthshade": False} if len(points) == 3 else {}
    axes.scatter(*points, c=colours.of_points(result), s=size, alpha=0.8, linewidths=0, **settings)
    wrong = is_wrong(result)
    if wrong.any():
        wrong_points = [axis[wrong] for axis in points]
        settings |= {"facecolors": "none", "edgecolors": style.INK}
        axes.scatter(
            *wrong_points, s=size * 1.8, linewidths=float(np.clip(size**0.5 / 6, 0.3, 0.7)), **settings
        )


def _legend(parent: Any, classes: ClassColours, most: int, **settings: Any) -> None:
    """Name at most `most` classes; if there are more, the last line states how many."""
    from matplotlib.lines import Line2D

    fits = len(classes.names) <= most
    count = len(classes.names) if fits else most - 1
    names = classes.names[:count]
    colours = classes.colours[:count]
    handles = [Line2D([], [], marker="o", linestyle="", color=colour) for colour in colours]
    if not fits:
        names = [*names, f"… {len(classes.names) - len(names)} more"]
        handles.append(Line2D([], [], linestyle=""))
    legend = parent.legend(handles, [" "] * len(names), frameon=False, labelcolor=style.INK, **settings)
    for text, name in zip(legend.get_texts(), names, strict=True):
        # Set afterwards, as a legend leaves out labels that start with an underscore.
        text.set(text=fitted(name, _NAME_WIDTH, settings["fontsize"]), parse_math=False)
