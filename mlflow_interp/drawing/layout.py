"""Where things stand on a figure, in inches from the top left, and texts as long as there is room."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from mlflow_interp.drawing import style

if TYPE_CHECKING:
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

MARGIN = 0.15  # inches: left of the title and above it
TITLE, BELOW, SMALL = 11, 8.5, 7.5  # points: the title, the line below it, a colour bar

Box = tuple[float, float, float, float]  # left, top, width, height in inches


@dataclass(frozen=True)
class FigureLayout:
    """A figure to be written and drawn on."""

    figure: Figure

    @classmethod
    def of(cls, width: float, height: float) -> FigureLayout:
        """An empty one, of so many inches."""
        return cls(style.new_figure(width, height))

    @property
    def width(self) -> float:
        """In inches."""
        return float(self.figure.get_figwidth())

    @property
    def height(self) -> float:
        """In inches."""
        return float(self.figure.get_figheight())

    def place(self, left: float, top: float) -> tuple[float, float]:
        """Inches from the top left as matplotlib's shares from the bottom left."""
        return left / self.width, 1 - top / self.height

    def axes(self, box: Box, **look: Any) -> Any:
        """Axes that fill a box."""
        left, top, width, height = box
        corner = self.place(left, top + height)
        return self.figure.add_axes((*corner, width / self.width, height / self.height), **look)

    def write(
        self, left: float, top: float, text: str, *, size: float, colour: str = style.INK, **look: Any
    ) -> None:
        """A text as it is, hung from its upper left corner; `look` is matplotlib's."""
        shown: dict[str, Any] = {"va": "top", "parse_math": False} | look
        self.figure.text(*self.place(left, top), text, size=size, color=colour, **shown)

    def title(self, title: str, below: str = "") -> None:
        """What all figures have at their head."""
        room = self.width - 2 * MARGIN
        shown = fitted(title, room, TITLE, bold=True)
        self.write(MARGIN, MARGIN, shown, size=TITLE, weight="bold")
        if below:
            self.write(MARGIN, 0.38, fitted(below, room, BELOW), size=BELOW, colour=style.FAINT)

    def colour_bar(self, box: Box, mappable: ScalarMappable, label: str, **ticks: Any) -> None:
        """What colours mean; `ticks` is how matplotlib is told of the numbers beside them."""
        axes = self.axes(box)
        bar = self.figure.colorbar(mappable, cax=axes, **ticks)
        bar.outline.set_edgecolor("#d0d7de")
        axes.tick_params(labelsize=SMALL, length=2, color="#b6bec6", labelcolor=style.FAINT)
        axes.set_ylabel(label, size=SMALL, color=style.FAINT)


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """Inches of a text in the font that figures have."""
    import matplotlib

    fonts = (*matplotlib.rcParams["font.family"], *matplotlib.rcParams["font.sans-serif"])
    return sum(_advance(letter, size, bold, fonts) for letter in text)


@cache
def _advance(letter: str, size: float, bold: bool, _fonts: tuple[str, ...]) -> float:
    """Inches from a letter to the next, which are rounded differently for each size."""
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    renderer = RendererAgg(1, 1, style.DPI)
    font = FontProperties(size=size, weight="bold" if bold else "normal")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(?s)Glyph .* missing from font")
        # Between two others, as the width of a blank that stands alone is none.
        wide, narrow = (
            renderer.get_text_width_height_descent(each, font, ismath=False)[0]
            for each in (f"n{letter}n", "nn")
        )
    return float(wide - narrow) / style.DPI


def fitted(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """A text cut in its middle, by no more than it takes to be so many inches wide."""
    most = min(len(text), int(width * 72 / (0.2 * size)) + 1)
    shown = style.shorten(text, most)
    while most > 1 and width_of(shown, size, bold=bold) > width:
        most -= 1
        shown = style.shorten(text, most)
    return shown


def fitted_line(text: str, width: float, size: float) -> str:
    """A line of parts between "·": what short ones leave of their share, long ones have too."""
    text = style.shorten(text, len(text))
    if width_of(text, size) <= width:
        return text
    parts = text.split(" · ")
    widths = [width_of(part, size) for part in parts]
    room = width - width_of(" · ", size) * (len(parts) - 1)
    for done, at in enumerate(sorted(range(len(parts)), key=widths.__getitem__)):
        widths[at] = min(widths[at], room / (len(parts) - done))
        room -= widths[at]
    return " · ".join(fitted(part, width, size) for part, width in zip(parts, widths, strict=True))
