"""Caricatures beside their image, as tiles for figure, page and view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.grid import enlarged

if TYPE_CHECKING:
    from mlflow_interp.kinds.caricature.result import CaricatureResult


def tiles_of(result: CaricatureResult, index: int) -> dict[str, np.ndarray]:
    """By heading, (h, w, 3) uint8: the picture, and a caricature a layer."""
    pictures = result.examples.images
    tiles = {} if pictures is None else {"picture": enlarged(pictures[index])}
    for layer, image in zip(result.layers, result.images[index], strict=True):
        pixels = np.rint(image * 255).astype(np.uint8)
        tiles[layer] = enlarged(np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels[..., :3])
    return tiles


def notes_of(result: CaricatureResult, index: int) -> list[tuple[str, str]]:
    """Lines about an input with their colours: the cosine at each layer, of the first four."""
    lines = []
    for number, layer in enumerate(result.layers[:4]):
        cosine, other = result.cosines[index, number], result.baseline_cosines[index, number]
        against = f" (other inputs {other:.2f})" if np.isfinite(other) else ""
        lines.append((f"{layer}: cosine {cosine:.2f}{against}", style.FAINT))
    return lines
