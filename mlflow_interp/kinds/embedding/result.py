"""The result of UMAP: a point for each input and layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.examples import Examples

if TYPE_CHECKING:
    from mlflow_interp.kinds.embedding.difference import EmbeddingDifference


@dataclass(frozen=True, eq=False)
class EmbeddingResult:
    """A point for each input and layer.

    Attributes:
        examples: the inputs and their predictions.
        embeddings: (n, layers, components) float32.
        layers: the paths of the layers, in the order asked for.
        fitted: (n,) bool, false where a point was transformed afterwards.
        measures: by name, (layers,) float64: trustworthiness, knn_agreement, silhouette.
        thumbnails: (n, side, side, 3) uint8, or None where inputs aren't images.
        chosen: the values of options that the method chose.
        title: the name of the method in titles and captions.
        reduced: by layer, the number of features where pooling leaves few.
    """

    examples: Examples
    embeddings: np.ndarray
    layers: tuple[str, ...]
    fitted: np.ndarray
    measures: dict[str, np.ndarray]
    thumbnails: np.ndarray | None
    chosen: dict[str, Any]
    title: str = "UMAP"
    reduced: Mapping[str, int] = field(default_factory=dict)

    @property
    def resolved(self) -> dict[str, Any]:
        """The layers, and the numbers of neighbours and epochs."""
        return {"layers": ",".join(self.layers)} | self.chosen

    def arrays(self) -> dict[str, np.ndarray]:
        """Embeddings, which inputs were fitted, and predictions, by name."""
        return {"embeddings": self.embeddings, "fitted": self.fitted} | self.examples.arrays()

    def metrics(self) -> dict[str, float]:
        """Quality measures of the embedding: their means over the layers, and those of each layer."""
        metrics = {"inputs": float(len(self.examples))}
        known = self.examples.labels != UNKNOWN
        if known.any():
            right = self.examples.classes[:, 0] == self.examples.labels
            metrics["accuracy"] = float(right[known].mean())
        for name, values in self.measures.items():
            metrics[name] = float(values.mean())
            if len(self.layers) > 1:
                metrics |= {
                    f"{name}/{layer}": float(value) for layer, value in zip(self.layers, values, strict=True)
                }
        return metrics

    def table(self) -> dict[str, list[Any]]:
        """One row per input: its name, label, prediction, and its point at each layer."""
        rows = self.examples.table()
        for column, layer in enumerate(self.layers):
            suffix = f" at {layer}" if len(self.layers) > 1 else ""
            for axis, values in zip("xyz", self.embeddings[:, column].T, strict=False):
                rows[axis + suffix] = values.tolist()
        return rows

    def warnings(self) -> list[str]:
        """Warnings about layers of which pooling leaves too little, or whose plot is unreliable."""
        few = [
            f"At layer {layer!r}, pooling leaves {count} number{'s' if count > 1 else ''} for each input, so "
            "the map shows little of what the layer represents. Use pooling='flatten' to keep all values"
            for layer, count in self.reduced.items()
        ]
        unreliable = [
            f"The layout of layer {layer!r} is unreliable (trustworthiness {value:.2f}): points close in the "
            "plot are often not neighbours in activation space. Try a larger n_neighbors or n_components=3"
            for layer, value in zip(self.layers, self.measures.get("trustworthiness", ()), strict=False)
            if value < 0.8
        ]
        return few + unreliable

    def difference(self, other: EmbeddingResult) -> EmbeddingDifference:
        """The distance of each input from its point in another embedding, after alignment.

        Raises:
            InputsError: the results do not match.
        """
        from mlflow_interp.kinds.embedding.difference import difference

        return difference(self, other)
