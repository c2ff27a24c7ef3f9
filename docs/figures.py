"""Figures that only the docs have: large panels, and numbered annotations for "How to read it".

An annotation is a numbered badge; the page explains each number below the figure. Badges are positioned by
what is drawn: at a text, a tile, a point or a cell.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mlflow_interp.drawing import style

IMAGES = Path(__file__).parent / "images"
PIXELS = 1500  # width of an image, for a column of 800 pixels on a screen with two pixels in each
WIDTH = 8.0  # inches of a figure: text of 9 points is then 12 pixels high in such a column
_BADGE = "#c2185b"


def keep(content: bytes, name: str) -> None:
    """Write an image at a size fit for a web page."""
    image = Image.open(io.BytesIO(content)).convert("RGB")
    image.thumbnail((PIXELS, 10 * PIXELS), Image.Resampling.LANCZOS)
    image.save(IMAGES / f"{name}.webp", quality=82, method=6)


def keep_figure(figure: Any, name: str) -> None:
    """Write a matplotlib figure at a size fit for a web page."""
    content = io.BytesIO()
    # At the resolution that the lines of a caption are wrapped for.
    figure.savefig(content, format="png", dpi=style.DPI)
    keep(content.getvalue(), name)


def panels(result: Any, names: Sequence[Any], *, columns: int, height: float, **options: Any) -> Any:
    """A figure of some inputs or layers of a result, each in axes of its own.

    Args:
        result: an interpretation.
        names: its panels, by name or index.
        columns: the number of panels side by side.
        height: of a panel, in inches.
        options: of `draw`.
    """
    rows = math.ceil(len(names) / columns)
    figure = style.new_figure(WIDTH, rows * height)
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.08)
    axes = np.ravel(figure.subplots(rows, columns))
    for panel, name in zip(axes, names, strict=True):
        result.draw(ax=panel, panel=name, **options)
    return figure


def share_legend(figure: Any) -> None:
    """Replace the legends of all panels by one below them."""
    legends = [axes.get_legend() for axes in figure.axes]
    handles = legends[0].legend_handles
    labels = [text.get_text() for text in legends[0].texts]
    for legend in legends:
        legend.remove()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=9, frameon=False)


def badge(axes: Any, number: int, point: tuple[float, float], *, offset: tuple[float, float]) -> None:
    """Draw a numbered badge.

    Args:
        axes: the axes of the point.
        number: the number that the page explains.
        point: what the badge is about, in the coordinates of the axes.
        offset: from there to the badge, in points; a line leads back.
    """
    line = {"arrowstyle": "-", "color": _BADGE, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0}
    axes.annotate(
        str(number),
        xy=point,
        xytext=offset,
        textcoords="offset points",
        arrowprops=line,
        ha="center",
        va="center",
        color="white",
        fontsize=11,
        fontweight="bold",
        bbox={"boxstyle": "circle,pad=0.28", "facecolor": _BADGE, "edgecolor": "white", "linewidth": 1.2},
        annotation_clip=False,
        zorder=10,
    )


def badge_at_text(figure: Any, number: int, start: str, *, distance: float = 22) -> None:
    """Draw a badge at the right of the first text that starts with some words, points away from it."""
    axes = _canvas(figure)
    texts = [*figure.texts, *(text for each in figure.axes for text in each.texts)]
    text = next(each for each in texts if each.get_text().strip().startswith(start))
    box = text.get_window_extent(figure.canvas.get_renderer())
    right, middle = axes.transData.inverted().transform((box.x1, (box.y0 + box.y1) / 2))
    badge(axes, number, (right + 0.04, middle), offset=(distance, 0))


def badge_on_tile(figure: Any, number: int, tile: tuple[int, int], at: tuple[float, float]) -> None:
    """Draw a badge beside a position on one of the tiles of the only strip of a figure.

    Args:
        figure: a figure of one input.
        number: the number that the page explains.
        tile: which tile, and of how many.
        at: the position, as shares of the tile's width from the left and of its height from the top.
    """
    axes = _canvas(figure)
    left, right, bottom, top = axes.images[0].get_extent()
    index, count = tile
    x = left + (index + at[0]) / count * (right - left)
    badge(axes, number, (x, top + at[1] * (bottom - top)), offset=(24 if at[0] < 0.5 else -24, 18))


def _canvas(figure: Any) -> Any:
    """The axes that cover a figure of the package, in inches."""
    return next(axes for axes in figure.axes if axes.images)
