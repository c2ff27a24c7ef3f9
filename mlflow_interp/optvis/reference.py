"""The input that shows how an image becomes an input: the one whose pixels vary most, of all inputs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import Chunk, some
from mlflow_interp.optvis.param import Size
from mlflow_interp.optvis.reference_pass import check_images
from mlflow_interp.optvis.transform import InputMapping, find_mapping

_MOST_PIXELS = 64  # along a side, that the choice is based on
_RANGES = ((0, 1), (-1, 1), (0, 255))  # of inputs
_NEARLY = 0.1  # of a range


class ReferenceInput:
    """Keeps the input of all chunks whose pixels vary most, in brightness and in colour.

    The same whatever the batches are: it depends on each input alone, and the first of equal ones is kept.

    Args:
        channels_first: whether inputs have channels first.
    """

    def __init__(self, channels_first: bool) -> None:
        self._channels_first = channels_first
        self._kept: tuple[float, int, Chunk] | None = None

    def update(self, model: Any, chunk: Chunk) -> None:
        """Look at a chunk.

        Raises:
            InapplicableError: the inputs are not grey or colour images.
        """
        check_images(model, chunk, "feature_visualization")
        scores = _variation(np.asarray(chunk.images))
        row = int(np.lexsort((chunk.indices, -scores))[0])
        score, index = float(scores[row]), int(chunk.indices[row])
        if self._kept is None or (-score, index) < (-self._kept[0], self._kept[1]):
            one = some(chunk, np.array([row]))
            self._kept = score, index, replace(one, images=np.array(one.images), inputs=np.array(one.inputs))

    def mapping(self) -> tuple[InputMapping, Size, int]:
        """How an image becomes an input, the size of images, and the number of their channels.

        Raises:
            ValueError: no chunk was added.
        """
        if self._kept is None:
            raise ValueError("there was no input")
        chunk = self._kept[2]
        images = np.asarray(chunk.images)
        mapping = find_mapping(
            images, chunk.inputs, channels_first=self._channels_first, blue_first=chunk.blue_first
        )
        return _in_full_range(mapping), images.shape[1:3], mapping.span.shape[1]


def _in_full_range(mapping: InputMapping) -> InputMapping:
    """The same mapping, or that of a usual range if it is nearly that.

    Arrays of floats are displayed from the smallest to the largest value of an image, which need not be black
    and white: 0.01 and 0.98 are read as 0 and 1.
    """
    for low, high in _RANGES:
        span, most = np.float32(high - low), _NEARLY * (high - low)
        if (abs(mapping.black - low) <= most).all() and (
            abs(mapping.black + mapping.span - high) <= most
        ).all():
            return replace(
                mapping, span=np.full_like(mapping.span, span), black=np.full_like(mapping.black, low)
            )
    return mapping


def _variation(images: np.ndarray) -> np.ndarray:
    """(n,) float64: the least standard deviation of a channel, times one more than that of red minus blue."""
    step = max(1, min(images.shape[1:3]) // _MOST_PIXELS)
    pixels = images[:, ::step, ::step].astype(np.float64)
    red_minus_blue = (pixels[..., 0] - pixels[..., -1]).std(axis=(1, 2))
    return np.asarray(pixels.std(axis=(1, 2)).min(axis=-1) * (1 + red_minus_blue))
