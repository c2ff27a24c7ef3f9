"""A colour bar with the colours that are really drawn, as heat is drawn more opaque the stronger it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlflow_interp.drawing.overlay import overlay

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

    from mlflow_interp.drawing.layout import Box, FigureLayout

WIDTH = 0.72  # inches, with its numbers and label
GREY = 128  # an image that is neither dark nor bright, 0..255
WHITE = 255
_STEPS = 256


@dataclass(frozen=True)
class ColourBar:
    """A colour bar.

    Attributes:
        colours: its colormap.
        label: its label.
        signed: whether values are signed, from -100 % to 100 %.
        opacity: opacity of the strongest value, if colours are drawn over images, and zero is transparent;
            None if colours are drawn alone.
        background: the grey that the bar shows them over, 0..255.
    """

    colours: Colormap
    label: str
    signed: bool = False
    opacity: float | None = None
    background: int = GREY

    @property
    def width(self) -> float:
        """In inches, with its numbers and label: "-100%" is wider than "100%"."""
        return WIDTH + 0.1 * self.signed

    def pixels(self) -> np.ndarray:
        """(256, 1, 3) uint8, the colours of the bar from its lowest to its highest value."""
        values = np.linspace(-1 if self.signed else 0, 1, _STEPS)[:, np.newaxis]
        colours = self.colours((values + 1) / 2 if self.signed else values)[..., :3]
        if self.opacity is None:
            return np.asarray(np.rint(255 * colours), np.uint8)
        grey = np.full((_STEPS, 1, 3), self.background, np.uint8)
        return overlay(grey, values, colours, self.opacity)


def draw_colour_bar(layout: FigureLayout, box: Box, bar: ColourBar) -> None:
    """Draw a colour bar of shares into a box in inches."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize
    from matplotlib.ticker import PercentFormatter

    colours = ListedColormap(bar.pixels()[:, 0] / 255)
    mappable = ScalarMappable(Normalize(-1 if bar.signed else 0, 1), colours)
    ticks = [-1, 0, 1] if bar.signed else [0, 0.5, 1]
    layout.colour_bar(box, mappable, bar.label, ticks=ticks, format=PercentFormatter(1))
