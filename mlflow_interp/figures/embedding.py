"""Embeddings: a panel of points for each layer, and a page to look into them."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mlflow_interp.core import UNKNOWN
from mlflow_interp.exceptions import OptionError
from mlflow_interp.figures import style
from mlflow_interp.figures.embedding_panels import embedding_panels
from mlflow_interp.figures.palette import UNKNOWN_COLOUR, class_colours
from mlflow_interp.figures.paper import Box, Paper, fitted, width_of
from mlflow_interp.sampling import stratified

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.figures.panels import Panels
    from mlflow_interp.methods.umap import EmbeddingResult

Legend = Literal["shared", "each", "off"]

MOST_POINTS = 20_000  # on a page, which stays smooth up to there
MOST_IN_LEGEND = 30
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
    classes = _Classes.of([result])
    aside = _LEGEND if legend == "shared" and len(classes.names) > 1 else 0
    paper, boxes = _panels(len(result.layers), aside)
    paper.title(_title(result), _key(result))
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


def _panels(count: int, aside: float) -> tuple[Paper, list[Box]]:
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
    return Paper.of(columns * _PANEL + aside, rows * _PANEL + _HEAD), boxes


def _title(result: EmbeddingResult) -> str:
    return f"UMAP of {len(result.examples):,} inputs"


def _key(result: EmbeddingResult) -> str:
    """What marks and places mean where that is not plain to see."""
    said = []
    if result.embeddings.shape[2] == 1:
        said.append("one component, left to right; each class has a row")
    if _wrong(result).any():
        said.append("ringed: wrongly predicted")
    return " · ".join(said)


def _panel_title(result: EmbeddingResult, place: int) -> str:
    agreement = result.measures.get("knn_agreement")
    said = "" if agreement is None else f" · neighbours agree {agreement[place]:.0%}"
    return fitted(result.layers[place], _PANEL - 0.3 - width_of(said, 9), 9) + said


class _Classes:
    """The classes that points may have: their indices as they stand in labels, names and colours."""

    def __init__(self, indices: Sequence[int], names: Sequence[str]) -> None:
        self.indices, self.names = list(indices), list(names)
        known = [index for index in indices if index != UNKNOWN]
        colours = dict(zip(known, class_colours(len(known)), strict=True))
        self.colours = [colours.get(index, UNKNOWN_COLOUR) for index in indices]

    @classmethod
    def of(cls, results: Sequence[EmbeddingResult]) -> _Classes:
        """Those that occur, and where few are known by name all of them: so a class keeps its colour."""
        present = {int(label) for result in results for label in np.unique(result.examples.labels)}
        examples, names = results[0].examples, results[0].examples.class_names or ()
        few = range(len(names)) if len(names) <= MOST_IN_LEGEND else ()
        indices = sorted(present.union(few) - {UNKNOWN}) + [UNKNOWN] * (UNKNOWN in present)
        titles = ["no label" if index == UNKNOWN else examples.class_name(index) for index in indices]
        return cls(indices, titles)


def _axes(paper: Paper, box: Box, components: int) -> Any:
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


def _points(axes: Any, result: EmbeddingResult, place: int, classes: _Classes, size: float) -> None:
    places = _coordinates(result, place)
    labels, wrong = result.examples.labels, _wrong(result)
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


def _coordinates(result: EmbeddingResult, place: int) -> list[np.ndarray]:
    """Axes to draw: one component is spread out over the classes, which are rows then."""
    points = result.embeddings[:, place].T
    if len(points) > 1:
        return list(points)
    labels = result.examples.labels
    jitter = np.random.default_rng(0).uniform(-0.35, 0.35, len(labels))
    return [points[0], -np.unique(labels, return_inverse=True)[1] + jitter]


def _wrong(result: EmbeddingResult) -> np.ndarray:
    """(n,) bool, whether the model predicted another class than the label."""
    examples = result.examples
    return np.asarray((examples.labels != UNKNOWN) & (examples.labels != examples.classes[:, 0]))


def _legend(owner: Any, classes: _Classes, most: int, **settings: Any) -> None:
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


def page(result: EmbeddingResult, *, legend: Legend = "shared", point_size: float | None = None) -> str:
    """A page that opens offline: pan, zoom, filter by class, hover to see the input behind a point."""
    return page_over({0: result}, legend=legend, point_size=point_size)


def page_over(
    results: Mapping[int, EmbeddingResult], *, legend: Legend = "shared", point_size: float | None = None
) -> str:
    """The page of several steps, such as epochs, of the same inputs, with a slider over them."""
    first = next(iter(results.values()))
    shown = stratified(first.examples.labels, MOST_POINTS, seed=0)
    classes = _Classes.of(list(results.values()))
    return style.render(
        "embedding.html",
        "embedding.js",
        plotly=True,
        title=_title(first),
        layers=first.layers,
        steps=list(results),
        labelled=bool((first.examples.labels != UNKNOWN).any()),
        more=len(first.examples) - len(shown),
        data={
            "layers": list(first.layers),
            "components": int(first.embeddings.shape[2]),
            "size": point_size,
            "legend": legend != "off",
            "classes": [
                {"index": index, "name": name, "short": style.shorten(name, 28), "colour": colour}
                for index, name, colour in zip(classes.indices, classes.names, classes.colours, strict=True)
            ],
            "names": [first.examples.names[row] for row in shown],
            "indices": _packed(first.examples.indices[shown], np.int32),
            "labels": _packed(first.examples.labels[shown], np.int32),
            "predictedNames": _predicted_names(results),
            "sprite": _sprite(first.thumbnails, shown),
            "steps": [_step(step, result, shown) for step, result in results.items()],
        },
    )


def _packed(values: np.ndarray, kind: Any) -> str:
    """Numbers as base64 of little-endian bytes, a fifth of what JSON takes."""
    return base64.b64encode(np.ascontiguousarray(values, np.dtype(kind).newbyteorder("<")).tobytes()).decode()


def _predicted_names(results: Mapping[int, EmbeddingResult]) -> dict[str, str]:
    seen = {int(index) for result in results.values() for index in np.unique(result.examples.classes[:, 0])}
    name = next(iter(results.values())).examples.class_name
    return {str(index): name(index) for index in sorted(seen)}


def _step(step: int, result: EmbeddingResult, shown: np.ndarray) -> dict[str, Any]:
    """What changes from step to step: where points are, what is predicted, the measures."""
    return {
        "step": step,
        "points": [
            _packed(result.embeddings[shown, place], np.float32) for place in range(len(result.layers))
        ],
        "predicted": _packed(result.examples.classes[shown, 0], np.int32),
        "probabilities": _packed(result.examples.probabilities[shown, 0], np.float32),
        "measures": [
            {name: round(float(values[place]), 3) for name, values in result.measures.items()}
            for place in range(len(result.layers))
        ],
    }


def _sprite(thumbnails: np.ndarray | None, shown: np.ndarray) -> dict[str, Any] | None:
    """All thumbnails in one picture, which a browser decodes once."""
    if thumbnails is None:
        return None
    side, columns = thumbnails.shape[1], math.ceil(math.sqrt(len(shown)))
    rows = math.ceil(len(shown) / columns)
    sheet = np.zeros((rows * columns, side, side, 3), np.uint8)
    sheet[: len(shown)] = thumbnails[shown]
    pixels = (
        sheet.reshape(rows, columns, side, side, 3).swapaxes(1, 2).reshape(rows * side, columns * side, 3)
    )
    return {
        "source": style.data_uri(pixels, most=max(pixels.shape), quality=70),
        "side": side,
        "columns": columns,
    }


def panels(result: EmbeddingResult, *, legend: Legend = "shared", point_size: float | None = None) -> Panels:
    """Where inputs lie at each layer, of three components as seen along the third."""
    classes = _Classes.of([result])
    colours = dict(zip(classes.indices, classes.colours, strict=True)) | {UNKNOWN: UNKNOWN_COLOUR}
    places = [np.stack(_coordinates(result, at)[:2], axis=1) for at in range(len(result.layers))]
    return embedding_panels(result, places, colours)
