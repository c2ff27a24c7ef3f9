"""Caricatures beside their image, as tiles for figure, page and view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.grid import enlarged

if TYPE_CHECKING:
    from mlflow_interp.kinds.caricature.result import CaricatureResult


def tiles_of(result: CaricatureResult, index: int) -> dict[str, np.ndarray]:
    """By heading, (h, w, 3) uint8: the image, and a caricature for each layer."""
    images = result.examples.images
    tiles = {} if images is None else {"picture": enlarged(images[index])}
    for layer, image in zip(result.layers, result.images[index], strict=True):
        pixels = np.rint(image * 255).astype(np.uint8)
        tiles[layer] = enlarged(np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels[..., :3])
    return tiles


def notes_of(result: CaricatureResult, index: int) -> list[tuple[str, str]]:
    """Lines of text about an input with their colours: the cosine at each of the first four layers."""
    lines = []
    for column, layer in enumerate(result.layers[:4]):
        cosine = result.cosines[index, column]
        baseline = result.baseline_cosines[index, column]
        comparison = f" (other inputs {baseline:.2f})" if np.isfinite(baseline) else ""
        lines.append((f"{layer}: cosine {cosine:.2f}{comparison}", style.FAINT))
    return lines
