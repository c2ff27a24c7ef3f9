"""The figure of an embedding: a panel of points for each layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from mlflow_interp.core.accepted import Range
from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.drawing import style
from mlflow_interp.drawing.captions import caption, names_of
from mlflow_interp.drawing.fonts import use_fonts
from mlflow_interp.drawing.layout import MARGIN, SMALL_SIZE, WIDTH, Box, FigureLayout, fitted, width_of
from mlflow_interp.drawing.panels import find_panel
from mlflow_interp.exceptions import OptionError
from mlflow_interp.kinds.embedding.cluster_names import MOST_NAMED, write_cluster_names
from mlflow_interp.kinds.embedding.difference import EmbeddingDifference
from mlflow_interp.kinds.embedding.marks import draw_marks, points_of, style_axes
from mlflow_interp.kinds.embedding.points import (
    MOST_IN_LEGEND,
    VALUE_COLORMAP,
    ClassColours,
    ValueColours,
    is_wrong,
    point_colours,
    title_of,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.kinds.embedding.result import EmbeddingResult

Legend = Literal["shared", "each", "off"]
PointSize = Annotated[float | None, Range(above=0)]
_LARGEST_PANEL = 5.2  # inches
_BAR_WIDTH = 0.9  # of a colour bar with its numbers
_NAME_WIDTH = 1.3  # of a class in the legend, with its marker
_TITLE_HEIGHT = 0.6
_PANEL_TITLE = 0.4
_LINE_HEIGHT = 0.17  # of the legend
_LEGEND_SIZE = 7.5  # points
_PANEL_LEGEND_SIZE = style.SMALLEST_TEXT


def draw(
    result: EmbeddingResult | EmbeddingDifference,
    *,
    legend: Legend = "shared",
    point_size: PointSize = None,
) -> Figure:
    """Draw a panel for each layer, with points coloured by label; rings mark wrong predictions.

    Up to 20 classes are named at the median of their points. With more than ten classes, markers differ too.
    For a regression, colours show the label, or the predicted value if there are no labels. For a difference,
    an arrow leads from each point of the second embedding to that of the first.

    Args:
        result: Points of any number of inputs and layers, with 1, 2 or 3 components, or a difference.
        legend: One legend for all panels (shared), one in each, or off.
        point_size: Area of a point in square points. By default, the more points, the smaller.
    """
    points = points_of(result)
    colours = point_colours([points])
    layout, boxes = _panels(result, colours, legend)
    layout.title(*_titles(result))
    side = boxes[0][2]
    for column, box in enumerate(boxes):
        axes = _axes(layout, box, points.embeddings.shape[2])
        draw_marks(axes, result, column, colours, _size(points, point_size, side))
        axes.set_title(_panel_title(result, column, side), **_TITLE_STYLE)
        _name_clusters(axes, points, column, colours)
        if legend == "each" and isinstance(colours, ClassColours):
            _legend(axes, colours, _most_in_panel(side), loc="best", fontsize=_PANEL_LEGEND_SIZE)
    if isinstance(colours, ValueColours) and legend != "off":
        bar = (layout.width - _BAR_WIDTH + 0.1, boxes[0][1], 0.14, side)
        layout.colour_bar(bar, _mappable(colours), fitted(colours.title, side, SMALL_SIZE))
    elif isinstance(colours, ClassColours) and _has_legend(colours, legend):
        corner = layout.place(MARGIN - 0.08, boxes[-1][1] + side + 0.06)
        _legend(
            layout.figure, colours, MOST_IN_LEGEND, ncols=_legend_columns(layout.width, colours),
            loc="upper left", bbox_to_anchor=corner, fontsize=_LEGEND_SIZE,
        )  # fmt: skip
    return layout.finished(names_of(result.examples))


_TITLE_SIZE = 8.5
_TITLE_STYLE: dict[str, Any] = {
    "size": _TITLE_SIZE,
    "color": style.FAINT,
    "parse_math": False,
    "linespacing": 1.1,
}


def _has_legend(colours: ClassColours | ValueColours, legend: str) -> bool:
    """Whether there is one legend below all panels."""
    return isinstance(colours, ClassColours) and legend == "shared" and len(colours.names) > 1


def _most_in_panel(side: float) -> int:
    """The number of lines of a legend in axes of this side in inches."""
    return max(2, min(MOST_IN_LEGEND, int(side / (1.5 * _PANEL_LEGEND_SIZE / 72))))


def _legend_columns(width: float, colours: ClassColours) -> int:
    return max(1, min(int((width - MARGIN) / _NAME_WIDTH), len(colours.names)))


def _name_clusters(
    axes: Any, points: EmbeddingResult, column: int, colours: ClassColours | ValueColours
) -> None:
    """Write the names of up to 20 classes at their points, in two dimensions."""
    if isinstance(colours, ValueColours) or points.embeddings.shape[2] != 2:
        return
    classes = {
        index: name for index, name in zip(colours.indices, colours.names, strict=True) if index != UNKNOWN
    }
    if 1 < len(classes) <= MOST_NAMED:
        write_cluster_names(axes, points.embeddings[:, column], points.examples.labels, classes)


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
    points = points_of(result)
    components = points.embeddings.shape[2]
    if components == 3 and not hasattr(axes, "set_zlim"):
        raise OptionError("three components need axes with projection='3d'")
    colours = point_colours([points])
    style_axes(axes, components)
    side = min(axes.get_window_extent().size) / axes.figure.dpi
    draw_marks(axes, result, column, colours, _size(points, point_size, side))
    axes.set_title(_panel_title(result, column, side), **_TITLE_STYLE)
    _name_clusters(axes, points, column, colours)
    if isinstance(colours, ValueColours) and legend != "off":
        axes.figure.colorbar(_mappable(colours), ax=axes, label=colours.title)
    elif isinstance(colours, ClassColours) and legend != "off" and len(colours.names) > 1:
        _legend(axes, colours, _most_in_panel(side), loc="best", fontsize=_PANEL_LEGEND_SIZE)
    use_fonts(axes, names_of(result.examples))


def _size(result: EmbeddingResult, point_size: float | None, side: float) -> float:
    """The area of a point in square points, in axes of this side in inches."""
    return point_size or float(np.clip(9000 / len(result.examples) * (side / 4.3) ** 2, 1.5, 36))


def _panels(
    result: EmbeddingResult | EmbeddingDifference, colours: ClassColours | ValueColours, legend: str
) -> tuple[FigureLayout, list[Box]]:
    """An empty figure, and the boxes of its panels."""
    count = len(result.layers)
    columns = count if count <= 3 else 2 if count == 4 else 3
    rows = math.ceil(count / columns)
    beside = _BAR_WIDTH if isinstance(colours, ValueColours) and legend != "off" else 0
    side = min(_LARGEST_PANEL, (WIDTH - beside - 2 * MARGIN + 0.1) / columns - 0.1)
    boxes = [
        (
            MARGIN + index % columns * (side + 0.1),
            _TITLE_HEIGHT + _PANEL_TITLE + index // columns * (side + _PANEL_TITLE + 0.05),
            side,
            side,
        )
        for index in range(count)
    ]
    width = columns * (side + 0.1) - 0.1 + 2 * MARGIN + beside
    bottom = _TITLE_HEIGHT + rows * (side + _PANEL_TITLE + 0.05) + 0.08
    if isinstance(colours, ClassColours) and _has_legend(colours, legend):
        lines = math.ceil(min(len(colours.names), MOST_IN_LEGEND) / _legend_columns(width, colours))
        bottom += lines * _LINE_HEIGHT + 0.12
    return FigureLayout.of(width, bottom, caption(_meaning(result, colours), result)), boxes


def _meaning(result: EmbeddingResult | EmbeddingDifference, colours: ClassColours | ValueColours) -> str:
    """What is drawn, in a sentence or two."""
    layers = f"the activations at {', '.join(result.layers)}"
    if isinstance(result, EmbeddingDifference):
        return (
            f"Difference of embeddings of {layers}: an arrow leads from the point of each input in the "
            "second to that in the first, which is aligned with the second."
        )
    coloured = colours.title if isinstance(colours, ValueColours) else "label"
    labelled = isinstance(colours, ValueColours) or len(colours.names) > 1
    by = f", coloured by {coloured}" if labelled else ""
    return (
        f"{result.title} of {layers}. A point is an input{by}; inputs that the layer represents alike lie "
        "close together."
    )


def _key(result: EmbeddingResult) -> str:
    """The meaning of marks and positions if it is not obvious."""
    notes = []
    if result.embeddings.shape[2] == 1:
        rows = "; each class has a row" if result.examples.has_classes else ""
        notes.append(f"one component, left to right{rows}")
    if is_wrong(result).any():
        notes.append("ringed: wrongly predicted")
    return " · ".join(notes)


def _titles(result: EmbeddingResult | EmbeddingDifference) -> tuple[str, str]:
    if isinstance(result, EmbeddingDifference):
        return (
            f"Difference of {result.minuend.title} of {style.counted(len(result.examples))}",
            "arrows: from second to first",
        )
    return title_of(result), _key(result)


def _panel_title(result: EmbeddingResult | EmbeddingDifference, column: int, side: float) -> str:
    """The layer and a measure of its embedding, on a line each where axes of this side in inches need it."""
    if isinstance(result, EmbeddingDifference):
        measure = f"mean distance {result.distances[:, column].mean():.2f} of the spread"
    else:
        agreement = result.measures.get("knn_agreement")
        measure = "" if agreement is None else f"neighbours agree {agreement[column]:.0%}"
    size = _TITLE_SIZE
    layer = style.shorten(result.layers[column], len(result.layers[column]))
    line = " · ".join(filter(None, (layer, measure)))
    if width_of(line, size) <= side:
        return line
    return "\n".join(fitted(part, side, size) for part in (layer, measure) if part)


def _axes(layout: FigureLayout, box: Box, components: int) -> Any:
    if components == 3:
        # Imported for its side effect: it registers the projection with matplotlib.
        import mpl_toolkits.mplot3d  # noqa: F401

        axes: Any = layout.axes(box, projection="3d")
    else:
        axes = layout.axes(box)
    style_axes(axes, components)
    return axes


def _legend(parent: Any, classes: ClassColours, most: int, **settings: Any) -> None:
    """Name at most `most` classes; if there are more, the last line states how many."""
    from matplotlib.lines import Line2D

    fits = len(classes.names) <= most
    count = len(classes.names) if fits else most - 1
    names = classes.names[:count]
    handles = [
        Line2D([], [], marker=marker, linestyle="", color=colour, markersize=4.5)
        for marker, colour in zip(classes.markers[:count], classes.colours, strict=False)
    ]
    if not fits:
        names = [*names, f"… {len(classes.names) - len(names)} more"]
        handles.append(Line2D([], [], linestyle=""))
    legend = parent.legend(
        handles, [" "] * len(names), frameon=False, labelcolor=style.INK, handletextpad=0.1,
        columnspacing=0.6, labelspacing=0.35, **settings,
    )  # fmt: skip
    for text, name in zip(legend.get_texts(), names, strict=True):
        # Set afterwards, as a legend leaves out labels that start with an underscore.
        text.set(text=fitted(name, _NAME_WIDTH - 0.3, settings["fontsize"]), parse_math=False)
