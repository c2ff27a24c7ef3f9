"""The positions and colours of points in figure and page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.drawing.palette import UNKNOWN_COLOUR, class_colours

if TYPE_CHECKING:
    from mlflow_interp.kinds.embedding.result import EmbeddingResult

MOST_IN_LEGEND = 30


def title_of(result: EmbeddingResult) -> str:
    """The title of figure and page."""
    return f"{result.title} of {len(result.examples):,} inputs"


class ClassColours:
    """The classes of points: their indices as in labels, their names and colours."""

    def __init__(self, indices: Sequence[int], names: Sequence[str]) -> None:
        self.indices = list(indices)
        self.names = list(names)
        known = [index for index in indices if index != UNKNOWN]
        colours = dict(zip(known, class_colours(len(known)), strict=True))
        self.colours = [colours.get(index, UNKNOWN_COLOUR) for index in indices]

    @classmethod
    def of(cls, results: Sequence[EmbeddingResult]) -> ClassColours:
        """The classes that occur; all named ones if they are few, so that colours do not change."""
        present = {int(label) for result in results for label in np.unique(result.examples.labels)}
        examples = results[0].examples
        names = examples.class_names or ()
        named = range(len(names)) if len(names) <= MOST_IN_LEGEND else ()
        indices = sorted(present.union(named) - {UNKNOWN}) + [UNKNOWN] * (UNKNOWN in present)
        titles = ["no label" if index == UNKNOWN else examples.class_name(index) for index in indices]
        return cls(indices, titles)


def coordinates(result: EmbeddingResult, column: int) -> list[np.ndarray]:
    """The coordinates of points at a layer; a single component gets a row for each class, with jitter."""
    points = result.embeddings[:, column].T
    if len(points) > 1:
        return list(points)
    labels = result.examples.labels
    jitter = np.random.default_rng(0).uniform(-0.35, 0.35, len(labels))
    return [points[0], -np.unique(labels, return_inverse=True)[1] + jitter]


def is_wrong(result: EmbeddingResult) -> np.ndarray:
    """(n,) bool, whether the model predicted another class than the label."""
    examples = result.examples
    return np.asarray((examples.labels != UNKNOWN) & (examples.labels != examples.classes[:, 0]))
