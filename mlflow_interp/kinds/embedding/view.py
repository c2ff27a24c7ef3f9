"""Embeddings on the page of a run: where each input lies at each layer."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.examples import MOST_IMAGES
from mlflow_interp.core.sampling import stratified
from mlflow_interp.drawing.palette import UNKNOWN_COLOUR
from mlflow_interp.drawing.view import View, rows
from mlflow_interp.kinds.embedding.figure import Legend
from mlflow_interp.kinds.embedding.points import ClassColours, coordinates

if TYPE_CHECKING:
    from mlflow_interp.kinds.embedding.result import EmbeddingResult

MOST_POINTS = 1_500  # on the page of a run; the method's own page shows more
_SPAN = 1_000  # places are whole numbers from 0 to this


def view(result: EmbeddingResult, *, legend: Legend = "shared", point_size: float | None = None) -> View:
    """Where inputs lie at each layer, and an image of each of the first.

    Of three components points are seen along the third.
    """
    measures = {name: float(values[-1]) for name, values in result.measures.items()}
    said = [f"{name.replace('_', ' ')} {value:.2f}" for name, value in measures.items()]
    where = f"at {result.layers[-1]}"
    return View(
        title=f"UMAP of {len(result.examples):,} inputs",
        headline=f"{where}: {', '.join(said)}" if said else where,
        inputs=rows(result.examples, images=result.thumbnails),
        scatter=scatter(result),
    )


def scatter(result: EmbeddingResult) -> dict[str, Any]:
    """Points as the page draws them: a list each of indices, names, labels, predictions and positions."""
    examples, classes_drawn = result.examples, ClassColours.of([result])
    colours = dict(zip(classes_drawn.indices, classes_drawn.colours, strict=True)) | {UNKNOWN: UNKNOWN_COLOUR}
    # The first ones have pictures and stand on the page in any case.
    first = np.arange(min(len(examples), MOST_IMAGES))
    shown = np.union1d(first, stratified(examples.labels, MOST_POINTS, seed=0))
    classes = sorted({*examples.labels[shown].tolist(), *examples.classes[shown, 0].tolist()} - {UNKNOWN})
    return {
        "indices": examples.indices[shown].tolist(),
        "names": [examples.names[at] for at in shown],
        "labels": examples.labels[shown].tolist(),
        "predicted": examples.classes[shown, 0].tolist(),
        "classes": {
            str(each): [examples.class_name(each), colours.get(each, colours[UNKNOWN])] for each in classes
        },
        "more": len(examples) - len(shown),
        "layers": [
            {"name": layer, "note": _note(result, at), "places": _whole(_in_plane(result, at)[shown])}
            for at, layer in enumerate(result.layers)
        ],
    }


def _note(result: EmbeddingResult, at: int) -> str:
    return " · ".join(
        f"{name.replace('_', ' ')} {values[at]:.2f}" for name, values in result.measures.items()
    )


def _whole(places: np.ndarray) -> str:
    """Places (n, 2) as base64 of little-endian uint16, a unit as long across as it is up."""
    low = places.min(axis=0)
    span = float((places.max(axis=0) - low).max()) or 1.0
    middle = (1 - (places.max(axis=0) - low) / span) / 2
    whole = np.rint(((places - low) / span + middle) * _SPAN)
    return base64.b64encode(whole.astype("<u2").tobytes()).decode()


def _in_plane(result: EmbeddingResult, at: int) -> np.ndarray:
    return np.stack(coordinates(result, at)[:2], axis=1)
