"""Caricatures next to their image, as tiles for figure, page and view."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.grid import enlarged
from mlflow_interp.drawing.tiles import Tiles
from mlflow_interp.drawing.tone import drawn
from mlflow_interp.kinds.caricature.difference import CaricatureDifference

if TYPE_CHECKING:
    from mlflow_interp.kinds.caricature.result import CaricatureResult


def make_tiles(
    result: CaricatureResult | CaricatureDifference, positions: Iterable[int] | None = None
) -> Tiles:
    """The image of each shown input, and its caricature at each layer; for a difference, both caricatures.

    Args:
        result: the caricatures.
        positions: positions in `shown_rows`; by default all.
    """
    images = result.examples.images
    headings = (*(() if images is None else ("image",)), *_headings(result))
    return Tiles.of(result.examples.shown_rows, positions, headings, partial(_tiles, result))


def _tiles(result: CaricatureResult | CaricatureDifference, position: int, row: int) -> list[np.ndarray]:
    images = result.examples.images
    image = [] if images is None else [enlarged(images[position])]
    return [*image, *(enlarged(drawn(each)) for each in _caricatures(result, row))]


def _caricatures(result: CaricatureResult | CaricatureDifference, row: int) -> list[np.ndarray]:
    if not isinstance(result, CaricatureDifference):
        return list(result.images[row])
    pairs = zip(result.minuend.images[row], result.subtrahend.images[row], strict=True)
    return [image for pair in pairs for image in pair]


def _headings(result: CaricatureResult | CaricatureDifference) -> list[str]:
    if not isinstance(result, CaricatureDifference):
        return list(result.layers)
    return [f"{layer}, {which}" for layer in result.layers for which in ("first", "second")]


def notes_of(result: CaricatureResult | CaricatureDifference, index: int) -> list[tuple[str, str]]:
    """Lines of text about an input with their colours: the cosine at each of the first four layers."""
    if isinstance(result, CaricatureDifference):
        changes = zip(
            result.layers[:4],
            result.cosines[index].tolist(),
            result.minuend.cosines[index].tolist(),
            result.subtrahend.cosines[index].tolist(),
            strict=False,
        )
        return [
            (f"{layer}: cosine {change:+.2f} ({first:.2f} − {second:.2f})", style.FAINT)
            for layer, change, first, second in changes
        ]
    lines = []
    for column, layer in enumerate(result.layers[:4]):
        cosine = result.cosines[index, column]
        baseline = result.baseline_cosines[index, column]
        comparison = f" (other inputs {baseline:.2f})" if np.isfinite(baseline) else ""
        lines.append((f"{layer}: cosine {cosine:.2f}{comparison}", style.FAINT))
    return lines


def measures_of(result: CaricatureResult | CaricatureDifference, index: int) -> list[list[tuple[str, str]]]:
    """For each caricature of an input, lines of text with their colours: its cosine, and one to compare."""
    if isinstance(result, CaricatureDifference):
        pairs = zip(result.minuend.cosines[index], result.subtrahend.cosines[index], strict=True)
        return [
            [
                (f"cosine {cosine:.2f}", style.FAINT),
                (f"({first - second:+.2f})" if at == 0 else "", style.FAINT),
            ]
            for first, second in pairs
            for at, cosine in enumerate((first, second))
        ]
    pairs = zip(result.cosines[index].tolist(), result.baseline_cosines[index].tolist(), strict=True)
    return [
        [(f"cosine {cosine:.2f}", style.FAINT)]
        + [(f"(others {others:.2f})", style.FAINT)] * bool(np.isfinite(others))
        for cosine, others in pairs
    ]
