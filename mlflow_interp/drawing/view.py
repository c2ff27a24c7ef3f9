"""The part of a method in the page of its run: a headline, small images and facts of each input, points.

A kind that defines `view(result, **options) -> View` appears on that page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.examples import MOST_IMAGES, Examples
from mlflow_interp.drawing import style

MOST_BYTES = 600_000  # of all images of one method, about; more inputs have smaller images
SMALLEST = 64  # pixels of the longer side of an image
LARGEST = 256
_BYTES_A_PIXEL = 0.28  # of base64; photographs take 0.28, noisy images up to 0.4
_QUALITY = 75

#: A caption and pixels (h, w, 3) uint8.
Tile = tuple[str, np.ndarray]


@dataclass(frozen=True)
class View:
    """One method on the page of its run.

    Attributes:
        title: the method and its layer, such as "Grad-CAM at head_relu".
        headline: the main finding, in a sentence.
        inputs: a row an input, see `rows`.
        scatter: the positions of inputs at each layer, or None; see `kinds.embedding.view`.
        matrix: the most frequent cells of a confusion matrix, or None; see `kinds.confusion_matrix.view`.
    """

    title: str
    headline: str
    inputs: Sequence[Mapping[str, Any]]
    scatter: Mapping[str, Any] | None = None
    matrix: Mapping[str, Any] | None = None


def side_of(count: int) -> int:
    """Most pixels of the side of each of `count` images, so that all take about `MOST_BYTES`."""
    return int(np.clip(math.sqrt(MOST_BYTES / _BYTES_A_PIXEL / max(1, count)), SMALLEST, LARGEST))


def tile(pixels: np.ndarray, side: int = LARGEST) -> str:
    """An image as a data: URI; a very small one is stored without loss."""
    if max(pixels.shape[:2]) <= SMALLEST // 2:
        return style.data_uri(pixels, lossless=True)
    return style.data_uri(pixels, most=side, quality=_QUALITY)


def rows(
    examples: Examples,
    *,
    tiles: Sequence[Sequence[Tile]] = (),
    notes: Sequence[Sequence[str]] = (),
    targets: Sequence[int] | np.ndarray | None = None,
    images: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """A row for each of the first 64 inputs: its facts, its image, and the tiles that the method drew.

    Args:
        examples: the inputs and their predictions.
        tiles: the tiles of each input.
        notes: lines of text about each input.
        targets: the explained class of each input.
        images: thumbnails, for `examples` without images.
    """
    count = min(len(examples), MOST_IMAGES)
    side = side_of(count * max([1, *(len(each) for each in tiles)]))
    images = images if examples.images is None else examples.images
    table = []
    for index in range(count):
        row = facts(examples, index)
        if images is not None and index < len(images):
            row["picture"] = tile(images[index], side_of(count))
        row["tiles"] = [[caption, tile(pixels, side)] for caption, pixels in (tiles[index] if tiles else ())]
        row["notes"] = list(notes[index]) if notes else []
        if targets is not None:
            row["target"] = examples.class_name(int(targets[index]))
        table.append(row)
    return table


def facts(examples: Examples, index: int) -> dict[str, Any]:
    """The position and name of an input, its label where known, and its predictions."""
    label = int(examples.labels[index])
    name = examples.class_name
    classes = examples.classes[index].tolist()
    probabilities = examples.probabilities[index].tolist()
    probabilities += [None] * (len(classes) - len(probabilities))
    return {
        "index": int(examples.indices[index]),
        "name": examples.names[index],
        "label": None if label == UNKNOWN else label,
        "labelName": None if label == UNKNOWN else name(label),
        "predicted": int(classes[0]) if classes else None,
        "predictions": [
            [name(predicted), None if probability is None else round(probability, 4)]
            for predicted, probability in zip(classes, probabilities, strict=True)
        ],
    }
