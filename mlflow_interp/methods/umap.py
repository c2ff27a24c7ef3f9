"""UMAP: a map of a layer's activations, where inputs that the layer represents alike lie close together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from typing_extensions import Unpack

from mlflow_interp.backend.feature_maps import Pooling
from mlflow_interp.backend.layer_calls import Calls, parse_calls
from mlflow_interp.backend.layer_tree import VectorLayers
from mlflow_interp.core.accepted import Range
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.calls import several_calls_text
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.examples import Examples
from mlflow_interp.core.passed import Passed
from mlflow_interp.engine.activation_cache import writable_folder
from mlflow_interp.engine.activation_method import ActivationMethod
from mlflow_interp.engine.activations import ActivationOptions, Activations, find_paths
from mlflow_interp.engine.method import Streaming
from mlflow_interp.exceptions import InputsError
from mlflow_interp.kinds.embedding.alignment import Earlier, moved_onto, read_earlier
from mlflow_interp.kinds.embedding.layout import (
    FEWEST_EPOCHS,
    FEWEST_FITTED,
    UmapOptions,
    check_count,
    check_settings,
    complete_settings,
    lay_out,
    plain_option,
    try_out,
)
from mlflow_interp.kinds.embedding.quality import MOST_JUDGED, judge
from mlflow_interp.kinds.embedding.result import EmbeddingResult
from mlflow_interp.progress import track

REQUIRES = ("five inputs",)

# Options whose values may depend on the number of inputs and on `align`.
_AUTOMATIC = ("n_neighbors", "n_epochs", "learning_rate")


def umap(
    model: Any,
    batch: Batch,
    *,
    layers: VectorLayers = None,
    calls: Calls = None,
    pooling: Pooling = "mean",
    n_neighbors: Annotated[int | None, Range(least=2)] = None,
    min_dist: Annotated[float, Range(least=0)] = 0.1,
    n_components: Annotated[int, Range(least=1, most=3)] = 2,
    metric: str = "euclidean",
    n_epochs: Annotated[int | None, Range(least=FEWEST_EPOCHS)] = None,
    supervised: bool = False,
    max_fit: Annotated[int, Range(least=FEWEST_FITTED)] = 20_000,
    align: str | Path | np.ndarray | None = None,
    cache: str | None = None,
    seed: Annotated[int | None, Range(least=0)] = 0,
    **umap_options: Unpack[UmapOptions],
) -> Streaming[EmbeddingResult]:
    """A map of a layer's activations: inputs that the layer represents alike lie close together.

    Activations are embedded in one to three dimensions with UMAP (McInnes, Healy and Melville 2018). If
    classes form separate clusters, the layer separates them. If they overlap, inputs of different classes are
    neighbours at this layer; later layers may still separate them. Distances between clusters mean little.
    Compare layers only with the same pooling.

    Memory grows with the number of inputs only up to `max_fit`; activations are stored on disk.

    Args:
        layers: Layers to interpret, separated by commas: indices, names, or paths into nested models such as
            mobilenetv2/out_relu. The name input stands for the model's input. By default, the last layer
            before the one that computes the output.
        calls: For a layer that is called several times, the calls to use: all, or positions separated by
            commas. By default, all calls that no later call of the layer depends on: every frame of
            TimeDistributed, every input of a shared encoder; of calls in a chain, only the last.
        pooling: How the positions of a feature map, and several calls, are reduced to one vector: mean or
            max, which leave one number for each channel, or flatten, which keeps all values.
        n_neighbors: Number of neighbours that determine the position of a point: small values preserve local
            detail, large values the overall structure. By default, 15, or fewer if there are fewer inputs.
        min_dist: Minimum distance between points in the embedding.
        n_components: Number of dimensions of the embedding: 1, 2 or 3.
        metric: Distance between activations: euclidean, cosine, manhattan, correlation or any other metric
            of umap-learn.
        n_epochs: Number of epochs to optimise the layout. By default, chosen by umap-learn, or 100 with
            `align`.
        supervised: Use the labels for the layout too. The map then no longer shows the layer alone.
        max_fit: Maximum number of inputs that the layout is computed from, sampled in proportion to the
            classes; the others are placed in it afterwards.
        align: Earlier embedding to start from, so that points stay in place: the folder or URI of an earlier
            UMAP such as runs:/id/interpretations/umap. In Python, also an array (n, components).
        cache: Folder to store predictions and activations in. Later calls with the same model, layers and
            pooling look up each input there, and run the model only for batches with an input that is not
            stored yet.
        seed: Random seed: the same seed gives the same result. With the value none, in Python None,
            umap-learn uses all cores, which is faster.

    Returns:
        Points (n, layers, components), float32.

    Raises:
        OptionError: no such layer or call, a layer without a vector for each input, or options that
            umap-learn rejects.
        InputsError: fewer inputs than neighbours, or activations that are not finite or all equal.
    """
    forwarded: dict[str, Any] = {name: plain_option(name, value) for name, value in umap_options.items()}
    settings = {
        "n_neighbors": n_neighbors,
        "min_dist": min_dist,
        "n_components": n_components,
        "metric": metric,
        "n_epochs": n_epochs,
        "random_state": seed,
    } | {name: value for name, value in forwarded.items() if value is not None}
    check_settings(settings, batch.total)
    earlier = read_earlier(align, batch, n_components)
    if forwarded or metric != "euclidean":
        try_out(settings)
    activations = ActivationOptions(find_paths(model, layers), parse_calls(calls), pooling)
    folder = None if cache is None else writable_folder(cache)
    layout = _Layout(settings, earlier, max_fit, supervised)
    return _UmapMethod(model, activations, folder, layout, head=batch.head)


@dataclass(frozen=True)
class _Layout:
    """How activations are embedded.

    Attributes:
        settings: the options of umap-learn.
        earlier: an embedding to start from.
        max_fit: the maximum number of inputs to fit; the rest are transformed afterwards.
        supervised: whether labels are used too.
    """

    settings: dict[str, Any]
    earlier: Earlier | None
    max_fit: int
    supervised: bool


class _UmapMethod(ActivationMethod[EmbeddingResult]):
    """UMAP with its options."""

    title = "UMAP"
    needs_thumbnails = True

    def __init__(
        self, model: Any, activations: ActivationOptions, folder: Path | None, layout: _Layout, *, head: str
    ) -> None:
        super().__init__(model, activations, folder, head=head)
        self._layout = layout

    def vectors_of(self, arrays: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The activations of each layer."""
        return {path: arrays[path] for path in self.paths}

    def accumulator(self) -> EmbeddingAccumulator:
        """Accumulates the activations."""
        calls = several_calls_text(self.traced.calls)
        return EmbeddingAccumulator(Activations(self.paths), self._layout, calls, self.traced.reduced)


class EmbeddingAccumulator:
    """Accumulates the activations of layers, and embeds them.

    Args:
        activations: accumulates them.
        layout: how they are embedded.
        calls: the calls of the layers, as text; empty if no layer is called several times.
        reduced: of layers that pooling leaves few features of, see `EmbeddingResult`.
    """

    def __init__(
        self, activations: Activations, layout: _Layout, calls: str, reduced: Mapping[str, int]
    ) -> None:
        self._activations = activations
        self._layout = layout
        self._calls = calls
        self._reduced = reduced

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Add the activations of a chunk."""
        self._activations.update(chunk, passed)

    def merge(self, other: EmbeddingAccumulator) -> None:
        """Add the activations of other inputs."""
        self._activations.merge(other._activations)

    def result(self, examples: Examples, previous: EmbeddingResult | None = None) -> EmbeddingResult:
        """Embed the activations of every layer, each starting from an earlier embedding if there is one."""
        layout = self._layout
        earlier = layout.earlier
        if previous is not None:
            earlier = Earlier(previous.embeddings, previous.examples.indices)
        count = len(examples)
        check_count(layout.settings, count)
        settings = complete_settings(layout.settings, min(count, layout.max_fit), aligned=earlier is not None)
        fitted = examples.proportional_sample(layout.max_fit, seed=settings["random_state"] or 0)
        judged = examples.proportional_sample(MOST_JUDGED)
        labels = examples.labels[fitted] if layout.supervised else None
        if layout.supervised and examples.true_values is not None:
            labels = examples.true_values[fitted, 0]
            # The values of a regression have distances; they are not just equal or different.
            settings = {"target_metric": "l2"} | settings
        activations = self._activations.rows()
        points = []
        measures = []
        for column, (path,) in enumerate(
            track(zip(activations), total=len(activations), label="UMAP", unit="layer")
        ):
            rows = activations[path]
            _check_varied(path, rows)
            start = (
                None if earlier is None else earlier.start(column, len(activations), examples.indices, rows)
            )
            embedded = lay_out(rows, fitted, settings, labels, start)
            points.append(embedded if start is None else moved_onto(start, embedded))
            measures.append(
                judge(rows, points[-1], examples.labels, sample=judged, metric=settings["metric"])
            )
        return EmbeddingResult(
            examples=examples,
            embeddings=np.stack(points, axis=1).astype(np.float32),
            layers=tuple(activations),
            fitted=np.isin(np.arange(count), fitted),
            measures={name: np.array([each[name] for each in measures]) for name in measures[0]},
            thumbnails=examples.thumbnails,
            chosen={name: settings[name] for name in _AUTOMATIC if name in settings}
            | ({"calls": self._calls} if self._calls else {}),
            reduced=self._reduced,
        )


def _check_varied(path: str, rows: np.ndarray) -> None:
    """Reject rows that are all equal except for rounding, which depends on the position in a chunk."""
    most = 1e-6 * np.abs(rows[0]).max()
    if all(np.abs(row - rows[0]).max() <= most for row in rows[1:]):
        raise InputsError(
            f"layer {path!r} has the same activations for all {len(rows)} inputs, so there is nothing to "
            "embed; choose another layer, or check that inputs are preprocessed as in training"
        )
