"""Embeddings on the page of a run: the point of each input at each layer."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.regression import value_lines, value_text
from mlflow_interp.drawing.palette import UNKNOWN_COLOUR
from mlflow_interp.drawing.view import Panel, View, rows
from mlflow_interp.kinds.embedding.figure import Legend
from mlflow_interp.kinds.embedding.points import (
    ClassColours,
    ValueColours,
    coordinates,
    point_colours,
    title_of,
)

if TYPE_CHECKING:
    from mlflow_interp.kinds.embedding.result import EmbeddingResult

MOST_POINTS = 1_500  # on the page of a run; the method's own page shows more
_LARGEST_COORDINATE = 1_000  # coordinates are integers from 0 to this


def view(result: EmbeddingResult, *, legend: Legend = "shared", point_size: float | None = None) -> View:
    """The points of inputs at each layer, and the images of those that are shown.

    Three components are projected along the third.
    """
    measures = {name: float(values[-1]) for name, values in result.measures.items()}
    texts = [f"{name.replace('_', ' ')} {value:.2f}" for name, value in measures.items()]
    layer = f"at {result.layers[-1]}"
    return View(
        title=title_of(result),
        headline=f"{layer}: {', '.join(texts)}" if texts else layer,
        inputs=rows(result.examples, thumbnails=result.thumbnails),
        panel=Panel("embedding", scatter(result)),
    )


def scatter(result: EmbeddingResult) -> dict[str, Any]:
    """Points in the form that the page draws: lists of indices, names, labels, predictions and positions."""
    examples = result.examples
    by = point_colours([result])
    colours = dict(zip(by.indices, by.colours, strict=True)) if isinstance(by, ClassColours) else {}
    # The inputs that are shown have images and are always on the page.
    sample = np.union1d(examples.shown_rows, examples.balanced_sample(MOST_POINTS))
    classes = sorted({*examples.labels[sample].tolist(), *examples.classes[sample, 0].tolist()} - {UNKNOWN})
    return {
        "indices": examples.indices[sample].tolist(),
        "names": [examples.names[row] for row in sample],
        "labels": examples.labels[sample].tolist(),
        "predicted": examples.classes[sample, 0].tolist(),
        "classes": {
            str(index): [examples.class_name(index), colours.get(index, UNKNOWN_COLOUR)] for index in classes
        },
        "more": len(examples) - len(sample),
        "values": None if isinstance(by, ClassColours) else _values(by, result, sample),
        "layers": [
            {
                "name": layer,
                "note": _note(result, column),
                "places": _packed(np.stack(coordinates(result, column)[:2], axis=1)[sample]),
            }
            for column, layer in enumerate(result.layers)
        ],
    }


def _values(by: ValueColours, result: EmbeddingResult, sample: np.ndarray) -> dict[str, Any]:
    """For a regression: the colour of each point, its facts, and the scale of the colours."""
    from matplotlib.colors import to_hex

    return {
        "colours": [to_hex(colour) for colour in by.of_points(result)[sample]],
        "lines": [[list(line) for line in value_lines(result.examples, row)] for row in sample.tolist()],
        "scale": f"{by.title}, from {value_text(by.low)} (dark) to {value_text(by.high)} (light)",
    }


def _note(result: EmbeddingResult, column: int) -> str:
    return " · ".join(
        f"{name.replace('_', ' ')} {values[column]:.2f}" for name, values in result.measures.items()
    )


def _packed(points: np.ndarray) -> str:
    """Points (n, 2) as base64 of little-endian uint16, both axes with the same scale."""
    low = points.min(axis=0)
    span = float((points.max(axis=0) - low).max()) or 1.0
    margin = (1 - (points.max(axis=0) - low) / span) / 2
    integers = np.rint(((points - low) / span + margin) * _LARGEST_COORDINATE)
    return base64.b64encode(integers.astype("<u2").tobytes()).decode()
