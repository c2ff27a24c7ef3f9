"""What a kind brings to the page of a run: small images and facts of each input, points, a headline.

A kind that has `view(result, **options) -> View` takes part in that page.
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

MOST_BYTES = 600_000  # about so many take the pictures of one method; more inputs, smaller pictures
SMALLEST, LARGEST = 64, 256  # pixels of their longer side
_BYTES_A_PIXEL = 0.28  # of base64; photographs take 0.28, what is noisy up to 0.4
_QUALITY = 75

#: A caption and pixels (h, w, 3) uint8.
Tile = tuple[str, np.ndarray]


@dataclass(frozen=True)
class View:
    """One method on the page of its run.

    Attributes:
        title: what is shown, such as "Grad-CAM at head_relu".
        headline: what it found, in a sentence.
        inputs: a row an input, see `rows`.
        scatter: where inputs lie at each layer, or None; see `figures.embedding_panels`.
        matrix: which class was taken for which, or None; see `figures.confusion_panels`.
    """

    title: str
    headline: str
    inputs: Sequence[Mapping[str, Any]]
    scatter: Mapping[str, Any] | None = None
    matrix: Mapping[str, Any] | None = None


def side_of(count: int) -> int:
    """Most pixels of a picture's side where a method has so many, so that all take about `MOST_BYTES`."""
    return int(np.clip(math.sqrt(MOST_BYTES / _BYTES_A_PIXEL / max(1, count)), SMALLEST, LARGEST))


def tile(pixels: np.ndarray, side: int = LARGEST) -> str:
    """A picture as a data: URI; one of few pixels keeps each of them."""
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
    """A row for each of the first 64 inputs: its facts, its picture, and what the method drew of it.

    Args:
        examples: what was put in and what the model said.
        tiles: of each input.
        notes: lines of text about each input.
        targets: the class explained of each input.
        pictures: small ones to show where `examples` has none.
    """
    shown = min(len(examples), MOST_IMAGES)
    side = side_of(shown * max([1, *(len(each) for each in tiles)]))
    seen = images if examples.images is None else examples.images
    found = []
    for at in range(shown):
        row = facts(examples, at)
        if seen is not None and at < len(seen):
            row["picture"] = tile(seen[at], side_of(shown))
        row["tiles"] = [[caption, tile(pixels, side)] for caption, pixels in (tiles[at] if tiles else ())]
        row["notes"] = list(notes[at]) if notes else []
        if targets is not None:
            row["target"] = examples.class_name(int(targets[at]))
        found.append(row)
    return found


def facts(examples: Examples, at: int) -> dict[str, Any]:
    """Which input it is, its label where known, and what the model said of it."""
    label, name = int(examples.labels[at]), examples.class_name
    classes, chances = examples.classes[at].tolist(), examples.probabilities[at].tolist()
    chances += [None] * (len(classes) - len(chances))
    return {
        "index": int(examples.indices[at]),
        "name": examples.names[at],
        "label": None if label == UNKNOWN else label,
        "labelName": None if label == UNKNOWN else name(label),
        "predicted": int(classes[0]) if classes else None,
        "predictions": [
            [name(best), None if chance is None else round(chance, 4)]
            for best, chance in zip(classes, chances, strict=True)
        ],
    }
