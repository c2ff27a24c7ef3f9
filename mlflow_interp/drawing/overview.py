"""All inputs on the page of a run: a thumbnail and the prediction of each, few enough bytes for 1,500."""

from __future__ import annotations

import base64
import io
import math
from typing import Any

import numpy as np
from PIL import Image

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.examples import Examples
from mlflow_interp.core.regression import value_lines

MOST_INPUTS = 1_500  # of more inputs, a balanced sample that includes the selection
_SIDE = 48  # pixels of a thumbnail
_SHARP = 20  # pixels up to which thumbnails are lossless
_QUALITY = 60


def sample(examples: Examples) -> np.ndarray:
    """(m,) int64 sorted rows of the inputs in the overview."""
    if len(examples) <= MOST_INPUTS:
        return np.arange(len(examples))
    shown = examples.shown_rows
    balanced = np.setdiff1d(examples.balanced_sample(MOST_INPUTS), shown)
    return np.sort(np.concatenate([shown, balanced[: MOST_INPUTS - len(shown)]]))


def make_overview(examples: Examples) -> dict[str, Any] | None:
    """Name, label, prediction and thumbnail of every input, as plain values; None for a selection.

    Returns:
        count: the number of all inputs.
        indices, names, labels: of the inputs in the overview; label -1 where not known.
        predicted, confidence: their predicted class and its probability; lists of None for a regression.
        values: for a regression, lines of text about each; else None.
        classes: names by class index, of the classes that occur.
        thumbnails: one image with all thumbnails in rows of `columns`, each with `side` pixels; None if the
            inputs aren't images.
    """
    if examples.is_selection or not len(examples):
        return None
    rows = sample(examples)
    has_classes = examples.has_classes
    labels = examples.labels[rows].tolist() if has_classes else [UNKNOWN] * len(rows)
    predicted = examples.classes[rows, 0].tolist() if has_classes else [None] * len(rows)
    return {
        "count": len(examples),
        "indices": examples.indices[rows].tolist(),
        "names": [examples.names[row] for row in rows],
        "labels": labels,
        "predicted": predicted,
        "confidence": _confidences(examples, rows),
        "values": None
        if has_classes
        else [[list(line) for line in value_lines(examples, row)] for row in rows.tolist()],
        "classes": {
            str(index): examples.class_name(index)
            for index in sorted({*labels, *predicted} - {UNKNOWN, None})
        },
        "thumbnails": None if examples.thumbnails is None else sprite(examples.thumbnails[rows]),
    }


def _confidences(examples: Examples, rows: np.ndarray) -> list[float | None]:
    if not examples.has_classes or not examples.probabilities.shape[1]:
        return [None] * len(rows)
    return [round(value, 4) for value in examples.probabilities[rows, 0].tolist()]


def sprite(thumbnails: np.ndarray) -> dict[str, Any]:
    """Thumbnails (m, side, side, 3) uint8 as one image in a data: URI, and where each of them is."""
    count, original = thumbnails.shape[:2]
    side = min(original, _SIDE)
    columns = math.ceil(math.sqrt(count))
    sheet = Image.new("RGB", (columns * side, math.ceil(count / columns) * side))
    for index, pixels in enumerate(thumbnails):
        image = Image.fromarray(pixels)
        if side < original:
            image = image.resize((side, side), Image.Resampling.BOX)
        sheet.paste(image, (index % columns * side, index // columns * side))
    buffer = io.BytesIO()
    is_sharp = side <= _SHARP
    if is_sharp:
        sheet.save(buffer, "PNG", compress_level=9)
    else:
        sheet.save(buffer, "WEBP", quality=_QUALITY, method=2)
    kind = "png" if is_sharp else "webp"
    return {
        "source": f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}",
        "side": side,
        "columns": columns,
    }
