"""UMAP: what a layer knows of many inputs, laid out so that what it takes for alike lies together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from typing_extensions import Unpack

from mlflow_interp.backend.feature_maps import Pooling
from mlflow_interp.backend.layer_runs import Runs, parse_runs
from mlflow_interp.backend.layer_tree import VectorLayers
from mlflow_interp.core.accepted import Range
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.examples import Examples
from mlflow_interp.core.passed import Passed
from mlflow_interp.core.runs import Run, several_runs_text
from mlflow_interp.engine.activation_cache import ActivationCache, writable_folder
from mlflow_interp.engine.activations import (
    ActivationOptions,
    Activations,
    find_paths,
    trace_activations,
)
from mlflow_interp.engine.method import Streaming
from mlflow_interp.engine.trace import Trace
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
from mlflow_interp.progress import say, track

REQUIRES = ("five inputs",)

# Options whose values may depend on the number of inputs and on `align`.
_AUTOMATIC = ("n_neighbors", "n_epochs", "learning_rate")


def umap(
    model: Any,
    batch: Batch,
    *,
    layers: VectorLayers = None,
    runs: Runs = None,
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
    """What a layer knows: its activations laid out in the plane (UMAP, McInnes, Healy and Melville 2018).

    Inputs whose activations are alike come to lie together. Where classes lie apart, the layer tells
    them apart; where they mix, nothing after it can do much. Distances between far clusters mean little.

    Memory is bounded by what umap-learn needs for `max_fit` points, activations wait on disk.

    Args:
        layers: The layers to interpret, separated by commas: indices, names, or paths into nested models
            such as mobilenetv2/out_relu. By default the last one before the head; input stands for
            what the model is fed.
        runs: Which runs to take of layers that run several times: all, or positions separated by commas.
            By default those that no later run depends on: every frame of TimeDistributed, every input of a
            shared encoder, the last of a sequence.
        pooling: What becomes of the positions of a feature map, and of several runs: their mean, their max,
            or flatten, which keeps all.
        n_neighbors: How many neighbours a point is placed by: few show detail, many the whole. By
            default 15, or fewer where there are fewer inputs.
        min_dist: How close points may lie.
        n_components: Axes of the embedding: 1, 2 or 3.
        metric: How activations are compared: euclidean, cosine, manhattan, correlation or another that
            umap-learn knows.
        n_epochs: How long the layout is optimised. By default umap-learn's choice, 100 where aligned.
        supervised: Let the labels pull the points too. What is seen then is no longer the layer alone.
        max_fit: So many inputs are embedded, a share of each class where there are more; the rest is
            placed among them afterwards.
        align: An earlier embedding to start from, so that points stay where they were: a folder or URI
            of an earlier UMAP such as runs:/id/interpretations/umap, or an array (n, components).
        cache: A folder to keep activations in. A second call with the same model, inputs, layers and
            pooling reads them; anything else can't.
        seed: The seed of everything random: the same seed gives the same result. None lets
            umap-learn use all cores, which is faster.

    Returns:
        Points (n, layers, components), float32.

    Raises:
        OptionError: no such layer or run, one without a vector for each input, or what umap-learn refuses.
        InputsError: fewer inputs than neighbours, activations that are not finite or all alike.
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
    activations = ActivationOptions(find_paths(model, layers), parse_runs(runs), pooling)
    folder = None if cache is None else writable_folder(cache)
    layout = _Layout(settings, earlier, max_fit, supervised)
    return _UmapMethod(model, activations, folder, layout, head=batch.head)


@dataclass(frozen=True)
class _Layout:
    """How activations are laid out.

    Attributes:
        settings: of umap-learn.
        earlier: an embedding to start from.
        max_fit: the number of inputs that are embedded; further ones are placed among them.
        supervised: whether labels pull the points too.
    """

    settings: dict[str, Any]
    earlier: Earlier | None
    max_fit: int
    supervised: bool


class _UmapMethod(Streaming[EmbeddingResult]):
    """UMAP with its options."""

    title = "UMAP"
    needs_thumbnails = True

    def __init__(
        self, model: Any, activations: ActivationOptions, folder: Path | None, layout: _Layout, *, head: str
    ) -> None:
        self._model = model
        self._activations = activations
        self._folder = folder
        self._layout = layout
        self._head = head
        self._cache: ActivationCache | None = None
        self._paths: Sequence[str] = ()
        self._runs: Mapping[str, Sequence[Run]] = {}

    def trace(self, trace: Trace) -> Mapping[str, Any]:
        """The activations of each layer."""
        tensors, self._runs = trace_activations(trace, self._activations)
        self._paths = list(tensors)
        return tensors

    def recall(self, chunk: Chunk) -> Passed | None:
        """Predictions and activations out of the cache."""
        if self._folder is None:
            return None
        if self._cache is None:
            self._cache = ActivationCache(
                self._folder, self._model, self._activations, chunk, head=self._head
            )
            self._paths = self._cache.paths
            self._runs = self._cache.runs
        return self._cache.recall(chunk)

    def remember(self, chunk: Chunk, passed: Passed) -> None:
        """Note what is to be added to the cache."""
        if self._cache is not None:
            self._cache.remember(passed)

    def accumulator(self) -> EmbeddingAccumulator:
        """Accumulates the activations."""
        return EmbeddingAccumulator(Activations(self._paths), self._layout, several_runs_text(self._runs))

    def finish(self) -> None:
        """Store in the cache what was not there."""
        if self._cache is not None and self._cache.is_complete:
            say(f"activations read from {self._folder}")
        elif self._cache is not None:
            self._cache.store()


class EmbeddingAccumulator:
    """Accumulates the activations of layers, and lays them out.

    Args:
        activations: accumulates them.
        layout: how they are laid out.
        runs: of the layers, as text; empty where none runs several times.
    """

    def __init__(self, activations: Activations, layout: _Layout, runs: str) -> None:
        self._activations = activations
        self._layout = layout
        self._runs = runs

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
            # The values of a regression are near or far, and not only equal or different.
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
            laid_out = lay_out(rows, fitted, settings, labels, start)
            points.append(laid_out if start is None else moved_onto(start, laid_out))
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
            | ({"runs": self._runs} if self._runs else {}),
        )


def _check_varied(path: str, rows: np.ndarray) -> None:
    """Refuse rows that are all equal but for rounding, which depends on the position in a chunk."""
    most = 1e-6 * np.abs(rows[0]).max()
    if all(np.abs(row - rows[0]).max() <= most for row in rows[1:]):
        raise InputsError(
            f"layer {path!r} gives the same for all {len(rows)} inputs, so there is nothing to lay out; "
            "take another layer, or check that inputs are preprocessed as in training"
        )
