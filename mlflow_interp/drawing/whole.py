"""Crops within the whole image that they are taken from, with a frame around the crop."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw

from mlflow_interp.core.whole_image import LARGEST, WholeImage
from mlflow_interp.drawing.tiles import Tiles

_FRAME = ("#1b1f24", "white")  # the outer and the inner line of the frame, visible on any image
_LINE = 1 / 140  # width of either, as a share of a tile's


def within_wholes(
    tiles: Tiles,
    wholes: Sequence[WholeImage | None],
    headings: Collection[str],
    *,
    positions: Sequence[int] | None = None,
) -> Tiles:
    """Tiles of crops within their whole images, all of one size, on white.

    Args:
        tiles: the tiles of inputs.
        wholes: the whole images of all inputs that are shown, None for those that are not cropped; empty if
            none is.
        headings: the headings of the tiles that are crops of an image. If some tiles are not, whole images
            are reduced to the size of those.
        positions: the position in `wholes` of each input that has tiles; by default all.
    """
    positions = range(len(tiles.pixels)) if positions is None else positions
    if not any(wholes[position] for position in positions if wholes):
        return tiles
    chosen = [index for index, heading in enumerate(tiles.headings) if heading in headings]
    if not tiles.headings or not chosen:
        return tiles
    height, width = tiles.pixels[0][0].shape[:2]
    size = height, width
    if len(chosen) == len(tiles.headings):
        size = _common_size([wholes[position] for position in positions], size)
    pixels = [
        [
            _fitted(tile, wholes[position] if index in chosen else None, size)
            for index, tile in enumerate(each)
        ]
        for position, each in zip(positions, tiles.pixels, strict=True)
    ]
    return replace(tiles, pixels=pixels)


def frame_note(wholes: Sequence[WholeImage | None]) -> str:
    """A sentence for the caption of a figure with frames; empty without any."""
    return " The frame marks the part of the image that the model sees." if any(wholes) else ""


def frame_of(whole: WholeImage, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """(top, left, height, width) in pixels of the crop within a whole image of `size` (height, width)."""
    height, width = size
    top, left, tall, wide = whole.box
    first = round(top * height), round(left * width)
    last = round((top + tall) * height), round((left + wide) * width)
    return *first, max(1, last[0] - first[0]), max(1, last[1] - first[1])


def _common_size(wholes: Sequence[WholeImage | None], tile: tuple[int, int]) -> tuple[int, int]:
    """The smallest (height, width) that holds every image with a longer side of `LARGEST`."""
    shapes = [tile if whole is None else whole.pixels.shape[:2] for whole in wholes]
    sizes = [_largest((height, width), (LARGEST, LARGEST)) for height, width in shapes]
    return max(height for height, _ in sizes), max(width for _, width in sizes)


def _largest(shape: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """The largest (height, width) with the proportions of `shape` that fits into `size`."""
    scale = min(size[0] / shape[0], size[1] / shape[1])
    return max(1, round(scale * shape[0])), max(1, round(scale * shape[1]))


def _fitted(tile: np.ndarray, whole: WholeImage | None, size: tuple[int, int]) -> np.ndarray:
    """A tile, or the whole image around it, as large as fits into (height, width), in the middle of white."""
    if whole is None and tile.shape[:2] == size:
        return tile
    around = tile if whole is None else whole.pixels
    height, width = _largest((around.shape[0], around.shape[1]), size)
    image = _resized(tile, (height, width)) if whole is None else _framed(tile, whole, (height, width))
    canvas = Image.new("RGB", (size[1], size[0]), "white")
    canvas.paste(image, ((size[1] - width) // 2, (size[0] - height) // 2))
    return np.asarray(canvas)


def framed(tile: np.ndarray, whole: WholeImage) -> np.ndarray:
    """A whole image in which a tile (height, width, 3) uint8 replaces the crop, with a frame around it."""
    return np.asarray(_framed(tile, whole, _around(tile, whole)))


def surrounded(tile: np.ndarray, whole: WholeImage) -> np.ndarray:
    """A tile (height, width, 4) uint8 where the crop is, in the transparent shape of the whole image."""
    height, width = _around(tile, whole)
    top, left, tall, wide = frame_of(whole, (height, width))
    canvas = Image.new("RGBA", (width, height))
    canvas.paste(_resized(tile, (tall, wide)), (left, top))
    return np.asarray(canvas)


def _around(tile: np.ndarray, whole: WholeImage) -> tuple[int, int]:
    """The (height, width) of the whole image in which the crop is as large as a tile."""
    _, _, tall, wide = whole.box
    return round(tile.shape[0] / tall), round(tile.shape[1] / wide)


def _framed(tile: np.ndarray, whole: WholeImage, size: tuple[int, int]) -> Image.Image:
    image = _resized(whole.pixels, size)
    top, left, tall, wide = frame_of(whole, size)
    image.paste(_resized(tile, (tall, wide)), (left, top))
    draw = ImageDraw.Draw(image)
    line = max(1, round(_LINE * max(size)))
    for inset, colour in zip((0, line), _FRAME, strict=True):
        corner = left + inset, top + inset
        opposite = left + wide - 1 - inset, top + tall - 1 - inset
        draw.rectangle((*corner, *opposite), outline=colour, width=line)
    return image


def _resized(pixels: np.ndarray, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(pixels).resize((size[1], size[0]), Image.Resampling.BICUBIC)
