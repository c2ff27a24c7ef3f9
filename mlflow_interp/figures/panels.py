"""What a method gives to the page of its run: small pictures and facts of each input, places, a headline.

A figure module that has `panels(result, **options) -> Panels` takes part in that page. What it gives is kept
beside the figure as index.json, so that whoever logs into the run later can make the page anew from it.
"""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from mlflow_interp.core import UNKNOWN
from mlflow_interp.figures import style
from mlflow_interp.results import MOST_PICTURES, Examples

PANELS_VERSION = 1
MOST_BYTES = 600_000  # about so many take the pictures of one method; more inputs, smaller pictures
SMALLEST, LARGEST = 64, 256  # pixels of their longer side
MOST_OF_STEPS = 1_000_000  # bytes of all steps together
_BYTES_A_PIXEL = 0.28  # of base64; photographs take 0.28, what is noisy up to 0.4
_QUALITY = 75
_SHARP = 150_000  # bytes up to which a figure stays the PNG that it is
_LARGEST_FIGURE, _WIDEST = 240_000, 1_400  # bytes and pixels of any other

#: A caption and pixels (h, w, 3) uint8.
Tile = tuple[str, np.ndarray]


@dataclass(frozen=True)
class Panels:
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
    pictures: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """A row for each of the first 64 inputs: its facts, its picture, and what the method drew of it.

    Args:
        examples: what was put in and what the model said.
        tiles: of each input.
        notes: lines of text about each input.
        targets: the class explained of each input.
        pictures: small ones to show where `examples` has none.
    """
    shown = min(len(examples), MOST_PICTURES)
    side = side_of(shown * max([1, *(len(each) for each in tiles)]))
    seen = pictures if examples.pictures is None else examples.pictures
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


def small_figure(png: bytes) -> str:
    """A figure as a data: URI: as it is where it takes little, else as a JPEG small enough for the page.

    Raises:
        OSError: it is no PNG; also ValueError and SyntaxError, as Pillow has it.
    """
    if len(png) <= _SHARP:
        return f"data:image/png;base64,{base64.b64encode(png).decode()}"
    with Image.open(io.BytesIO(png), formats=["PNG"]) as opened:
        image = opened.convert("RGB")
    widest = _WIDEST
    while True:
        image.thumbnail((widest, 10 * widest), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=80, optimize=True)
        if buffer.tell() <= _LARGEST_FIGURE or widest < 300:
            return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        widest = int(0.8 * image.width)


def as_json(
    panels: Panels,
    *,
    figure: bytes | None = None,
    series: Mapping[str, Sequence[tuple[int, float]]] | None = None,
) -> bytes:
    """Panels as the content of index.json.

    Args:
        panels: of one step.
        figure: the PNG of the method's figure.
        series: by name, the steps and values of metrics on the way.
    """
    shown = {
        "step": 0,
        "headline": panels.headline,
        "inputs": list(panels.inputs),
        "scatter": panels.scatter,
        "matrix": panels.matrix,
    }
    kept = {name: [list(point) for point in points] for name, points in (series or {}).items()}
    return _packed(panels.title, figure, "step", kept, [shown])


def over_steps(
    contents: Mapping[int, bytes], series: Mapping[str, Sequence[tuple[int, float]]], figure: bytes
) -> bytes | None:
    """The index.json of several steps, such as epochs, out of theirs: the last, and as many as have room.

    Args:
        contents: the index.json of each step, the last one last.
        series: by name, the steps and values of metrics.
        figure: the PNG of the last step's figure.
    """
    if not contents:
        return None
    numbers = list(contents)
    room = max(1, min(len(numbers), MOST_OF_STEPS // max(map(len, contents.values()))))
    chosen = [numbers[(at + 1) * len(numbers) // room - 1] for at in range(room)]
    steps = [json.loads(contents[number])["steps"][0] | {"step": number} for number in chosen]
    for step in steps[:-1]:
        for row in step["inputs"]:
            row.pop("picture", None)  # the same as in the last step
    kept = {name: [list(point) for point in points] for name, points in series.items()}
    return _packed(json.loads(contents[numbers[-1]])["title"], figure, "epoch", kept, steps)


def _packed(
    title: str, figure: bytes | None, over: str, series: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]
) -> bytes:
    content = {
        "schema_version": PANELS_VERSION,
        "title": title,
        "figure": None if figure is None else small_figure(figure),
        "over": over,
        "series": series,
        "steps": steps,
    }
    return json.dumps(content, allow_nan=False).encode()
