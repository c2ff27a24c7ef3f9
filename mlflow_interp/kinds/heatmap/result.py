"""What Grad-CAM and its kin give: one heatmap an input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.core.examples import Examples, Explained


@dataclass(frozen=True, eq=False)
class HeatmapResult:
    """One heatmap an input.

    Attributes:
        explained: the inputs, what the model said about them, and the class explained.
        heatmaps: (n, height, width) float32 >= 0, at the resolution of the feature map, unscaled; of
            signals and texts (n, length), of volumes (n, depth, height, width).
        layer: path of the layer looked at.
    """

    explained: Explained
    heatmaps: np.ndarray
    layer: str

    @property
    def examples(self) -> Examples:
        """The inputs and what the model said about them."""
        return self.explained.examples

    @property
    def resolved(self) -> dict[str, Any]:
        """The layer that was looked at and the kind of head the scores were read from."""
        return {"layer": self.layer, "head": self.explained.head}

    def arrays(self) -> dict[str, np.ndarray]:
        """Heatmaps, targets and what the model said, by name."""
        return {"heatmaps": self.heatmaps} | self.explained.arrays()

    def metrics(self) -> dict[str, float]:
        """How sure the model is, how right, and how much of a picture its heat covers."""
        found, empty = focus(self.heatmaps), self._empty()
        metrics = self.explained.metrics() | {"empty_heatmaps": float(empty.sum())}
        return metrics if empty.all() else metrics | {"focus": float(found[~empty].mean())}

    def table(self) -> dict[str, list[Any]]:
        """A row an input."""
        return self.explained.table() | {"focus": focus(self.heatmaps).tolist()}

    def warnings(self) -> list[str]:
        """Names the inputs where nothing at this layer speaks for the target."""
        empty = [name for name, is_empty in zip(self.examples.names, self._empty(), strict=True) if is_empty]
        if not empty:
            return []
        named = ", ".join(empty[:3]) + (", …" if len(empty) > 3 else "")
        return [
            f"{len(empty)} of {len(self.heatmaps)} heatmaps are empty: nothing at layer {self.layer!r} "
            f"speaks for the target ({named}); try another layer or target"
        ]

    def _empty(self) -> np.ndarray:
        return np.asarray(self.heatmaps.reshape(len(self.heatmaps), -1).max(axis=1) <= 0)


def focus(heatmaps: np.ndarray) -> np.ndarray:
    """The smallest share of each map that holds half its heat: near 0 a spot, 0.5 everywhere alike.

    NaN where a map is empty.
    """
    flat = -np.sort(-heatmaps.reshape(len(heatmaps), -1), axis=1)
    total = flat.sum(axis=1)
    places = np.argmax(np.cumsum(flat, axis=1) >= total[:, np.newaxis] / 2, axis=1) + 1
    return np.where(total > 0, places / flat.shape[1], np.nan)
