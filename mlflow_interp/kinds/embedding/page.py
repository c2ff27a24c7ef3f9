"""The page of an embedding: pan, zoom, filter, hover; a slider over steps."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.sampling import stratified
from mlflow_interp.drawing import style
from mlflow_interp.drawing.page import render
from mlflow_interp.kinds.embedding.figure import Legend
from mlflow_interp.kinds.embedding.points import ClassColours, title_of

if TYPE_CHECKING:
    from mlflow_interp.kinds.embedding.result import EmbeddingResult

MOST_POINTS = 20_000  # up to which a page stays smooth


def page(result: EmbeddingResult, *, legend: Legend = "shared", point_size: float | None = None) -> str:
    """A page that opens offline: pan, zoom, filter by class, hover to see the input of a point."""
    return page_over({0: result}, legend=legend, point_size=point_size)


def page_over(
    results: Mapping[int, EmbeddingResult], *, legend: Legend = "shared", point_size: float | None = None
) -> str:
    """The page of several steps, such as epochs, of the same inputs, with a slider."""
    first = next(iter(results.values()))
    sample = stratified(first.examples.labels, MOST_POINTS, seed=0)
    classes = ClassColours.of(list(results.values()))
    return render(
        "kinds/embedding/page.html",
        "kinds/embedding/page.js",
        plotly=True,
        title=title_of(first),
        layers=first.layers,
        steps=list(results),
        labelled=bool((first.examples.labels != UNKNOWN).any()),
        more=len(first.examples) - len(sample),
        data={
            "layers": list(first.layers),
            "components": int(first.embeddings.shape[2]),
            "size": point_size,
            "legend": legend != "off",
            "classes": [
                {"index": index, "name": name, "short": style.shorten(name, 28), "colour": colour}
                for index, name, colour in zip(classes.indices, classes.names, classes.colours, strict=True)
            ],
            "names": [first.examples.names[row] for row in sample],
            "indices": _packed(first.examples.indices[sample], np.int32),
            "labels": _packed(first.examples.labels[sample], np.int32),
            "predictedNames": _predicted_names(results),
            "sprite": _sprite(first.thumbnails, sample),
            "steps": [_step(step, result, sample) for step, result in results.items()],
        },
    )


def _packed(values: np.ndarray, dtype: Any) -> str:
    """Numbers as base64 of little-endian bytes, a fifth of what JSON takes."""
    return base64.b64encode(
        np.ascontiguousarray(values, np.dtype(dtype).newbyteorder("<")).tobytes()
    ).decode()


def _predicted_names(results: Mapping[int, EmbeddingResult]) -> dict[str, str]:
    predicted = [np.unique(result.examples.classes[:, 0]) for result in results.values()]
    indices = sorted({int(index) for classes in predicted for index in classes})
    name = next(iter(results.values())).examples.class_name
    return {str(index): name(index) for index in indices}


def _step(step: int, result: EmbeddingResult, sample: np.ndarray) -> dict[str, Any]:
    """The data that changes from step to step: points, predictions, measures."""
    return {
        "step": step,
        "points": [
            _packed(result.embeddings[sample, column], np.float32) for column in range(len(result.layers))
        ],
        "predicted": _packed(result.examples.classes[sample, 0], np.int32),
        "probabilities": _packed(result.examples.probabilities[sample, 0], np.float32),
        "measures": [
            {name: round(float(values[column]), 3) for name, values in result.measures.items()}
            for column in range(len(result.layers))
        ],
    }


def _sprite(thumbnails: np.ndarray | None, sample: np.ndarray) -> dict[str, Any] | None:
    """All thumbnails in one image, which a browser decodes once."""
    if thumbnails is None:
        return None
    side = thumbnails.shape[1]
    columns = math.ceil(math.sqrt(len(sample)))
    rows = math.ceil(len(sample) / columns)
    cells = np.zeros((rows * columns, side, side, 3), np.uint8)
    cells[: len(sample)] = thumbnails[sample]
    grid = cells.reshape(rows, columns, side, side, 3).swapaxes(1, 2)
    pixels = grid.reshape(rows * side, columns * side, 3)
    return {
        "source": style.data_uri(pixels, most=max(pixels.shape), quality=70),
        "side": side,
        "columns": columns,
    }
