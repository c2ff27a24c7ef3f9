"""Images as arrays: rescaling, display, sheets of several images, thumbnails."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

GAP_SHARE = 0.03  # white space between the images of a sheet, as a fraction of an image's width
MOST_FRAMES = 16  # frames of a video to show
LARGEST_FRAME = 128  # pixels of the longer side of a frame, about
_MOST_COLUMNS = 4  # of frames


@dataclass(frozen=True)
class ImagePart:
    """The box of one of an input's images within the image that is shown of the input.

    Attributes:
        input: the position of the model's input, dict entries by sorted key.
        name: the name of that input.
        box: (top, left, height, width) in pixels.
        frame: the time step of a video frame, or the depth of a slice of a volume; else None.
        frames: the number of frames or slices; 0 if there are none.
    """

    input: int
    name: str
    box: tuple[int, int, int, int]
    frame: int | None = None
    frames: int = 0

    @property
    def caption(self) -> str:
        """The caption of this part."""
        return self.name if self.frame is None else f"{self.name} {self.frame}".strip()

    @property
    def area(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        top, left, height, width = self.box
        return slice(top, top + height), slice(left, left + width)


def show(arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray | None, tuple[ImagePart, ...]]:
    """Show a model's inputs: a single image unchanged, several images and frames side by side on one sheet.

    Args:
        arrays: by name, the inputs of the model (n, …), channels last. A single input has the name "".

    Returns:
        (n, height, width, 3) uint8, or None if there is no image; and the parts of the sheet, empty if it is
        the only input itself.
    """
    images: list[tuple[ImagePart, np.ndarray]] = []
    for position, (name, array) in enumerate(arrays.items()):
        shown = shown_as_images(array)
        if shown is not None and len(arrays) == 1:
            return shown, ()
        if shown is not None:
            images.append((ImagePart(position, name, (0, 0, *shown.shape[1:3])), shown))
        elif array.ndim == 5 and array.shape[-1] in (1, 3) and min(array.shape[2:4]) >= 2:
            images += _frames(position, name, array)
    return _sheet(images)


def _frames(position: int, name: str, array: np.ndarray) -> list[tuple[ImagePart, np.ndarray]]:
    """Frames of videos (n, frames, height, width, channels), evenly spaced and reduced."""
    count = array.shape[1]
    chosen = np.unique(np.linspace(0, count - 1, min(count, MOST_FRAMES)).round().astype(int))
    pixels = _reduced(array[:, chosen], -(-max(array.shape[2:4]) // LARGEST_FRAME))
    if pixels.dtype != np.uint8:
        pixels = np.rint(rescale(pixels) * 255).astype(np.uint8)
    pixels = np.broadcast_to(pixels, (*pixels.shape[:-1], 3))
    return [
        (ImagePart(position, name, (0, 0, *pixels.shape[2:4]), frame, count), pixels[:, index])
        for index, frame in enumerate(chosen.tolist())
    ]


def _reduced(frames: np.ndarray, times: int) -> np.ndarray:
    """Frames (n, frames, height, width, channels) at a fraction of their size, means of square blocks."""
    if times < 2:
        return frames
    n, count, height, width, channels = frames.shape
    rows, columns = max(1, height // times), max(1, width // times)
    blocks = frames[:, :, : rows * times, : columns * times].astype(np.float32)
    means = blocks.reshape(n, count, rows, -1, columns, blocks.shape[3] // columns, channels).mean(
        axis=(3, 5)
    )
    return np.asarray(np.rint(means).astype(np.uint8) if frames.dtype == np.uint8 else means)


def _sheet(
    images: Sequence[tuple[ImagePart, np.ndarray]],
) -> tuple[np.ndarray | None, tuple[ImagePart, ...]]:
    """Images of one input beside and below each other on white, frames in rows of at most four."""
    if not images:
        return None, ()
    most = len(images) if all(part.frame is None for part, _ in images) else _MOST_COLUMNS
    # As many columns as the fullest row needs, so that six frames make two rows of three.
    columns = math.ceil(len(images) / math.ceil(len(images) / most))
    height = max(part.box[2] for part, _ in images)
    width = max(part.box[3] for part, _ in images)
    gap = max(1, round(GAP_SHARE * width))
    size = (
        math.ceil(len(images) / columns) * (height + gap) - gap,
        columns * (width + gap) - gap,
    )
    sheet = np.full((len(images[0][1]), *size, 3), 255, np.uint8)
    parts = []
    for index, (part, pixels) in enumerate(images):
        row, column = divmod(index, columns)
        placed = replace(part, box=(row * (height + gap), column * (width + gap), *part.box[2:]))
        sheet[(slice(None), *placed.area)] = pixels
        parts.append(placed)
    return sheet, tuple(parts)


def rescale(values: np.ndarray) -> np.ndarray:
    """Map each row of (n, …) linearly to 0..1 as float32; a constant row becomes zeros."""
    axes = tuple(range(1, values.ndim))
    values = np.asarray(values, np.float32)
    low = values.min(axis=axes, keepdims=True)
    high = values.max(axis=axes, keepdims=True)
    span = np.where(high > low, high - low, 1)
    return np.asarray((values - low) / span, np.float32)


def shown_as_images(inputs: np.ndarray, *, channels_first: bool = False) -> np.ndarray | None:
    """Show model inputs (n, h, w, c) as (n, h, w, 3) uint8; None if they aren't images.

    uint8 stays unchanged; anything else is rescaled row by row, as its range is not known. Without a
    channels axis, (n, h, w) are images if their sides are of similar length; others are signals.
    """
    if inputs.ndim == 4 and channels_first:
        inputs = np.moveaxis(inputs, 1, -1)
    if inputs.ndim == 3:
        if not is_plane(*inputs.shape[1:]):
            return None
        inputs = inputs[..., np.newaxis]
    if inputs.ndim != 4 or inputs.shape[-1] not in (1, 3, 4) or min(inputs.shape[1:3]) < 2:
        return None
    if inputs.dtype != np.uint8:
        inputs = np.rint(rescale(inputs) * 255).astype(np.uint8)
    return np.repeat(inputs, 3, axis=-1) if inputs.shape[-1] == 1 else inputs[..., :3]


def is_plane(height: int, width: int) -> bool:
    """Whether inputs (height, width) are taken as images without a channels axis rather than as signals."""
    short, long = sorted((height, width))
    return short >= 8 and long <= 4 * short


def most_side(total: int | None) -> int:
    """Maximum side of a thumbnail in pixels, so that a page stays small: 64 for few, 24 for many."""
    if total is None:
        return 32
    return next((side for most, side in ((500, 64), (2_000, 48), (8_000, 32)) if total <= most), 24)


def thumbnails(images: np.ndarray, most: int) -> np.ndarray:
    """Images (n, h, w, 3) uint8 as (n, side, side, 3): uncropped, padded with black where not square."""
    height, width = images.shape[1:3]
    scale = min(1.0, most / max(height, width))
    rows = max(1, round(height * scale))
    columns = max(1, round(width * scale))
    side = max(rows, columns)
    top = (side - rows) // 2
    left = (side - columns) // 2
    padded = np.zeros((len(images), side, side, 3), np.uint8)
    for index, image in enumerate(images):
        resized = Image.fromarray(image).resize((columns, rows), Image.Resampling.BOX)
        padded[index, top : top + rows, left : left + columns] = resized
    return padded
