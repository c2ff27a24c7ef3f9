"""An image in a figure that an SVG holds as a JPEG: as PNG, photographs would take ten times as much."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from mlflow_interp.drawing import style

MOST_DPI = 300  # pixels an inch of an image in an SVG
_QUALITY = 85
_POINTS = 72  # an inch, the unit of an SVG


def draw_image(canvas: Any, pixels: np.ndarray, box: tuple[float, float, float, float]) -> None:
    """Draw pixels into a box of axes whose units are inches from the top left.

    Args:
        canvas: the axes.
        pixels: (h, w, 3) uint8.
        box: left, top, width and height.
    """
    left, top, width, height = box
    extent = (left, left + width, top + height, top)
    image = _embedded()(canvas, extent=extent, interpolation="antialiased")
    image.set_data(pixels)
    image.box = box
    image.set_clip_path(canvas.patch)
    canvas.add_image(image)


@cache
def _embedded() -> Any:
    from matplotlib.image import AxesImage

    class EmbeddedImage(AxesImage):
        """See `draw_image`."""

        box = (0.0, 0.0, 0.0, 0.0)

        def can_composite(self) -> bool:
            return False

        def draw(self, renderer: Any) -> None:
            # Only the renderer of SVG has a writer of elements.
            writer = getattr(renderer, "writer", None)
            if writer is None:
                super().draw(renderer)
                return
            left, top, width, height = (_POINTS * each for each in self.box)
            place = {"x": left, "y": top, "width": width, "height": height}
            attributes = {name: f"{value:.2f}" for name, value in place.items()}
            source = _source(np.asarray(self.get_array()), width / _POINTS)
            writer.element("image", attrib=attributes | {"preserveAspectRatio": "none", "xlink:href": source})

    return EmbeddedImage


def _source(pixels: np.ndarray, width: float) -> str:
    """Pixels that are drawn `width` inches wide as a data: URI."""
    most = round(MOST_DPI * width)
    if pixels.shape[1] > most:
        height = max(1, round(pixels.shape[0] * most / pixels.shape[1]))
        pixels = np.asarray(Image.fromarray(pixels).resize((most, height), Image.Resampling.BOX))
    return style.data_uri(pixels, most=max(pixels.shape), quality=_QUALITY)
