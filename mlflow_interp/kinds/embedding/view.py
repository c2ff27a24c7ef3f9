"""Embeddings on the page of a run: the point of each input at each layer."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.findings import find
from mlflow_interp.core.regression import value_text
from mlflow_interp.drawing.overview import make_overview, sample
from mlflow_interp.drawing.palette import UNKNOWN_COLOUR, class_colours
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
        overview=make_overview(result.examples),
        findings=find(result.examples),
    )


def scatter(result: EmbeddingResult) -> dict[str, Any]:
    """Points in the form that the page draws: indices, colours, positions. The overview has the rest."""
    examples = result.examples
    by = point_colours([result])
    rows = sample(examples)
    classes = sorted({*examples.labels[rows].tolist(), *examples.classes[rows, 0].tolist()} - {UNKNOWN})
    colours = _class_colours(by, classes) if isinstance(by, ClassColours) else {}
    return {
        "indices": examples.indices[rows].tolist(),
        "classes": {
            str(index): [examples.class_name(index), colours.get(index, UNKNOWN_COLOUR)] for index in classes
        },
        "more": len(examples) - len(rows),
        "values": None if isinstance(by, ClassColours) else _values(by, result, rows),
        "layers": [
            {
                "name": layer,
                "note": _note(result, column),
                "places": _packed(np.stack(coordinates(result, column)[:2], axis=1)[rows]),
            }
            for column, layer in enumerate(result.layers)
        ],
    }


def _class_colours(by: ClassColours, classes: Sequence[int]) -> dict[int, str]:
    """The colours of labels, and others for classes that are only predicted."""
    known = {index: colour for index, colour in zip(by.indices, by.colours, strict=True) if index != UNKNOWN}
    predicted = [index for index in classes if index not in known]
    # By the number of the class, so that it keeps its colour over the epochs of a training.
    others = class_colours(len(known) + 1 + max(predicted, default=-1))[len(known) :]
    return known | {index: others[index] for index in predicted}


def _values(by: ValueColours, result: EmbeddingResult, rows: np.ndarray) -> dict[str, Any]:
    """For a regression: the colour of each point, its facts, and the scale of the colours."""
    from matplotlib.colors import to_hex

    return {
        "colours": [to_hex(colour) for colour in by.of_points(result)[rows]],
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
