"""The difference of two embeddings: how far each input moves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlflow_interp.core.examples import Examples
from mlflow_interp.exceptions import InputsError
from mlflow_interp.kinds.difference import Difference, changes_by_layer
from mlflow_interp.kinds.embedding.alignment import moved_onto
from mlflow_interp.kinds.embedding.result import EmbeddingResult
from mlflow_interp.kinds.matching import examples_at, match


@dataclass(frozen=True, eq=False)
class EmbeddingDifference(Difference[EmbeddingResult]):
    """The distances between the points of two embeddings, for the inputs that both share.

    The position and orientation of an embedding are arbitrary: before points are subtracted, the first is
    aligned with the second by rotation, reflection, scaling and shift. `minuend` has the aligned points.
    """

    @property
    def examples(self) -> Examples:
        """The inputs, and the first model's predictions."""
        return self.minuend.examples

    @property
    def layers(self) -> tuple[str, ...]:
        """The paths of the layers of the first; those of the second are in `subtrahend.layers`."""
        return self.minuend.layers

    @property
    def displacements(self) -> np.ndarray:
        """(n, layers, components) float32, from an input's second point to its first."""
        return np.asarray(self.minuend.embeddings - self.subtrahend.embeddings)

    @property
    def distances(self) -> np.ndarray:
        """(n, layers) float32, the lengths of displacements relative to the second's spread.

        The spread is the root mean square distance of points from their centre.
        """
        before = self.subtrahend.embeddings
        spread = np.sqrt(((before - before.mean(axis=0)) ** 2).sum(axis=2).mean(axis=0))
        return np.asarray(np.linalg.norm(self.displacements, axis=2) / np.where(spread > 0, spread, 1))

    @property
    def resolved(self) -> dict[str, Any]:
        """The layers."""
        return {"layers": ",".join(self.layers)}

    def arrays(self) -> dict[str, np.ndarray]:
        """Displacements, their starting points, and predictions, by name."""
        arrays = {"displacements": self.displacements, "embeddings": self.subtrahend.embeddings}
        return arrays | self.examples.arrays()

    def metrics(self) -> dict[str, float]:
        """The number of inputs, the mean distance, and the differences of metrics."""
        metrics = super().metrics() | {"distance": float(self.distances.mean())}
        if len(self.layers) > 1:
            means = zip(self.layers, self.distances.mean(axis=0).tolist(), strict=True)
            metrics |= {f"distance/{layer}": mean for layer, mean in means}
        return metrics

    def table(self) -> dict[str, list[Any]]:
        """A row for each input: predictions of both, and its displacement at each layer."""
        others = self.subtrahend.examples
        return changes_by_layer(self.examples, others, "distance", self.layers, self.distances)


def difference(minuend: EmbeddingResult, subtrahend: EmbeddingResult) -> EmbeddingDifference:
    """Points minus points, input by input, after aligning the first with the second.

    Raises:
        InputsError: no input in common, or different numbers of layers or components.
    """
    if minuend.embeddings.shape[1:] != subtrahend.embeddings.shape[1:]:
        layers, components = zip(minuend.embeddings.shape[1:], subtrahend.embeddings.shape[1:], strict=True)
        raise InputsError(
            f"embeddings with {layers[0]} layers and {components[0]} components and with {layers[1]} and "
            f"{components[1]} can't be subtracted; use the same numbers for both"
        )
    matching = match(minuend.examples, subtrahend.examples)
    second = _at(subtrahend, matching.other_rows)
    first = _at(minuend, matching.rows)
    columns = range(first.embeddings.shape[1])
    moved = [moved_onto(second.embeddings[:, column], first.embeddings[:, column]) for column in columns]
    return EmbeddingDifference(
        minuend=replace(first, embeddings=np.stack(moved, axis=1)), subtrahend=second, matching=matching
    )


def _at(result: EmbeddingResult, rows: np.ndarray) -> EmbeddingResult:
    return replace(
        result,
        examples=examples_at(result.examples, rows),
        embeddings=result.embeddings[rows],
        fitted=result.fitted[rows],
        thumbnails=None if result.thumbnails is None else result.thumbnails[rows],
    )
