"""UMAP of a table: fitted to a sample on the driver; workers place the other rows in it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN, Chunk, some
from mlflow_interp.core.examples import MOST_IMAGES, ExampleAccumulator, Examples
from mlflow_interp.core.passed import Passed
from mlflow_interp.core.sampling import sample_rows
from mlflow_interp.core.selection import Selection
from mlflow_interp.engine.method import Accumulator
from mlflow_interp.spark.blocks import row_indices
from mlflow_interp.spark.sample import short_names
from mlflow_interp.spark.session import one_line_errors

_AT_ONCE = 1_000  # rows that become probabilities of all classes


@dataclass(frozen=True, eq=False)
class FitRows:
    """The rows that an embedding is fitted to.

    Attributes:
        ids: what identifies them.
        digests: (n, 16) uint8.
        labels: (n,) int64, `UNKNOWN` where not given.
        predicted: (n,) int64.
        probabilities: (n,) float32, of the predicted class; for a regression, its first value.
        vectors: for each layer, (n, features) float32.
    """

    ids: Sequence[str]
    digests: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray
    vectors: Sequence[np.ndarray]


def read_fit_rows(table: Any, method: str, most: int, always: Sequence[str]) -> FitRows:
    """A sample of rows with their activations: those with the smallest hashes, and some more.

    Args:
        table: the rows of a call.
        method: the method whose column has the activations.
        most: the maximum number of rows, beside `always`.
        always: the ids of rows that are always among them.
    """
    from pyspark.sql import functions as sql

    columns = ["id", "digest", "key", "label", "predicted", "probability", "values"]
    rows = table.where(f"`{method}` IS NOT NULL").select(*columns, f"{method}.activations")
    by_hash = rows.orderBy("key", "id").limit(most)
    named = rows.where(sql.col("id").isin(list(always)))
    with one_line_errors():
        found = {row["id"]: row for each in (by_hash, named) for row in each.toLocalIterator()}
    # In the order of their indices, as results are.
    kept = [found[each] for _, each in sorted(zip(row_indices(found).tolist(), found, strict=True))]
    first = [row["values"][0] if row["values"] else row["probability"] for row in kept]
    layers = range(len(kept[0]["activations"])) if kept else range(0)
    return FitRows(
        ids=[row["id"] for row in kept],
        digests=np.stack([np.frombuffer(row["digest"], np.uint8) for row in kept]),
        labels=np.array([UNKNOWN if row["label"] is None else row["label"] for row in kept], np.int64),
        predicted=np.array([row["predicted"] or 0 for row in kept], np.int64),
        probabilities=np.array(first, np.float32),
        vectors=[np.array([row["activations"][layer] for row in kept], np.float32) for layer in layers],
    )


def embedded(
    rows: FitRows,
    accumulator: Accumulator[Any],
    layers: Sequence[str],
    *,
    classes: int,
    head: str,
    class_names: tuple[str, ...] | None,
) -> Any:
    """The embedding of rows, by the method's own accumulator.

    Args:
        rows: the rows.
        accumulator: of the method.
        layers: the paths of the layers, in the order of `rows.vectors`.
        classes: the number of the model's classes.
        head: see `Passed`.
        class_names: the names of the classes, None if not known.
    """
    examples = ExampleAccumulator(class_names, Selection(MOST_IMAGES))
    whole = Chunk(
        indices=row_indices(rows.ids),
        names=tuple(short_names(rows.ids)),
        inputs=np.zeros((len(rows.ids), 1), np.float32),  # only activations are stored
        labels=rows.labels,
        images=None,
        digests=rows.digests,
    )
    for start in range(0, len(rows.ids), _AT_ONCE):
        part = np.arange(start, min(start + _AT_ONCE, len(rows.ids)))
        probabilities = np.zeros((len(part), classes), np.float32)
        probabilities[np.arange(len(part)), rows.predicted[part]] = rows.probabilities[part]
        arrays = {path: vectors[part] for path, vectors in zip(layers, rows.vectors, strict=True)}
        passed = Passed(probabilities, head, arrays)
        chunk = some(whole, part)
        accumulator.update(chunk, passed)
        examples.update(chunk, passed)
    # The probabilities of the other classes are not stored.
    found = examples.result()
    found = replace(
        found, classes=found.classes[:, :1], probabilities=found.probabilities[:, :1], values=None
    )
    return accumulator.result(found)


def with_images(examples: Examples, images: Mapping[int, np.ndarray]) -> Examples:
    """Examples that show the inputs whose images are known, by index; at most 64."""
    known = np.flatnonzero(np.isin(examples.indices, list(images)))
    cells = np.stack([examples.labels[known], examples.classes[known, 0]], axis=1)
    digests = examples.indices[known] if examples.digests is None else examples.digests[known]
    shown = known[sample_rows(digests, cells, MOST_IMAGES, seed=0)]
    pixels = [images[index] for index in examples.indices[shown].tolist()]
    return replace(examples, images=np.stack(pixels) if pixels else None, shown=shown)


@dataclass(frozen=True, eq=False)
class Placer:
    """Places rows in an embedding: each at the weighted mean of its nearest fitted neighbours' points.

    This is where UMAP's own `transform` starts; it goes on to optimise points together, which would make the
    place of an input depend on those that share its batch.

    Attributes:
        vectors: for each layer, (n, features) of the fitted rows.
        points: (n, layers, components), theirs.
        neighbours: the number of neighbours.
        metric: the distance.
    """

    vectors: Sequence[np.ndarray]
    points: np.ndarray
    neighbours: int
    metric: str

    def place(self, vectors: Sequence[np.ndarray]) -> np.ndarray:
        """(m, layers, components) float32, the points of rows; those of fitted rows are exact.

        Args:
            vectors: for each layer, (m, features).
        """
        placed = [self._of_layer(layer, rows) for layer, rows in enumerate(vectors)]
        return np.stack(placed, axis=1).astype(np.float32)

    def _of_layer(self, layer: int, rows: np.ndarray) -> np.ndarray:
        from sklearn.neighbors import NearestNeighbors

        fitted = self.vectors[layer]
        search = NearestNeighbors(
            n_neighbors=min(self.neighbours, len(fitted)), metric=self.metric, algorithm="brute"
        ).fit(fitted)
        distances, nearest = search.kneighbors(rows)
        # Distances by matrix products are inexact near zero, where they matter.
        is_fitted = (fitted[nearest[:, 0]] == rows).all(axis=1)
        further = distances - distances[:, :1]
        scale = np.maximum(further.mean(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        weights = np.exp(-further / scale)
        points = np.einsum("mk,mkc->mc", weights, self.points[nearest, layer]) / weights.sum(axis=1)[:, None]
        return np.asarray(np.where(is_fitted[:, None], self.points[nearest[:, 0], layer], points))

    def save(self, folder: Path) -> Path:
        """Save it to a new file."""
        arrays = {f"vectors_{layer}": each for layer, each in enumerate(self.vectors)}
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".npz", delete=False) as file:
            np.savez(file, points=self.points, neighbours=self.neighbours, metric=self.metric, **arrays)  # type: ignore[arg-type]
        return Path(file.name)

    @classmethod
    def load(cls, path: Path) -> Placer:
        """Read one that was saved."""
        with np.load(path, allow_pickle=False) as stored:
            layers = stored["points"].shape[1]
            return cls(
                [stored[f"vectors_{layer}"] for layer in range(layers)],
                stored["points"],
                int(stored["neighbours"]),
                str(stored["metric"]),
            )
