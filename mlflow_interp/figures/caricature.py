"""Caricatures beside their picture: a grid to look at, a page to walk through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlflow_interp.figures import style
from mlflow_interp.figures.grid import Strip, draw_grid, enlarged
from mlflow_interp.figures.panels import Panels, rows
from mlflow_interp.results import MOST_PICTURES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.methods.caricature import CaricatureResult


def draw(result: CaricatureResult) -> Figure:
    """Draw each picture beside its caricature at each layer, with how like the activations are.

    Args:
        result: Caricatures of any number of inputs; the first 64 are drawn.
    """
    strips = [
        Strip(name, list(_tiles(result, index).values()), _lines(result, index))
        for index, name in enumerate(result.examples.names[:MOST_PICTURES])
    ]
    title = style.with_count("Caricature", result.examples)
    return draw_grid(title, strips, headings=list(_tiles(result, 0)))


def _tiles(result: CaricatureResult, index: int) -> dict[str, np.ndarray]:
    """By heading, (h, w, 3) uint8: the picture, and a caricature a layer."""
    pictures = result.examples.pictures
    tiles = {} if pictures is None else {"picture": enlarged(pictures[index])}
    for layer, image in zip(result.layers, result.images[index], strict=True):
        pixels = np.rint(image * 255).astype(np.uint8)
        tiles[layer] = enlarged(np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels[..., :3])
    return tiles


def _lines(result: CaricatureResult, index: int) -> list[tuple[str, str]]:
    lines = []
    for number, layer in enumerate(result.layers[:4]):
        cosine, other = result.cosines[index, number], result.baseline_cosines[index, number]
        against = f" (other inputs {other:.2f})" if np.isfinite(other) else ""
        lines.append((f"{layer}: cosine {cosine:.2f}{against}", style.FAINT))
    return lines


def page(result: CaricatureResult) -> str:
    """A page that opens offline: the tiles of one input large, all inputs as thumbnails."""
    shown = min(len(result.examples), MOST_PICTURES)
    rows = [
        {
            "name": result.examples.names[index],
            "tiles": [[name, style.data_uri(tile, most=320)] for name, tile in _tiles(result, index).items()],
            "notes": [text for text, _ in _lines(result, index)],
        }
        for index in range(shown)
    ]
    more = len(result.examples) - shown
    return style.render("gallery.html", "gallery.js", title="Caricature", more=more, data=rows)


def panels(result: CaricatureResult) -> Panels:
    """The caricature of each input at each layer."""
    shown = range(min(len(result.examples), MOST_PICTURES))
    tiles = [list(_tiles(result, at).items())[-len(result.layers) :] for at in shown]
    near, other = float(result.cosines.mean()), float(result.baseline_cosines.mean())
    return Panels(
        title="Caricature",
        headline=f"cosine {near:.2f} to their input, {other:.2f} to other inputs",
        inputs=rows(result.examples, tiles=tiles, notes=[_said(result, at) for at in shown]),
    )


def _said(result: CaricatureResult, at: int) -> list[str]:
    return [text for text, _ in _lines(result, at)]
