"""The figure of an embedding: a panel of points for each layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.layout import Box, FigureLayout, fitted, width_of
from mlflow_interp.exceptions import OptionError
from mlflow_interp.kinds.embedding.points import MOST_IN_LEGEND, ClassColours, coordinates, is_wrong, title_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.kinds.embedding.result import EmbeddingResult

Legend = Literal["shared", "each", "off"]
_PANEL, _LEGEND, _NAME, _HEAD, _LINE = 4.6, 2.0, 1.5, 0.6, 0.175  # inches


def draw(result: EmbeddingResult, *, legend: Legend = "shared", point_size: float | None = None) -> Figure:
    """Draw a panel for each layer, points coloured by label; wrongly predicted ones are ringed.

    Args:
        result: Points of any number of inputs and layers, with 1, 2 or 3 components.
        legend: One that all panels share, one in each, or off.
        point_size: The area of a point in square points. By default smaller the more there are.

    Raises:
        OptionError: no such legend, or a size out of range.
    """
    if legend not in ("shared", "each", "off"):
        raise OptionError(f"no legend {legend!r}; there are: shared, each, off")
    if point_size is not None and not point_size > 0:
        raise OptionError(f"point_size is {point_size}; give a number above 0")
    classes = ClassColours.of([result])
    aside = _LEGEND if legend == "shared" and len(classes.names) > 1 else 0
    paper, boxes = _panels(len(result.layers), aside)
    paper.title(title_of(result), _key(result))
    size = point_size or float(np.clip(9000 / len(result.examples), 1.5, 36))
    for place, box in enumerate(boxes):
        axes = _axes(paper, box, result.embeddings.shape[2])
        _points(axes, result, place, classes, size)
        axes.set_title(_panel_title(result, place), size=9, color=style.FAINT, parse_math=False)
        if legend == "each":
            _legend(axes, classes, MOST_IN_LEGEND, loc="best", fontsize=6)
    if aside:
        corner = paper.place(paper.width - _LEGEND, 0.62)
        room = min(MOST_IN_LEGEND, int((paper.height - 0.9) / _LINE))
        _legend(paper.figure, classes, room, loc="upper left", fontsize=8, bbox_to_anchor=corner)
    return paper.figure


def _panels(count: int, aside: float) -> tuple[FigureLayout, list[Box]]:
    """Empty paper, and where its panels are."""
    columns = count if count <= 3 else 2 if count == 4 else 3
    rows = math.ceil(count / columns)
    boxes = [
        (
            place % columns * _PANEL + 0.15,
            _HEAD + place // columns * _PANEL + 0.4,
            _PANEL - 0.3,
            _PANEL - 0.55,
        )
        for place in range(count)
    ]
    return FigureLayout.of(columns * _PANEL + aside, rows * _PANEL + _HEAD), boxes


def _key(result: EmbeddingResult) -> str:
    """What marks and places mean where that is not plain to see."""
    said = []
    if result.embeddings.shape[2] == 1:
        said.append("one component, left to right; each class has a row")
    if is_wrong(result).any():
        said.append("ringed: wrongly predicted")
    return " · ".join(said)


def _panel_title(result: EmbeddingResult, place: int) -> str:
    agreement = result.measures.get("knn_agreement")
    said = "" if agreement is None else f" · neighbours agree {agreement[place]:.0%}"
    return fitted(result.layers[place], _PANEL - 0.3 - width_of(said, 9), 9) + said


def _axes(paper: FigureLayout, box: Box, components: int) -> Any:
    if components == 3:
        # Imported for its effect: it teaches matplotlib the projection.
        import mpl_toolkits.mplot3d  # noqa: F401

        axes: Any = paper.axes(box, projection="3d")
        frame = [axis.line for axis in (axes.xaxis, axes.yaxis, axes.zaxis)]
        axes.set_zticks([])
    else:
        axes = paper.axes(box)
        frame = list(axes.spines.values())
    axes.set_xticks([])
    axes.set_yticks([])
    for line in frame:
        line.set_color("#d8dee4")
    if components > 1:
        # A length means the same in every direction.
        axes.set_aspect("equal", adjustable="datalim")
    return axes


def _points(axes: Any, result: EmbeddingResult, place: int, classes: ClassColours, size: float) -> None:
    places = coordinates(result, place)
    labels, wrong = result.examples.labels, is_wrong(result)
    # In the inputs' order, not class by class: the last class would hide the others.
    lookup = dict(zip(classes.indices, classes.colours, strict=True))
    colours = np.array([lookup[label] for label in labels.tolist()])
    solid = {"depthshade": False} if len(places) == 3 else {}
    axes.scatter(*places, c=colours, s=size, alpha=0.8, linewidths=0, **solid)
    if wrong.any():
        ringed, width = [axis[wrong] for axis in places], float(np.clip(size**0.5 / 6, 0.3, 0.7))
        axes.scatter(
            *ringed, facecolors="none", edgecolors=style.INK, s=size * 1.8, linewidths=width, **solid
        )


def _legend(owner: Any, classes: ClassColours, most: int, **settings: Any) -> None:
    """Name at most so many classes, the last line saying how many more there are."""
    from matplotlib.lines import Line2D

    fits = len(classes.names) <= most
    shown = slice(None) if fits else slice(most - 1)
    names, colours = classes.names[shown], classes.colours[shown]
    handles = [Line2D([], [], marker="o", linestyle="", color=colour) for colour in colours]
    if not fits:
        names = [*names, f"… {len(classes.names) - len(names)} more"]
        handles.append(Line2D([], [], linestyle=""))
    legend = owner.legend(handles, [" "] * len(names), frameon=False, labelcolor=style.INK, **settings)
    for text, name in zip(legend.get_texts(), names, strict=True):
        # Set afterwards, as a legend leaves out labels that start with an underscore.
        text.set(text=fitted(name, _NAME, settings["fontsize"]), parse_math=False)
