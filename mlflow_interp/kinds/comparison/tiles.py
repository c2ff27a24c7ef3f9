"""An input with the heatmaps of both versions and their difference, as tiles for figure, page and view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.drawing import style
from mlflow_interp.drawing.grid import enlarged
from mlflow_interp.drawing.input_tiles import draw_bars, draw_input
from mlflow_interp.drawing.overlay import overlay, resize_map
from mlflow_interp.result_kind import Kind

if TYPE_CHECKING:
    from mlflow_interp.kinds.comparison.result import ComparisonResult, MapPair

VERSIONS = ("old", "new")
_OPACITY = 0.7


@dataclass(frozen=True, eq=False)
class PairTiles:
    """The tiles of the inputs that are shown, in their order.

    Attributes:
        headings: of each tile.
        pixels: the tiles of each input, (h, w, 3) uint8.
    """

    headings: tuple[str, ...]
    pixels: Sequence[Sequence[np.ndarray]]


def make_tiles(result: ComparisonResult) -> PairTiles:
    """The image, and the heatmaps of each method: old, new, and new minus old."""
    headings: list[str] = []
    columns: list[list[np.ndarray]] = []
    for pair in result.pairs:
        old, new = (_tiles_of(each) for each in (pair.old, pair.new))
        at = _position(pair, len(old.headings))
        if not columns and old.headings[0] == "image":
            headings.append("image")
            columns.append([each[0] for each in old.pixels])
        one = f" {pair.title}" if len(result.pairs) > 1 else ""
        for heading, made in zip(VERSIONS, (old, new), strict=True):
            headings.append(f"{heading}{one}")
            columns.append([each[at] for each in made.pixels])
        if pair.has_difference:
            headings.append("new − old")
            columns.append(_differences(pair))
    pixels = [list(each) for each in zip(*columns, strict=True)] if columns else [[] for _ in result.shown]
    return PairTiles(tuple(headings), pixels)


def _differences(pair: MapPair) -> list[np.ndarray]:
    """New minus old, each relative to its strongest heat: over the image, or over the values of other inputs.

    Relative to the heat and not to the difference, so that two maps that are nearly the same look it.
    """
    colours = style.diverging_colormap("RdBu_r")
    examples = pair.new.examples
    found = []
    for position, heat in enumerate(pair.differences()):
        if examples.images is not None:
            image = enlarged(np.asarray(examples.images)[position])
            resized = np.clip(resize_map(heat, *image.shape[:2]), -1, 1)
            found.append(overlay(image, resized, colours((resized + 1) / 2)[..., :3], _OPACITY))
        else:
            value = None if examples.values is None else np.asarray(examples.values[position])
            signed = _signed(colours)
            if heat.ndim == 1 and value is not None and value.ndim == 1 and value.dtype.kind == "f":
                found.append(draw_bars(value, heat, signed, signed=True))
            else:
                found.append(draw_input(value, heat, signed, opacity=_OPACITY))
    return found


def _signed(colours: Any) -> Any:
    return lambda heat, **settings: colours((np.asarray(heat) + 1) / 2, **settings)


def _tiles_of(result: Any) -> Any:
    """The tiles that the kind of a result makes."""
    package = type(result).__module__.rpartition(".")[0]
    make = Kind(package).make_tiles
    if make is None:
        raise TypeError(f"{package} makes no tiles")
    return make(result)


def _position(pair: MapPair, count: int) -> int:
    """The position of a heatmap among the tiles of its method, which end with all its heatmaps."""
    names = [*_names(pair)]
    return count - len(names) + names.index(pair.name)


def _names(pair: MapPair) -> Sequence[str]:
    maps = Kind(type(pair.old).__module__.rpartition(".")[0]).maps
    return [] if maps is None else list(maps(pair.old))
