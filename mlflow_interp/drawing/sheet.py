"""Heat over the images of an input: one image, several images side by side, or the frames of a video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw

from mlflow_interp.core.calls import Call
from mlflow_interp.core.image_arrays import ImagePart
from mlflow_interp.drawing import style
from mlflow_interp.drawing.input_tiles import font_of
from mlflow_interp.drawing.overlay import plane_at, resize_map

#: The heat of each call of a layer.
Heats = Sequence[tuple[Call, np.ndarray]]

_LABEL_SHARE = 0.1  # height of a caption as a fraction of a part's height
_LABEL_SIZES = 10, 22  # pixels, least and most


def lay_heat(heats: Heats, parts: Sequence[ImagePart], size: tuple[int, int]) -> list[np.ndarray]:
    """Heat at its position on the images of an input, in layers of (height, width) in -1..1.

    Heat belongs on the inputs and the frame that its call is computed from. If several calls belong on one
    image, such as crops of it, each has a separate layer. There are no layers if no heat is a plane or a
    volume.

    Args:
        heats: (h, w) of an image, or (depth, h, w) of frames or slices; the heat of each call.
        parts: see `Examples.parts`.
        size: (height, width) in pixels of the images.
    """
    areas = [(part, _on(heats, part)) for part in parts or [_whole(heats, size)]]
    layers = np.zeros((max(len(each) for _, each in areas), *size), np.float32)
    for part, each in areas:
        for layer, heat in zip(layers, each, strict=False):
            plane = heat if heat.ndim == 2 else plane_at(heat, (part.frame or 0) / max(part.frames - 1, 1))
            layer[part.area] = np.clip(resize_map(plane, *part.box[2:]), -1, 1)
    return list(layers)


def count_layers(heats: Heats, parts: Sequence[ImagePart]) -> int:
    """The number of layers that `lay_heat` returns."""
    return max(len(_on(heats, part)) for part in parts or [_whole(heats, (1, 1))])


def _whole(heats: Heats, size: tuple[int, int]) -> ImagePart:
    """The image of a model with one input."""
    return ImagePart(next((call.inputs[0] for call, _ in heats if call.inputs), 0), "", (0, 0, *size))


def _on(heats: Heats, part: ImagePart) -> list[np.ndarray]:
    return [heat for call, heat in heats if _belongs(call, heat, part)]


def _belongs(call: Call, heat: np.ndarray, part: ImagePart) -> bool:
    if call.inputs and part.input not in call.inputs:
        return False
    # A volume belongs over slices, not over an image of another input.
    is_drawable = heat.ndim == 2 or (heat.ndim == 3 and part.frame is not None)
    return is_drawable and (call.frame is None or call.frame == part.frame)


def scaled_parts(parts: Sequence[ImagePart], times: float) -> list[ImagePart]:
    """The parts of images that are drawn at another size."""
    scaled = []
    for part in parts:
        top, left, height, width = part.box
        edges = [round(times * each) for each in (top, left, top + height, left + width)]
        size = max(1, edges[2] - edges[0]), max(1, edges[3] - edges[1])
        scaled.append(replace(part, box=(edges[0], edges[1], *size)))
    return scaled


def labelled(pixels: np.ndarray, parts: Sequence[ImagePart]) -> np.ndarray:
    """Images (height, width, 3) uint8 with the caption of each part in its corner; a single part has none."""
    if len(parts) < 2:
        return pixels
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    for part in parts:
        top, left, height, width = part.box
        low, high = _LABEL_SIZES
        font = font_of(float(np.clip(round(height * _LABEL_SHARE), low, high)))
        text = part.caption
        box = draw.textbbox((left + 2, top + 1), text, font=font)
        if box[2] - left > width:
            continue
        draw.rectangle((left, top, box[2] + 2, box[3] + 1), fill="white")
        draw.text((left + 2, top + 1), text, fill=style.INK, font=font)
    return np.asarray(image)
