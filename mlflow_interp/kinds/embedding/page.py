"""The page of an embedding: pan, zoom, filter, hover; a slider over steps."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.regression import value_lines
from mlflow_interp.drawing import style
from mlflow_interp.drawing.page import render
from mlflow_interp.kinds.embedding.figure import Legend
from mlflow_interp.kinds.embedding.points import (
    VALUE_COLORMAP,
    ClassColours,
    ValueColours,
    point_colours,
    title_of,
)

if TYPE_CHECKING:
    from mlflow_interp.kinds.embedding.result import EmbeddingResult

MOST_POINTS = 20_000  # up to which a page stays smooth
MOST_PIXELS = 16_000_000  # of all thumbnails, about 4 MB
SMALLEST_THUMBNAIL = 12  # pixels
_SHADES = 17  # of a continuous scale of colours


def page(result: EmbeddingResult, *, legend: Legend = "shared", point_size: float | None = None) -> str:
    """A page that works offline: pan, zoom, filter by class, hover to see the input of a point."""
    return page_over({0: result}, legend=legend, point_size=point_size)


def page_over(
    results: Mapping[int, EmbeddingResult], *, legend: Legend = "shared", point_size: float | None = None
) -> str:
    """The page of several steps, such as epochs, with a slider; steps may have different inputs."""
    first = next(iter(results.values()))
    sets = _input_sets(results)
    samples = {number: sets[number].examples.balanced_sample(MOST_POINTS) for number in sets}
    set_of = {step: _set_of(result, sets) for step, result in results.items()}
    by = point_colours(list(results.values()))
    classes = by if isinstance(by, ClassColours) else ClassColours([UNKNOWN], ["inputs"])
    side = _thumbnail_side(list(sets.values()))
    return render(
        "kinds/embedding/page.html",
        "kinds/embedding/page.js",
        plotly=True,
        title=title_of(first),
        layers=first.layers,
        steps=list(results),
        labelled=any((each.examples.labels != UNKNOWN).any() for each in sets.values()),
        more=max(len(each.examples) - len(samples[number]) for number, each in sets.items()),
        data={
            "title": first.title,
            "layers": list(first.layers),
            "components": int(first.embeddings.shape[2]),
            "size": point_size,
            "legend": legend != "off",
            "classes": [
                {"index": index, "name": name, "short": style.shorten(name, 28), "colour": colour}
                for index, name, colour in zip(classes.indices, classes.names, classes.colours, strict=True)
            ],
            "predictedNames": _predicted_names(results),
            "values": _scale(by) if isinstance(by, ValueColours) else None,
            "inputs": [_inputs(each, samples[number], side) for number, each in sets.items()],
            "steps": [
                _step(step, result, samples[set_of[step]], by) | {"inputs": set_of[step]}
                for step, result in results.items()
            ],
        },
    )


def _input_sets(results: Mapping[int, EmbeddingResult]) -> dict[int, EmbeddingResult]:
    """By number, a result for each set of inputs: steps may have different inputs, as with `resample`."""
    by_key: dict[tuple[Any, ...], EmbeddingResult] = {}
    for result in results.values():
        by_key.setdefault(_key(result), result)
    return dict(enumerate(by_key.values()))


def _set_of(result: EmbeddingResult, sets: Mapping[int, EmbeddingResult]) -> int:
    return next(number for number, each in sets.items() if _key(each) == _key(result))


def _key(result: EmbeddingResult) -> tuple[Any, ...]:
    """Equal for results of the same inputs."""
    examples = result.examples
    digests = None if examples.digests is None else examples.digests.tobytes()
    values = None if examples.true_values is None else examples.true_values.tobytes()
    return digests, examples.names, examples.indices.tobytes(), examples.labels.tobytes(), values


def _inputs(result: EmbeddingResult, sample: np.ndarray, side: int | None) -> dict[str, Any]:
    """The data that stay the same while steps have the same inputs."""
    examples = result.examples
    return {
        "names": [examples.names[row] for row in sample],
        "indices": _packed(examples.indices[sample], np.int32),
        "labels": _packed(examples.labels[sample], np.int32),
        "sprite": None
        if result.thumbnails is None or side is None
        else _sprite(result.thumbnails, sample, side),
    }


def _thumbnail_side(results: Sequence[EmbeddingResult]) -> int | None:
    """The side of thumbnails, reduced if there are very many from several sets of inputs."""
    sides = [result.thumbnails.shape[1] for result in results if result.thumbnails is not None]
    if not sides:
        return None
    count = sum(min(MOST_POINTS, len(result.examples)) for result in results)
    return int(min(max(sides), max(SMALLEST_THUMBNAIL, math.sqrt(MOST_PIXELS / count))))


def _packed(values: np.ndarray, dtype: Any) -> str:
    """Numbers as base64 of little-endian bytes, a fifth of the size of JSON."""
    return base64.b64encode(
        np.ascontiguousarray(values, np.dtype(dtype).newbyteorder("<")).tobytes()
    ).decode()


def _predicted_names(results: Mapping[int, EmbeddingResult]) -> dict[str, str]:
    predicted = [np.unique(result.examples.classes[:, 0]) for result in results.values()]
    indices = sorted({int(index) for classes in predicted for index in classes})
    name = next(iter(results.values())).examples.class_name
    return {str(index): name(index) for index in indices}


def _scale(by: ValueColours) -> dict[str, Any]:
    """The scale of continuous colours."""
    from matplotlib.colors import to_hex

    shares = np.linspace(0, 1, _SHADES)
    colours = map(to_hex, style.find_colormap(VALUE_COLORMAP)(shares))
    scale = [[float(share), colour] for share, colour in zip(shares, colours, strict=True)]
    return {"title": by.title, "low": by.low, "high": by.high, "scale": scale}


def _step(
    step: int, result: EmbeddingResult, sample: np.ndarray, by: ClassColours | ValueColours
) -> dict[str, Any]:
    """The data that changes from step to step: points, predictions, measures."""
    return {
        "step": step,
        "points": [
            _packed(result.embeddings[sample, column], np.float32) for column in range(len(result.layers))
        ],
        "predicted": _packed(result.examples.classes[sample, 0], np.int32),
        "probabilities": _packed(result.examples.probabilities[sample, 0], np.float32),
        # For a regression: the number that colours each point, and its values and label as text.
        "values": _packed(by.numbers(result)[sample], np.float32) if isinstance(by, ValueColours) else None,
        "lines": [value_lines(result.examples, row) for row in sample.tolist()]
        if isinstance(by, ValueColours)
        else None,
        "measures": [
            {name: round(float(values[column]), 3) for name, values in result.measures.items()}
            for column in range(len(result.layers))
        ],
    }


def _sprite(thumbnails: np.ndarray, sample: np.ndarray, most: int) -> dict[str, Any]:
    """All thumbnails in one image, which a browser decodes once; their side is at most `most` pixels."""
    thumbnails = thumbnails[sample]
    if thumbnails.shape[1] > most:
        images = [Image.fromarray(image).resize((most, most), Image.Resampling.BOX) for image in thumbnails]
        thumbnails = np.stack([np.asarray(image) for image in images])
    side = thumbnails.shape[1]
    columns = math.ceil(math.sqrt(len(sample)))
    rows = math.ceil(len(sample) / columns)
    cells = np.zeros((rows * columns, side, side, 3), np.uint8)
    cells[: len(sample)] = thumbnails
    grid = cells.reshape(rows, columns, side, side, 3).swapaxes(1, 2)
    pixels = grid.reshape(rows * side, columns * side, 3)
    return {
        "source": style.data_uri(pixels, most=max(pixels.shape), quality=70),
        "side": side,
        "columns": columns,
    }
