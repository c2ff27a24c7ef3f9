"""Embeddings that can be compared: each starts where an earlier one ended, and is moved onto it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlflow_interp.core.batch import Batch
from mlflow_interp.exceptions import OptionError


@dataclass(frozen=True, eq=False)
class Earlier:
    """An embedding made before.

    Attributes:
        embeddings: (m, layers, components) float32.
        indices: (m,) int64, the inputs' positions then.
    """

    embeddings: np.ndarray
    indices: np.ndarray

    def start(self, column: int, layers: int, indices: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(n, components) where each input was; one that wasn't there starts at its nearest that was.

        Args:
            column: which of the layers.
            layers: how many layers there are now.
            indices: (n,) positions of the inputs now.
            rows: (n, features) their activations.

        Raises:
            OptionError: another number of layers, or no input in common.
        """
        if self.embeddings.shape[1] != layers:
            raise OptionError(
                f"align has {self.embeddings.shape[1]} layers, and {layers} are asked for; ask for the same"
            )
        place = {index: at for at, index in enumerate(self.indices.tolist())}
        known = np.array([place.get(index, -1) for index in indices.tolist()])
        there = np.flatnonzero(known >= 0)
        if not len(there):
            raise OptionError("align has no input in common with these; give an embedding of the same inputs")
        points = np.zeros((len(indices), self.embeddings.shape[2]), np.float32)
        points[there] = self.embeddings[known[there], column]
        missing = np.flatnonzero(known < 0)
        if len(missing):
            points[missing] = points[there[_nearest(rows[there], rows[missing])]]
        return points


def _nearest(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    from sklearn.neighbors import NearestNeighbors

    finder = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(rows)
    return np.asarray(finder.kneighbors(others, return_distance=False))[:, 0]


def read_earlier(align: str | Path | np.ndarray | None, batch: Batch, components: int) -> Earlier | None:
    """The embedding that an option names.

    Raises:
        OptionError: no embedding there, or one of other components.
    """
    if align is None:
        return None
    found = _arrays(align, batch)
    embeddings = np.asarray(found["embeddings"], np.float32)
    if embeddings.ndim == 2:
        embeddings = embeddings[:, np.newaxis]
    if embeddings.ndim != 3 or embeddings.shape[2] != components or not np.isfinite(embeddings).all():
        raise OptionError(
            f"align holds an embedding of shape {embeddings.shape}, and (inputs, {components}) or (inputs, "
            f"layers, {components}) finite numbers are needed; keep n_components as it was"
        )
    return Earlier(embeddings, np.asarray(found.get("indices", np.arange(len(embeddings)))))


def _arrays(align: Any, batch: Batch) -> dict[str, np.ndarray]:
    if not isinstance(align, (str, Path)):
        return {"embeddings": np.asarray(align)}
    if batch.read_arrays is None:
        raise OptionError("align names files, which this batch can't read; give an array")
    arrays = batch.read_arrays(str(align))
    if "embeddings" not in arrays:
        raise OptionError(f"{str(align)!r} holds no embedding; give the folder of an earlier UMAP")
    return arrays


def moved_onto(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """An embedding turned, mirrored, scaled and shifted so that points are nearest to where they were.

    Procrustes analysis (Schönemann 1966); umap-learn itself stretches what it starts from to a box.

    Args:
        before: (n, components).
        after: (n, components).
    """
    from scipy.linalg import orthogonal_procrustes

    centre, middle = after.mean(axis=0), before.mean(axis=0)
    turn, scale = orthogonal_procrustes(after - centre, before - middle)
    spread = float(((after - centre) ** 2).sum())
    moved = (after - centre) @ turn * (scale / spread if spread else 1.0) + middle
    return np.asarray(moved, np.float32)
