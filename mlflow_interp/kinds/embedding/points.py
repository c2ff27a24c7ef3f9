"""The positions and colours of points in figure and page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.regression import value_name
from mlflow_interp.drawing.palette import MARKERS, UNKNOWN_COLOUR, class_colours, class_markers
from mlflow_interp.drawing.style import counted, find_colormap

if TYPE_CHECKING:
    from mlflow_interp.core.examples import Examples
    from mlflow_interp.kinds.embedding.result import EmbeddingResult

MOST_IN_LEGEND = 30
VALUE_COLORMAP = "viridis"  # of continuous values: from dark to light, also for colour-blind people


def title_of(result: EmbeddingResult) -> str:
    """The title of figure and page."""
    return f"{result.title} of {counted(len(result.examples))}"


@dataclass(frozen=True, eq=False)
class ValueColours:
    """The colours of points by a number, on a continuous scale, for a regression.

    Attributes:
        title: what colours show: the label, or the predicted value if there are no labels.
        low: the lowest value of all points, which has the first colour.
        high: the highest value.
        by_label: whether colours show labels.
    """

    title: str
    low: float
    high: float
    by_label: bool

    @classmethod
    def of(cls, results: Sequence[EmbeddingResult]) -> ValueColours:
        """The scale of several results: of labels if all results have labels."""
        by_label = all(_has_labels(result.examples) for result in results)
        numbers = np.concatenate([_numbers(result.examples, by_label=by_label) for result in results])
        numbers = numbers[np.isfinite(numbers)]
        examples = results[0].examples
        name = value_name(examples, 0)
        if by_label:
            title = "label" if name == "value" else f"label of {name}"
        else:
            title = f"predicted {name}" if name == "value" else f"predicted value of {name}"
        return cls(title, float(numbers.min()), float(numbers.max()), by_label)

    def numbers(self, result: EmbeddingResult) -> np.ndarray:
        """(n,) float64 the number that colours each point, NaN if it has none."""
        return _numbers(result.examples, by_label=self.by_label)

    def of_points(self, result: EmbeddingResult) -> np.ndarray:
        """(n, 4) float, the colour of each point."""
        from matplotlib.colors import to_rgba

        numbers = self.numbers(result)
        shares = (numbers - self.low) / ((self.high - self.low) or 1)
        colours = find_colormap(VALUE_COLORMAP)(np.nan_to_num(shares))
        colours[np.isnan(numbers)] = to_rgba(UNKNOWN_COLOUR)
        return np.asarray(colours)


def _has_labels(examples: Examples) -> bool:
    return examples.true_values is not None and bool(np.isfinite(examples.true_values[:, 0]).any())


def _numbers(examples: Examples, *, by_label: bool) -> np.ndarray:
    """The label or the predicted value of each input; for several outputs, of the first one."""
    labels = examples.true_values
    numbers = labels if by_label and labels is not None else examples.probabilities
    return np.asarray(numbers[:, 0], np.float64)


class ClassColours:
    """The classes of points: their indices as in labels, their names, colours and markers."""

    def __init__(self, indices: Sequence[int], names: Sequence[str]) -> None:
        self.indices = list(indices)
        self.names = list(names)
        known = [index for index in indices if index != UNKNOWN]
        colours = dict(zip(known, class_colours(len(known)), strict=True))
        self.colours = [colours.get(index, UNKNOWN_COLOUR) for index in indices]
        markers = dict(zip(known, class_markers(len(known)), strict=True))
        self.markers = [markers.get(index, MARKERS[0]) for index in indices]

    def markers_of(self, result: EmbeddingResult) -> np.ndarray:
        """(n,) the marker of each point; a figure needs them if there are more classes than colours."""
        marker_of = dict(zip(self.indices, self.markers, strict=True))
        return np.array([marker_of[label] for label in result.examples.labels.tolist()])

    def of_points(self, result: EmbeddingResult) -> np.ndarray:
        """(n,) the colour of each point."""
        colour_of = dict(zip(self.indices, self.colours, strict=True))
        return np.array([colour_of[label] for label in result.examples.labels.tolist()])

    @classmethod
    def of(cls, results: Sequence[EmbeddingResult]) -> ClassColours:
        """The classes that occur; all named classes if they are few, so that colours do not change."""
        present = {int(label) for result in results for label in np.unique(result.examples.labels)}
        examples = results[0].examples
        names = examples.class_names or ()
        named = range(len(names)) if len(names) <= MOST_IN_LEGEND else ()
        indices = sorted(present.union(named) - {UNKNOWN}) + [UNKNOWN] * (UNKNOWN in present)
        titles = ["no label" if index == UNKNOWN else examples.class_name(index) for index in indices]
        return cls(indices, titles)


def point_colours(results: Sequence[EmbeddingResult]) -> ClassColours | ValueColours:
    """The colours of points: by their classes or, for a regression, by a number."""
    return ClassColours.of(results) if results[0].examples.has_classes else ValueColours.of(results)


def coordinates(result: EmbeddingResult, column: int) -> list[np.ndarray]:
    """The coordinates of points at a layer; a single component gets a row for each class, with jitter."""
    points = result.embeddings[:, column].T
    if len(points) > 1:
        return list(points)
    labels = result.examples.labels
    jitter = np.random.default_rng(0).uniform(-0.35, 0.35, len(labels))
    return [points[0], -np.unique(labels, return_inverse=True)[1] + jitter]


def is_wrong(result: EmbeddingResult) -> np.ndarray:
    """(n,) bool, whether the predicted class differs from the label."""
    examples = result.examples
    return np.asarray((examples.labels != UNKNOWN) & (examples.labels != examples.classes[:, 0]))
