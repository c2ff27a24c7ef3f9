"""The layout of a figure in inches from the top left, and texts cut to the available width."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from mlflow_interp.drawing import style
from mlflow_interp.drawing.fonts import families, use_fonts

if TYPE_CHECKING:
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

WIDTH = 7.0  # inches: two columns of a paper; a figure is wider only where its texts need it
MARGIN = 0.15  # inches: left of the title and above it
TITLE_SIZE = 11  # points
SUBTITLE_SIZE = 8.5
SMALL_SIZE = 7.5  # such as the labels of a colour bar
CAPTION_SIZE = style.SMALLEST_TEXT
_CAPTION_LINE = CAPTION_SIZE * 1.35 / 72  # inches

Box = tuple[float, float, float, float]  # left, top, width, height in inches


@dataclass(frozen=True)
class FigureLayout:
    """A figure whose axes and texts are placed in inches.

    Attributes:
        figure: the figure.
        caption: the lines below it.
    """

    figure: Figure
    caption: tuple[str, ...] = ()

    @classmethod
    def of(cls, width: float, height: float, caption: str = "") -> FigureLayout:
        """An empty figure of this size in inches, to which the lines of a caption are added below."""
        lines = tuple(wrapped(caption, width - 2 * MARGIN, CAPTION_SIZE))
        return cls(style.new_figure(width, height + _caption_height(lines)), lines)

    @property
    def width(self) -> float:
        """In inches."""
        return float(self.figure.get_figwidth())

    @property
    def height(self) -> float:
        """In inches."""
        return float(self.figure.get_figheight())

    @property
    def bottom(self) -> float:
        """The height without the caption, in inches."""
        return self.height - _caption_height(self.caption)

    def finished(self, names: Iterable[str] = ()) -> Figure:
        """The figure with its caption, in fonts that have its letters.

        Args:
            names: the names that it may show, for a warning about those that no font has.
        """
        for row, line in enumerate(self.caption):
            top = self.bottom + 0.06 + row * _CAPTION_LINE
            self.write(MARGIN, top, line, size=CAPTION_SIZE, colour=style.FAINT)
        use_fonts(self.figure, names)
        return self.figure

    def place(self, left: float, top: float) -> tuple[float, float]:
        """A position in inches from the top left as matplotlib's fractions from the bottom left."""
        return left / self.width, 1 - top / self.height

    def axes(self, box: Box, **settings: Any) -> Any:
        """Axes that fill a box."""
        left, top, width, height = box
        corner = self.place(left, top + height)
        return self.figure.add_axes((*corner, width / self.width, height / self.height), **settings)

    def write(
        self, left: float, top: float, text: str, *, size: float, colour: str = style.INK, **settings: Any
    ) -> None:
        """Write a literal text with its upper left corner at this position; `settings` are matplotlib's."""
        defaults: dict[str, Any] = {"va": "top", "parse_math": False}
        self.figure.text(*self.place(left, top), text, size=size, color=colour, **defaults | settings)

    def title(self, title: str, subtitle: str = "") -> None:
        """Write the title and the subtitle that all figures have."""
        width = self.width - 2 * MARGIN
        title = fitted(title, width, TITLE_SIZE, bold=True)
        self.write(MARGIN, MARGIN, title, size=TITLE_SIZE, weight="bold")
        if subtitle:
            subtitle = fitted(subtitle, width, SUBTITLE_SIZE)
            self.write(MARGIN, 0.38, subtitle, size=SUBTITLE_SIZE, colour=style.FAINT)

    def colour_bar(self, box: Box, mappable: ScalarMappable, label: str, **ticks: Any) -> None:
        """Draw a colour bar; `ticks` are matplotlib's options for its tick labels."""
        axes = self.axes(box)
        bar = self.figure.colorbar(mappable, cax=axes, **ticks)
        bar.outline.set_edgecolor("#d0d7de")
        axes.tick_params(labelsize=SMALL_SIZE, length=2, color="#b6bec6", labelcolor=style.FAINT)
        axes.set_ylabel(label, size=SMALL_SIZE, color=style.FAINT)


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """The width in inches of a text in the font of the figures."""
    import matplotlib

    # The sans-serif fonts only for the cache: they decide what the family "sans-serif" is.
    fonts = families()
    generic = tuple(matplotlib.rcParams["font.sans-serif"])
    return sum(_advance(letter, size, bold, fonts, generic) for letter in text)


@cache
def _advance(
    letter: str, size: float, bold: bool, fonts: tuple[str, ...], _generic: tuple[str, ...]
) -> float:
    """The width of a letter in inches, which is rounded differently for each font size."""
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    renderer = RendererAgg(1, 1, style.DPI)
    font = FontProperties(family=list(fonts), size=size, weight="bold" if bold else "normal")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(?s)Glyph .* missing from font")
        # Between two other letters, as the width of a lone blank is zero.
        with_letter, without_letter = (
            renderer.get_text_width_height_descent(text, font, ismath=False)[0]
            for text in (f"n{letter}n", "nn")
        )
    return float(with_letter - without_letter) / style.DPI


def _caption_height(lines: tuple[str, ...]) -> float:
    # A whole number of pixels, so that what stands above is drawn alike with and without a caption.
    return math.ceil(100 * (len(lines) * _CAPTION_LINE + 0.14)) / 100 if lines else 0.0


def wrapped(text: str, width: float, size: float) -> list[str]:
    """The words of a text in lines of at most a width in inches; a longer word is shortened."""
    lines: list[str] = []
    for word in style.shorten(text, len(text)).strip(" ").split(" ") if text else ():
        longer = f"{lines[-1]} {word}" if lines else ""
        if longer and width_of(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(fitted(word, width, size))
    return lines


def fitted(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """A text shortened in its middle, by no more characters than needed, to a width in inches."""
    length = min(len(text), int(width * 72 / (0.2 * size)) + 1)
    shortened = style.shorten(text, length)
    while length > 1 and width_of(shortened, size, bold=bold) > width:
        length -= 1
        shortened = style.shorten(text, length)
    return shortened


def fitted_line(text: str, width: float, size: float) -> str:
    """A line of parts separated by "·"; long parts get the width that short parts don't use."""
    text = style.shorten(text, len(text))
    if width_of(text, size) <= width:
        return text
    parts = text.split(" · ")
    widths = [width_of(part, size) for part in parts]
    remaining = width - width_of(" · ", size) * (len(parts) - 1)
    for done, index in enumerate(sorted(range(len(parts)), key=widths.__getitem__)):
        widths[index] = min(widths[index], remaining / (len(parts) - done))
        remaining -= widths[index]
    return " · ".join(fitted(part, width, size) for part, width in zip(parts, widths, strict=True))
