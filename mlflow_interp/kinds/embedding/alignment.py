"""Comparable embeddings: each starts from an earlier one, and is aligned with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlflow_interp.core.batch import Batch
from mlflow_interp.exceptions import OptionError


@dataclass(frozen=True, eq=False)
class Earlier:
    """An earlier embedding.

    Attributes:
        embeddings: (m, layers, components) float32.
        indices: (m,) int64, the positions of its inputs.
    """

    embeddings: np.ndarray
    indices: np.ndarray

    def start(self, column: int, layers: int, indices: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(n, components) the earlier point of each input; a new input starts at its nearest known neighbour.

        Args:
            column: the index of the layer.
            layers: the number of layers of the new embedding.
            indices: (n,) the positions of its inputs.
            rows: (n, features) their activations.

        Raises:
            OptionError: a different number of layers, or no input in common.
        """
        if self.embeddings.shape[1] != layers:
            raise OptionError(
                f"align has {self.embeddings.shape[1]} layers, but layers= selects {layers}; use as many"
            )
        earlier_rows = {index: row for row, index in enumerate(self.indices.tolist())}
        earlier_row = np.array([earlier_rows.get(index, -1) for index in indices.tolist()])
        known = np.flatnonzero(earlier_row >= 0)
        if not len(known):
            raise OptionError("align has no input in common with these; give an embedding of the same inputs")
        points = np.zeros((len(indices), self.embeddings.shape[2]), np.float32)
        points[known] = self.embeddings[earlier_row[known], column]
        new = np.flatnonzero(earlier_row < 0)
        if len(new):
            points[new] = points[known[_nearest(rows[known], rows[new])]]
        return points


def _nearest(rows: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """The index of the nearest row to each query."""
    from sklearn.neighbors import NearestNeighbors

    finder = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(rows)
    return np.asarray(finder.kneighbors(queries, return_distance=False))[:, 0]


def read_earlier(align: str | Path | np.ndarray | None, batch: Batch, components: int) -> Earlier | None:
    """The embedding that the option `align` names.

    Raises:
        OptionError: no embedding there, or one with a different number of components.
    """
    if align is None:
        return None
    arrays = _read_arrays(align, batch)
    embeddings = np.asarray(arrays["embeddings"], np.float32)
    if embeddings.ndim == 2:
        embeddings = embeddings[:, np.newaxis]
    if embeddings.ndim != 3 or embeddings.shape[2] != components or not np.isfinite(embeddings).all():
        raise OptionError(
            f"align is an embedding of shape {embeddings.shape}, but finite numbers of shape (inputs, "
            f"{components}) or (inputs, layers, {components}) are needed; use its n_components"
        )
    return Earlier(embeddings, np.asarray(arrays.get("indices", np.arange(len(embeddings)))))


def _read_arrays(align: Any, batch: Batch) -> dict[str, np.ndarray]:
    if not isinstance(align, (str, Path)):
        return {"embeddings": np.asarray(align)}
    if batch.read_arrays is None:
        raise OptionError("align is a path, which this batch can't read; give an array")
    arrays = batch.read_arrays(str(align))
    if "embeddings" not in arrays:
        raise OptionError(f"{str(align)!r} has no embedding; give the folder of an earlier UMAP")
    return arrays


def moved_onto(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """An embedding rotated, mirrored, scaled and shifted to be closest to its earlier points.

    Procrustes analysis (Schönemann 1966). umap-learn itself stretches its initial points to a box.

    Args:
        before: (n, components) the earlier points.
        after: (n, components) the points to align.
    """
    from scipy.linalg import orthogonal_procrustes

    centre_before = before.mean(axis=0)
    centre_after = after.mean(axis=0)
    rotation, scale = orthogonal_procrustes(after - centre_after, before - centre_before)
    squares = float(((after - centre_after) ** 2).sum())
    moved = (after - centre_after) @ rotation * (scale / squares if squares else 1.0) + centre_before
    return np.asarray(moved, np.float32)
