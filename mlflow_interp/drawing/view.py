"""A method's part of the run's page: a headline, small images and facts of each input, a panel.

A kind that defines `view(result, **options) -> View` appears on that page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.contrast import explained_name
from mlflow_interp.core.examples import Examples, Explained
from mlflow_interp.core.findings import Finding
from mlflow_interp.core.regression import value_lines, value_name
from mlflow_interp.drawing import style

MOST_BYTES = 900_000  # approximate bytes of all tiles of one method; more inputs have smaller tiles
MOST_BYTES_OF_IMAGES = 1_200_000  # of the images of its inputs, which are drawn large
SMALLEST = 64  # pixels of the longer side of an image
LARGEST = 256
_BYTES_A_PIXEL = 0.28  # of base64; photographs take 0.28, noisy images up to 0.4
_QUALITY = 75

#: A caption and pixels (h, w, 3) uint8.
Tile = tuple[str, np.ndarray]


@dataclass(frozen=True)
class Panel:
    """A panel that a kind draws on the page of a run by its own script, `kinds/<kind>/panel.js`.

    Attributes:
        kind: the name of the kind's folder.
        data: plain JSON values for the script.
    """

    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Neighbours:
    """The inputs that are nearest to each of some inputs.

    Attributes:
        by: what they are near by, such as "at dense_1".
        of: the indices of the nearest inputs, the nearest first, by the index of the input.
    """

    by: str
    of: Mapping[int, Sequence[int]]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"by": self.by, "of": {str(index): list(nearest) for index, nearest in self.of.items()}}


@dataclass(frozen=True)
class View:
    """One method on the page of its run.

    Attributes:
        title: the method and its layer, such as "Grad-CAM at head_relu".
        headline: the main finding, in a sentence.
        inputs: one row per input, see `rows`.
        panel: a panel next to the tiles, drawn by the kind's own script, or None.
        overview: all inputs, see `drawing.overview`; None if the method has seen a selection only.
        findings: sentences that hold for all inputs.
        heat: heatmaps that the page draws over the image of each input, see `drawing.heat`; else None.
        neighbours: the inputs that are nearest to each by a measure of the method, for the panels of others.
    """

    title: str
    headline: str
    inputs: Sequence[Mapping[str, Any]]
    panel: Panel | None = None
    overview: Mapping[str, Any] | None = None
    findings: Sequence[Finding] = ()
    heat: Mapping[str, Any] | None = None
    neighbours: Neighbours | None = None


def side_of(count: int, most_bytes: int = MOST_BYTES) -> int:
    """The maximum side in pixels of each of `count` images, so that all take about `most_bytes`."""
    return int(np.clip(math.sqrt(most_bytes / _BYTES_A_PIXEL / max(1, count)), SMALLEST, LARGEST))


def tile(pixels: np.ndarray, side: int = LARGEST) -> str:
    """An image as a data: URI; a very small one is stored losslessly."""
    if max(pixels.shape[:2]) <= SMALLEST // 2:
        return style.data_uri(pixels, lossless=True)
    return style.data_uri(pixels, most=side, quality=_QUALITY)


def rows(
    examples: Examples,
    *,
    tiles: Sequence[Sequence[Tile]] = (),
    notes: Sequence[Sequence[str]] = (),
    explained: Explained | None = None,
    thumbnails: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """A row for each input that is shown: its facts, its image, and the tiles that the method drew.

    For an image that is a crop, the row also has the whole image and the box of the crop; see `WholeImage`.

    Args:
        examples: the inputs and their predictions.
        tiles: the tiles of each shown input.
        notes: lines of text about each shown input.
        explained: the explained class of every input, if there is one.
        thumbnails: a thumbnail of every input, for `examples` without images.
    """
    shown = examples.shown_rows.tolist()
    side = side_of(len(shown) * max([1, *(len(each) for each in tiles)]))
    images = shown_images(examples, thumbnails)
    table = []
    for position, index in enumerate(shown):
        row = facts(examples, index)
        if images is not None:
            row["picture"] = tile(images[position], side_of(len(shown), MOST_BYTES_OF_IMAGES))
            if examples.wholes and (whole := examples.wholes[position]) is not None:
                row["whole"] = {"source": tile(whole.pixels, side), "box": list(whole.box)}
        row["tiles"] = [
            [caption, tile(pixels, side)] for caption, pixels in (tiles[position] if tiles else ())
        ]
        row["notes"] = list(notes[position]) if notes else []
        if explained is not None and explained.has_target:
            row["target"] = explained_name(explained, index)
        table.append(row)
    return table


def shown_images(examples: Examples, thumbnails: np.ndarray | None = None) -> np.ndarray | None:
    """(m, h, w, 3) uint8 of the inputs that are shown: images, else thumbnails; None without either."""
    if examples.images is not None:
        return examples.images
    thumbnails = examples.thumbnails if thumbnails is None else thumbnails
    return None if thumbnails is None else thumbnails[examples.shown_rows]


def target_name(examples: Examples, target: int) -> str:
    """The name of an explained class; for a regression the name of the value, "" if it is the only one."""
    if examples.has_classes:
        return examples.class_name(target)
    return value_name(examples, target) if examples.classes.shape[1] > 1 else ""


def facts(examples: Examples, index: int) -> dict[str, Any]:
    """The position and name of an input, its label if known, and its predictions."""
    label = int(examples.labels[index])
    if not examples.has_classes:
        return {
            "index": int(examples.indices[index]),
            "name": examples.names[index],
            "label": None,
            "labelName": None,
            "predicted": None,
            "predictions": [list(line) for line in value_lines(examples, index)],
        }
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
