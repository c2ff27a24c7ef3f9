"""Inputs that are not images, drawn under what a method found in them: one drawing a kind of input.

A signal is a line on a ground of heat, a text its tokens coloured, a table bars, a volume its slices, a
plane of any number of channels a grey image. Each gives a tile for a grid, (height, width, 3) uint8.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mlflow_interp.core.image_arrays import rescale
from mlflow_interp.drawing import style
from mlflow_interp.drawing.overlay import overlay, resize_map
from mlflow_interp.drawing.palette import class_colours

WIDE, HIGH = 360, 180  # pixels of a tile of lines, bars or tokens
FINE = 2  # times finer they are drawn, then made smaller: edges are smooth
MOST_TOKENS, MOST_BARS, MOST_SLICES = 120, 16, 12
SIDE = 448  # pixels of a tile made of pixels, about


def draw_input(
    values: np.ndarray | None, heat: np.ndarray, colours: Any, *, opacity: float | None
) -> np.ndarray:
    """One input under its heat.

    Args:
        values: the input as the model is fed it, without its batch axis; None where it is not at hand.
        heat: (length), (height, width) or (depth, height, width) in 0..1, at any resolution.
        colours: the colormap.
        opacity: how much the strongest heat covers, and none nothing; None shows the colours alone.
    """
    if heat.ndim == 3:
        return _volume(values, heat, colours, opacity)
    if heat.ndim == 2:
        return _plane(_grey(values, 3), heat, colours, opacity, SIDE)
    if values is not None and values.ndim == 1:
        return _tokens(values, heat, colours, opacity)
    return _signal(values if values is not None and values.ndim == 2 else None, heat, colours, opacity)


def draw_bars(values: np.ndarray | None, shares: np.ndarray, colours: Any) -> np.ndarray:
    """A row of a table: a bar for each value, to the left where what was found is negative.

    Of many values those with the strongest bars are drawn, in the order of the row.

    Args:
        values: (n,) the row; None where it is not at hand.
        shares: (n,) in -1..1, what was found.
        colours: the colormap, of the strength.
    """
    tile = Image.new("RGB", (FINE * WIDE, FINE * HIGH), "white")
    pen = ImageDraw.Draw(tile)
    chosen = np.sort(np.argsort(-np.abs(shares), kind="stable")[:MOST_BARS])
    high, (left, right) = tile.height / len(chosen), (0.22 * tile.width, 0.98 * tile.width)
    middle, reach = (left + right) / 2, (right - left) / 2
    font = _font(min(12 * FINE, 0.8 * high))
    for place, index in enumerate(chosen.tolist()):
        top, share = place * high, float(shares[index])
        ends = sorted((middle, middle + share * reach))
        shade = tuple(np.rint(255 * np.asarray(colours(0.25 + 0.5 * abs(share))[:3])).astype(int).tolist())
        if share:
            pen.rectangle(
                (ends[0], top + 0.1 * high, ends[1], top + 0.9 * high), fill=shade, outline=style.FAINT
            )
        name = f"{index}" if values is None else f"{index}: {values[index]:.3g}"
        pen.text((left - 6 * FINE, top + high / 2), name, fill=style.INK, font=font, anchor="rm")
    pen.line((middle, 0, middle, tile.height), fill=style.FAINT, width=FINE)
    return np.asarray(tile.reduce(FINE))


def _signal(values: np.ndarray | None, heat: np.ndarray, colours: Any, opacity: float | None) -> np.ndarray:
    length = len(heat) if values is None else len(values)
    across = np.linspace(0, 1, FINE * WIDE)
    ground = _ground(np.interp(across, np.linspace(0, 1, len(heat)), heat), colours, opacity)
    tile = Image.new("RGB", (FINE * WIDE, FINE * HIGH), "white")
    field = FINE * (HIGH - _AXIS)
    tile.paste(
        Image.fromarray(np.rint(255 * ground[np.newaxis]).astype(np.uint8)).resize((tile.width, field))
    )
    channels = [] if values is None else list(0.94 - 0.88 * rescale(values.T[np.newaxis])[0])
    for channel, shade in zip(channels, class_colours(len(channels)), strict=True):
        for ink, thick in (("white", 4 * FINE), (shade, 2 * FINE)):
            cover = _line(channel * field, (field, tile.width), thick)
            tile.paste(ink, (0, 0), Image.fromarray(cover))
    return _with_axis(tile, length)


_AXIS = 22  # pixels below a signal, for the numbers of its steps


def _line(heights: np.ndarray, size: tuple[int, int], thick: float) -> np.ndarray:
    """How much of each pixel a line covers, in 0..255; it runs from left to right at `heights` from above."""
    high, wide = size
    at, edges = np.arange(len(heights)), np.linspace(0, len(heights) - 1, wide + 1)
    # Between the edges of a pixel all values count, so that no peak is lost.
    places = np.sort(np.concatenate([edges, at]), kind="stable")
    starts, seen = np.searchsorted(places, edges[:-1]), np.interp(places, at, heights)
    bounds = np.interp(edges, at, heights)
    least = np.minimum(np.minimum.reduceat(seen, starts), bounds[1:])
    most = np.maximum(np.maximum.reduceat(seen, starts), bounds[1:])
    # A steep line is cut slantwise by a column, up to where its tips would grow long.
    slant = np.hypot(1, np.minimum(3, np.abs(np.diff(bounds))))
    tall, middle = np.maximum(most - least + thick, slant * thick), (most + least) / 2
    row = np.arange(high, dtype=np.int32)[:, np.newaxis]
    top, low = ((255 * (middle + side * tall / 2)).astype(np.int32) for side in (-1, 1))
    cover = np.minimum(255 * row + 255, low) - np.maximum(255 * row, top)
    return np.asarray(np.clip(cover, 0, 255).astype(np.uint8))


def _with_axis(tile: Image.Image, length: int) -> np.ndarray:
    """A tile with round numbers of steps written below it, at its real size."""
    from matplotlib.ticker import MaxNLocator

    pen, font = ImageDraw.Draw(tile), _font(11 * FINE)
    top, last = tile.height - _AXIS * FINE, max(1, length - 1)
    for step in MaxNLocator(6, integer=True).tick_values(0, last):
        if not 0 <= step < length:
            continue
        left, name = step / last * (tile.width - 1), f"{step:.0f}"
        half = pen.textlength(name, font) / 2
        pen.line((left, top, left, top + 3 * FINE), fill=style.FAINT, width=FINE)
        left = min(max(left, half), tile.width - half)
        pen.text((left, top + 5 * FINE), name, fill=style.FAINT, font=font, anchor="ma")
    return np.asarray(tile.reduce(FINE))


def _tokens(values: np.ndarray, heat: np.ndarray, colours: Any, opacity: float | None) -> np.ndarray:
    shown = values[:MOST_TOKENS]
    heat = np.interp(np.linspace(0, 1, len(values)), np.linspace(0, 1, len(heat)), heat)[: len(shown)]
    columns = max(4, math.ceil(math.sqrt(len(shown) * 2)))
    rows = math.ceil(len(shown) / columns)
    ground = np.ones((rows * columns, 3))
    ground[: len(shown)] = _ground(heat, colours, opacity)
    cells = Image.fromarray(np.rint(255 * ground).astype(np.uint8).reshape(rows, columns, 3))
    tile = cells.resize((FINE * WIDE, FINE * HIGH), Image.Resampling.NEAREST)
    names, pen = [f"{token:.6g}" for token in shown], ImageDraw.Draw(tile)
    wide, high = tile.width / columns, tile.height / rows
    # Digits are about 0.6 of their size wide; the longest must fit its cell.
    font = _font(min(17 * FINE, 0.8 * high, wide / (0.7 * max(map(len, names)))))
    dark = ground @ (0.299, 0.587, 0.114) < 0.5
    for place, name in enumerate(names):
        row, column = divmod(place, columns)
        at = ((column + 0.5) * wide, (row + 0.5) * high)
        pen.text(at, name, fill="white" if dark[place] else style.INK, font=font, anchor="mm")
    return np.asarray(tile.reduce(FINE))


def _volume(values: np.ndarray | None, heat: np.ndarray, colours: Any, opacity: float | None) -> np.ndarray:
    """Slices along the first axis, from left to right and from top to bottom."""
    grey = _grey(values, 4)
    depth = len(heat) if grey is None else len(grey)
    chosen = np.unique(np.linspace(0, depth - 1, min(depth, MOST_SLICES)).astype(int))
    columns = math.ceil(math.sqrt(len(chosen)))
    side = SIDE // columns
    slices = [
        _plane(
            None if grey is None else grey[at],
            _at_depth(heat, at / max(depth - 1, 1)),
            colours,
            opacity,
            side,
        )
        for at in chosen
    ]
    slices += [np.full_like(slices[0], 255)] * (-len(slices) % columns)
    framed = [np.pad(each, ((1, 1), (1, 1), (0, 0)), constant_values=255) for each in slices]
    return np.concatenate(
        [np.concatenate(framed[row : row + columns], axis=1) for row in range(0, len(framed), columns)]
    )


def _at_depth(heat: np.ndarray, share: float) -> np.ndarray:
    """The heat between two slices of it."""
    place = share * (len(heat) - 1)
    below, above = math.floor(place), math.ceil(place)
    return np.asarray(heat[below] + (place - below) * (heat[above] - heat[below]))


def _plane(
    grey: np.ndarray | None, heat: np.ndarray, colours: Any, opacity: float | None, side: int
) -> np.ndarray:
    """A grey picture (height, width) in 0..1 under its heat, the longer side about `side`; or heat alone."""
    high, wide = (heat if grey is None else grey).shape
    times = side / max(high, wide)
    size = max(1, round(high * times)), max(1, round(wide * times))
    heat = np.clip(resize_map(heat, *size), 0, 1)
    if grey is None or opacity is None:
        return np.asarray(colours(heat, bytes=True)[..., :3])
    picture = np.rint(resize_map(grey, *size) * 255).astype(np.uint8)
    return overlay(np.repeat(picture[..., np.newaxis], 3, axis=-1), heat, colours(heat)[..., :3], opacity)


def _grey(values: np.ndarray | None, axes: int) -> np.ndarray | None:
    """The mean over channels, in 0..1; None for inputs of other axes."""
    if values is None or values.ndim != axes:
        return None
    return np.asarray(rescale(values.mean(axis=-1)[np.newaxis])[0])


def _ground(heat: np.ndarray, colours: Any, opacity: float | None) -> np.ndarray:
    """Colours (…, 3) in 0..1 of heat on white paper."""
    share = 1.0 if opacity is None else (heat * opacity)[..., np.newaxis]
    return np.asarray(np.clip(1 - share + share * colours(heat)[..., :3], 0, 1))


@cache
def _font(size: float) -> ImageFont.FreeTypeFont:
    """The font that figures have, in pixels."""
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), size)
