"""An image as it is in its file, reduced, and the box of it that the model takes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

LARGEST = 320  # pixels of the longer side
_NOTHING = 0.02  # of a side, which may be left out without notice


@dataclass(frozen=True, eq=False)
class WholeImage:
    """An image as it is in its file, for display.

    Attributes:
        pixels: (height, width, 3) uint8, upright; less than twice as large as `LARGEST`.
        box: (top, left, height, width) of what the model takes, each as a fraction of the image's height
            or width.
    """

    pixels: np.ndarray
    box: tuple[float, float, float, float]

    def reduced(self) -> WholeImage:
        """The image with at most `LARGEST` pixels on its longer side."""
        image = Image.fromarray(self.pixels)
        image.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX, reducing_gap=None)
        return replace(self, pixels=np.asarray(image))


def crop_box(size: tuple[int, int], target: tuple[int, int]) -> tuple[float, float, float, float]:
    """The largest centred box with the shape of `target`, as (top, left, height, width) in fractions.

    Args:
        size: (height, width) of the image.
        target: (height, width) that the box is resized to.
    """
    # How wide the image is for its height, relative to the target.
    wideness = (size[1] * target[0]) / (size[0] * target[1])
    height, width = min(1.0, wideness), min(1.0, 1 / wideness)
    return (1 - height) / 2, (1 - width) / 2, height, width


def leaves_out(box: tuple[float, float, float, float]) -> bool:
    """Whether a box leaves out so much of an image that it matters."""
    return min(box[2:]) < 1 - _NOTHING
