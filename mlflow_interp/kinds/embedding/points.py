"""Where points are drawn, and in which colours."""

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
    """What figure and page are called."""
    return f"UMAP of {len(result.examples):,} inputs"


class ClassColours:
    """The classes that points may have: their indices as they stand in labels, names and colours."""

    def __init__(self, indices: Sequence[int], names: Sequence[str]) -> None:
        self.indices, self.names = list(indices), list(names)
        known = [index for index in indices if index != UNKNOWN]
        colours = dict(zip(known, class_colours(len(known)), strict=True))
        self.colours = [colours.get(index, UNKNOWN_COLOUR) for index in indices]

    @classmethod
    def of(cls, results: Sequence[EmbeddingResult]) -> ClassColours:
        """Those that occur, and where few are known by name all of them: so a class keeps its colour."""
        present = {int(label) for result in results for label in np.unique(result.examples.labels)}
        examples, names = results[0].examples, results[0].examples.class_names or ()
        few = range(len(names)) if len(names) <= MOST_IN_LEGEND else ()
        indices = sorted(present.union(few) - {UNKNOWN}) + [UNKNOWN] * (UNKNOWN in present)
        titles = ["no label" if index == UNKNOWN else examples.class_name(index) for index in indices]
        return cls(indices, titles)


def coordinates(result: EmbeddingResult, place: int) -> list[np.ndarray]:
    """Axes to draw: one component is spread out over the classes, which are rows then."""
    points = result.embeddings[:, place].T
    if len(points) > 1:
        return list(points)
    labels = result.examples.labels
    jitter = np.random.default_rng(0).uniform(-0.35, 0.35, len(labels))
    return [points[0], -np.unique(labels, return_inverse=True)[1] + jitter]


def is_wrong(result: EmbeddingResult) -> np.ndarray:
    """(n,) bool, whether the model predicted another class than the label."""
    examples = result.examples
    return np.asarray((examples.labels != UNKNOWN) & (examples.labels != examples.classes[:, 0]))
