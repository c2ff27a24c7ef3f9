"""Inputs that are no pictures, drawn under what a method found in them: one drawing a kind of input.

A signal is a line on a ground of heat, a text its tokens coloured, a table bars, a volume its slices, a
plane of any number of channels a grey picture. Each gives a tile for a grid, (height, width, 3) uint8.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.arrays import overlay, rescale, resize_map
from mlflow_interp.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE, HIGH = 3.6, 1.8  # inches of a tile that matplotlib draws
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
    figure, axes = _axes()
    chosen = np.sort(np.argsort(-np.abs(shares), kind="stable")[:MOST_BARS])[::-1]
    at = np.arange(len(chosen))
    axes.barh(
        at, shares[chosen], color=colours(0.25 + 0.5 * np.abs(shares[chosen])), edgecolor=style.FAINT, lw=0.5
    )
    axes.axvline(0, color=style.FAINT, lw=0.8)
    names = [f"{index}" if values is None else f"{index}: {values[index]:.3g}" for index in chosen]
    axes.set_yticks(at, names, size=min(9, 120 / len(chosen)))
    axes.tick_params(length=0)
    axes.set_xlim(-1.05, 1.05)
    axes.set_xticks([])
    axes.set_position((0.2, 0.02, 0.78, 0.96))
    return _pixels(figure)


def _signal(values: np.ndarray | None, heat: np.ndarray, colours: Any, opacity: float | None) -> np.ndarray:
    figure, axes = _axes()
    length = len(heat) if values is None else len(values)
    axes.set_xlim(0, length - 1 or 1)
    axes.set_ylim(0, 1)
    ground = _ground(heat, colours, opacity)
    axes.imshow(
        ground[np.newaxis], extent=(0, length - 1 or 1, 0, 1), aspect="auto", interpolation="bilinear"
    )
    if values is not None:
        for channel in rescale(values.T[np.newaxis])[0]:
            axes.plot(0.06 + 0.88 * channel, color="white", lw=2.6)
            axes.plot(0.06 + 0.88 * channel, lw=1.2)
    axes.set_yticks([])
    axes.tick_params(labelsize=8, colors=style.FAINT, length=2)
    axes.set_position((0.03, 0.13, 0.94, 0.84))
    return _pixels(figure)


def _tokens(values: np.ndarray, heat: np.ndarray, colours: Any, opacity: float | None) -> np.ndarray:
    figure, axes = _axes()
    shown = values[:MOST_TOKENS]
    heat = np.interp(np.linspace(0, 1, len(values)), np.linspace(0, 1, len(heat)), heat)[: len(shown)]
    columns = max(4, math.ceil(math.sqrt(len(shown) * 2)))
    rows = math.ceil(len(shown) / columns)
    ground = np.ones((rows * columns, 3))
    ground[: len(shown)] = _ground(heat, colours, opacity)
    axes.imshow(ground.reshape(rows, columns, 3), aspect="auto", interpolation="nearest")
    names = [f"{token:.6g}" for token in shown]
    # Digits are about 0.6 of their size wide; the longest must fit its cell.
    size = min(12, WIDE * 72 / columns / (0.7 * max(map(len, names))))
    dark = ground @ (0.299, 0.587, 0.114) < 0.5
    for place, name in enumerate(names):
        row, column = divmod(place, columns)
        ink = "white" if dark[place] else style.INK
        axes.text(column, row, name, ha="center", va="center", color=ink, size=size)
    axes.set_axis_off()
    axes.set_position((0, 0, 1, 1))
    return _pixels(figure)


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


def _axes() -> tuple[Figure, Axes]:
    figure = style.new_figure(WIDE, HIGH)
    axes = figure.add_axes((0, 0, 1, 1))
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure, axes


def _pixels(figure: Figure) -> np.ndarray:
    figure.canvas.draw()
    return np.array(figure.canvas.buffer_rgba())[..., :3]  # type: ignore[attr-defined]
