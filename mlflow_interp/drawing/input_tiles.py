"""Inputs that are not images, drawn with their heatmap in a form for each kind of input.

A signal is drawn as a line on a background of heat, text as coloured tokens, a table row as bars, a volume as
slices, a plane with any number of channels as a grey image. Each becomes a tile (height, width, 3) uint8.
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
from mlflow_interp.drawing.overlay import overlay, plane_at, resize_map
from mlflow_interp.drawing.palette import class_colours

WIDTH = 360  # pixels of a tile of lines, bars or tokens
HEIGHT = 180
OVERSAMPLING = 2  # they are drawn larger and then reduced, for smooth edges
MOST_TOKENS = 120
MOST_BARS = 16
MOST_SLICES = 12
SIDE = 448  # approximate pixels of a tile made of pixels
_AXIS_HEIGHT = 22  # pixels below a signal, for the numbers of its steps


def draw_input(
    values: np.ndarray | None, heat: np.ndarray, colours: Any, *, opacity: float | None
) -> np.ndarray:
    """One input with its heatmap.

    Args:
        values: the input as the model takes it, without its batch axis; None if it is not in memory.
        heat: (length), (height, width) or (depth, height, width) in -1..1, at any resolution.
        colours: the colours of heat.
        opacity: opacity of the strongest heat (zero heat is transparent); None shows the colours alone.
    """
    if heat.ndim == 3:
        return _volume(values, heat, colours, opacity)
    if heat.ndim == 2:
        return _plane(_grey(values, 3), heat, colours, opacity, SIDE)
    if values is not None and values.ndim == 1:
        return _tokens(values, heat, colours, opacity)
    return _signal(values if values is not None and values.ndim == 2 else None, heat, colours, opacity)


def draw_bars(
    values: np.ndarray | None, shares: np.ndarray, colours: Any, *, signed: bool = False
) -> np.ndarray:
    """A row of a table: a bar for each value, to the left where its attribution is negative.

    If there are many values, those with the longest bars are drawn, in the order of the row.

    Args:
        values: (n,) the row; None if it is not in memory.
        shares: (n,) in -1..1, the attributions relative to the strongest.
        colours: the colormap of their absolute values; if signed, the colours of -1..1.
        signed: whether colours show the sign too.
    """
    tile = _blank_tile()
    draw = ImageDraw.Draw(tile)
    indices = np.sort(np.argsort(-np.abs(shares), kind="stable")[:MOST_BARS])
    height = tile.height / len(indices)
    left = 0.22 * tile.width
    right = 0.98 * tile.width
    middle = (left + right) / 2
    longest = (right - left) / 2
    font = font_of(min(12 * OVERSAMPLING, 0.8 * height))
    for row, index in enumerate(indices.tolist()):
        top = row * height
        share = float(shares[index])
        start, end = sorted((middle, middle + share * longest))
        shade = share if signed else 0.25 + 0.5 * abs(share)
        colour = tuple(np.rint(255 * np.asarray(colours(shade)[:3])).astype(int).tolist())
        if share:
            box = (start, top + 0.1 * height, end, top + 0.9 * height)
            draw.rectangle(box, fill=colour, outline=style.FAINT)
        name = f"{index}" if values is None else f"{index}: {values[index]:.3g}"
        position = (left - 6 * OVERSAMPLING, top + height / 2)
        draw.text(position, name, fill=style.INK, font=font, anchor="rm")
    draw.line((middle, 0, middle, tile.height), fill=style.FAINT, width=OVERSAMPLING)
    return np.asarray(tile.reduce(OVERSAMPLING))


def _blank_tile() -> Image.Image:
    return Image.new("RGB", (OVERSAMPLING * WIDTH, OVERSAMPLING * HEIGHT), "white")


def _signal(values: np.ndarray | None, heat: np.ndarray, colours: Any, opacity: float | None) -> np.ndarray:
    length = len(heat) if values is None else len(values)
    tile = _blank_tile()
    columns = np.linspace(0, 1, tile.width)
    background = _background(np.interp(columns, np.linspace(0, 1, len(heat)), heat), colours, opacity)
    plot_height = OVERSAMPLING * (HEIGHT - _AXIS_HEIGHT)
    row = Image.fromarray(np.rint(255 * background[np.newaxis]).astype(np.uint8))
    tile.paste(row.resize((tile.width, plot_height)))
    channels = [] if values is None else list(0.94 - 0.88 * rescale(values.T[np.newaxis])[0])
    for channel, colour in zip(channels, class_colours(len(channels)), strict=True):
        for ink, thickness in (("white", 4 * OVERSAMPLING), (colour, 2 * OVERSAMPLING)):
            coverage = _line(channel * plot_height, (plot_height, tile.width), thickness)
            tile.paste(ink, (0, 0), Image.fromarray(coverage))
    return _with_axis(tile, length)


def _line(values: np.ndarray, size: tuple[int, int], thickness: float) -> np.ndarray:
    """How much of each pixel a line covers, in 0..255; `values` are its distances from the top."""
    height, width = size
    steps = np.arange(len(values))
    edges = np.linspace(0, len(values) - 1, width + 1)
    # All values between the edges of a pixel count, so that no peak is lost.
    positions = np.sort(np.concatenate([edges, steps]), kind="stable")
    starts = np.searchsorted(positions, edges[:-1])
    at_positions = np.interp(positions, steps, values)
    at_edges = np.interp(edges, steps, values)
    least = np.minimum(np.minimum.reduceat(at_positions, starts), at_edges[1:])
    most = np.maximum(np.maximum.reduceat(at_positions, starts), at_edges[1:])
    # The vertical section of a steep line is longer than its thickness; it is limited to keep tips short.
    slant = np.hypot(1, np.minimum(3, np.abs(np.diff(at_edges))))
    section = np.maximum(most - least + thickness, slant * thickness)
    middle = (most + least) / 2
    row = np.arange(height, dtype=np.int32)[:, np.newaxis]
    top, bottom = ((255 * (middle + side * section / 2)).astype(np.int32) for side in (-1, 1))
    coverage = np.minimum(255 * row + 255, bottom) - np.maximum(255 * row, top)
    return np.asarray(np.clip(coverage, 0, 255).astype(np.uint8))


def _with_axis(tile: Image.Image, length: int) -> np.ndarray:
    """A tile with round step numbers written below it, at its real size."""
    from matplotlib.ticker import MaxNLocator

    draw = ImageDraw.Draw(tile)
    font = font_of(11 * OVERSAMPLING)
    top = tile.height - _AXIS_HEIGHT * OVERSAMPLING
    last = max(1, length - 1)
    for step in MaxNLocator(6, integer=True).tick_values(0, last):
        if not 0 <= step < length:
            continue
        name = f"{step:.0f}"
        left = step / last * (tile.width - 1)
        draw.line((left, top, left, top + 3 * OVERSAMPLING), fill=style.FAINT, width=OVERSAMPLING)
        half = draw.textlength(name, font) / 2
        centre = min(max(left, half), tile.width - half)
        draw.text((centre, top + 5 * OVERSAMPLING), name, fill=style.FAINT, font=font, anchor="ma")
    return np.asarray(tile.reduce(OVERSAMPLING))


def _tokens(values: np.ndarray, heat: np.ndarray, colours: Any, opacity: float | None) -> np.ndarray:
    tokens = values[:MOST_TOKENS]
    heat = np.interp(np.linspace(0, 1, len(values)), np.linspace(0, 1, len(heat)), heat)[: len(tokens)]
    columns = max(4, math.ceil(math.sqrt(len(tokens) * 2)))
    rows = math.ceil(len(tokens) / columns)
    background = np.ones((rows * columns, 3))
    background[: len(tokens)] = _background(heat, colours, opacity)
    cells = Image.fromarray(np.rint(255 * background).astype(np.uint8).reshape(rows, columns, 3))
    tile = cells.resize(_blank_tile().size, Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(tile)
    names = [f"{token:.6g}" for token in tokens]
    width = tile.width / columns
    height = tile.height / rows
    # The width of a digit is about 0.6 times the font size; the longest name must fit its cell.
    font = font_of(min(17 * OVERSAMPLING, 0.8 * height, width / (0.7 * max(map(len, names)))))
    dark = background @ (0.299, 0.587, 0.114) < 0.5
    for index, name in enumerate(names):
        row, column = divmod(index, columns)
        centre = ((column + 0.5) * width, (row + 0.5) * height)
        draw.text(centre, name, fill="white" if dark[index] else style.INK, font=font, anchor="mm")
    return np.asarray(tile.reduce(OVERSAMPLING))


def _volume(values: np.ndarray | None, heat: np.ndarray, colours: Any, opacity: float | None) -> np.ndarray:
    """Slices along the first axis, from left to right and from top to bottom."""
    grey = _grey(values, 4)
    depth = len(heat) if grey is None else len(grey)
    indices = np.unique(np.linspace(0, depth - 1, min(depth, MOST_SLICES)).astype(int))
    columns = math.ceil(math.sqrt(len(indices)))
    slices = []
    for index in indices:
        plane = None if grey is None else grey[index]
        plane_heat = plane_at(heat, index / max(depth - 1, 1))
        slices.append(_plane(plane, plane_heat, colours, opacity, SIDE // columns))
    slices += [np.full_like(slices[0], 255)] * (-len(slices) % columns)
    framed = [np.pad(pixels, ((1, 1), (1, 1), (0, 0)), constant_values=255) for pixels in slices]
    rows = [framed[start : start + columns] for start in range(0, len(framed), columns)]
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def _plane(
    grey: np.ndarray | None, heat: np.ndarray, colours: Any, opacity: float | None, side: int
) -> np.ndarray:
    """A grey image (height, width) in 0..1 under its heat, or heat alone; the longer side is about `side`."""
    height, width = (heat if grey is None else grey).shape
    scale = side / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    heat = np.clip(resize_map(heat, *size), -1, 1)
    if grey is None or opacity is None:
        return np.asarray(colours(heat, bytes=True)[..., :3])
    image = np.rint(resize_map(grey, *size) * 255).astype(np.uint8)
    return overlay(np.repeat(image[..., np.newaxis], 3, axis=-1), heat, colours(heat)[..., :3], opacity)


def _grey(values: np.ndarray | None, axes: int) -> np.ndarray | None:
    """The mean over channels, in 0..1; None for inputs with a different number of axes."""
    if values is None or values.ndim != axes:
        return None
    return np.asarray(rescale(values.mean(axis=-1)[np.newaxis])[0])


def _background(heat: np.ndarray, colours: Any, opacity: float | None) -> np.ndarray:
    """Colours (…, 3) in 0..1 of heat on white."""
    alpha = 1.0 if opacity is None else (np.abs(heat) * opacity)[..., np.newaxis]
    return np.asarray(np.clip(1 - alpha + alpha * colours(heat)[..., :3], 0, 1))


@cache
def font_of(size: float) -> ImageFont.FreeTypeFont:
    """The font of the figures in a size in pixels."""
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), size)
