"""Embeddings on the page of a run: where each input lies at each layer."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.sampling import stratified
from mlflow_interp.drawing.palette import UNKNOWN_COLOUR

if TYPE_CHECKING:
    from mlflow_interp.drawing.view import View
    from mlflow_interp.kinds.embedding.result import EmbeddingResult


from typing import TYPE_CHECKING

from mlflow_interp.core.examples import MOST_PICTURES
from mlflow_interp.drawing.view import View, rows

if TYPE_CHECKING:
    from mlflow_interp.kinds.embedding.result import EmbeddingResult
from mlflow_interp.kinds.embedding.figure import Legend
from mlflow_interp.kinds.embedding.points import ClassColours, coordinates


def view(result: EmbeddingResult, *, legend: Legend = "shared", point_size: float | None = None) -> View:
    """Where inputs lie at each layer, of three components as seen along the third."""
    classes = ClassColours.of([result])
    colours = dict(zip(classes.indices, classes.colours, strict=True)) | {UNKNOWN: UNKNOWN_COLOUR}
    places = [np.stack(coordinates(result, at)[:2], axis=1) for at in range(len(result.layers))]
    return embedding_panels(result, places, colours)


MOST_POINTS = 1_500  # on the page of a run; the method's own page shows more
_SPAN = 1_000  # places are whole numbers from 0 to this


def scatter(result: EmbeddingResult, places: list[np.ndarray], colours: dict[int, str]) -> dict[str, Any]:
    """Points as the page draws them: one list for each of index, name, label and prediction, and for places.

    Args:
        result: points of any number of inputs and layers.
        places: (n, 2) of each layer.
        colours: by class index.
    """
    examples = result.examples
    # The first ones have pictures and stand on the page in any case.
    first = np.arange(min(len(examples), MOST_PICTURES))
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
            {"name": layer, "note": _note(result, at), "places": _whole(places[at][shown])}
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


def embedding_panels(result: EmbeddingResult, places: list[np.ndarray], colours: dict[int, str]) -> View:
    """Where inputs lie, and a picture of each of the first."""
    measures = {name: float(values[-1]) for name, values in result.measures.items()}
    said = [f"{name.replace('_', ' ')} {value:.2f}" for name, value in measures.items()]
    where = f"at {result.layers[-1]}"
    return View(
        title=f"UMAP of {len(result.examples):,} inputs",
        headline=f"{where}: {', '.join(said)}" if said else where,
        inputs=rows(result.examples, pictures=result.thumbnails),
        scatter=scatter(result, places, colours),
    )
