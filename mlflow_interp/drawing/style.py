"""The style of all figures and pages: colours, fonts, images as bytes."""

from __future__ import annotations

import base64
import contextlib
import io
import re
import threading
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import numpy as np
from PIL import Image

from mlflow_interp.core.accepted import Checked
from mlflow_interp.core.examples import Examples
from mlflow_interp.exceptions import OptionError, nearest

if TYPE_CHECKING:
    from matplotlib import colors
    from matplotlib.figure import Figure

INK = "#1b1f24"
FAINT = "#667079"
RIGHT = "#1a7f37"
WRONG = "#b42318"
DPI = 200  # pixels an inch of a PNG
SMALLEST_TEXT = 7.0  # points
_lock = threading.Lock()


def new_figure(width: float, height: float) -> Figure:
    """An empty figure with a size in inches, without pyplot, as its global state belongs to the user."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def find_colormap(name: str) -> colors.Colormap:
    """A matplotlib colormap.

    Raises:
        OptionError: no colormap of this name.
    """
    import matplotlib

    if name not in matplotlib.colormaps:
        raise OptionError(f"no colormap {name!r}{nearest(name, matplotlib.colormaps)}")
    return matplotlib.colormaps[name]


#: The name of a matplotlib colormap, as an option; matplotlib is only imported if one is given.
Colormap = Annotated[str, Checked(find_colormap)]

#: The colormaps of signed values: two hues that meet in a pale middle.
DIVERGING = frozenset(
    ("PiYG", "PRGn", "BrBG", "PuOr", "RdGy", "RdBu", "RdYlBu", "RdYlGn", "Spectral", "coolwarm", "bwr",
     "seismic", "berlin", "managua", "vanimo")
)  # fmt: skip


def diverging_colormap(name: str) -> colors.Colormap:
    """A matplotlib colormap for signed values; "RdBu_r" if `name` is not a diverging one.

    Raises:
        OptionError: no colormap of this name.
    """
    colours = find_colormap(name)
    return colours if name.removesuffix("_r") in DIVERGING else find_colormap("RdBu_r")


def shorten(text: str, most: int) -> str:
    """Shorten a text to at most `most` characters in its middle, where file names differ least."""
    # Control characters and "$" would break lines or start matplotlib's mathematics.
    text = re.sub(r"[\x00-\x1f\x7f]", "·", text)
    if len(text) <= most:
        return text
    tail = (most - 1) // 3
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"


def counted(inputs: int) -> str:
    """The number of inputs as text: 1 input, 1,204 inputs."""
    return f"{inputs:,} input{'' if inputs == 1 else 's'}"


def shown_of(examples: Examples) -> str:
    """How many of the inputs are shown, such as "64 of 1,204 inputs"; empty if all are."""
    shown = len(examples.shown_rows)
    return "" if shown == len(examples) else f"{shown} of {counted(len(examples))}"


def with_count(title: str, examples: Examples) -> str:
    """A title, with the number of inputs if not all of them are shown."""
    return " · ".join(filter(None, (title, shown_of(examples))))


def png(figure: Figure) -> bytes:
    """A figure as PNG bytes; equal figures give equal bytes."""
    buffer = io.BytesIO()
    with _without_glyph_warnings():
        figure.savefig(buffer, format="png", metadata={"Software": None}, pil_kwargs={"compress_level": 1})
    return buffer.getvalue()


def svg(figure: Figure) -> bytes:
    """A figure as SVG bytes, with text as text; equal figures give equal bytes."""
    buffer = io.BytesIO()
    metadata = {"Date": None, "Creator": None}
    with _without_glyph_warnings(), _settings({"svg.fonttype": "none", "svg.hashsalt": "mlflow_interp"}):
        figure.savefig(buffer, format="svg", metadata=metadata)
    return buffer.getvalue()


@contextlib.contextmanager
def _without_glyph_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        # `fonts.use_fonts` has warned about all of them at once.
        warnings.filterwarnings("ignore", "(?s)Glyph .* missing from font")
        yield


@contextlib.contextmanager
def _settings(values: Mapping[str, str]) -> Iterator[None]:
    """Matplotlib's settings that no argument of `savefig` has; one thread at a time, as they are global."""
    import matplotlib

    with _lock:
        before = {name: matplotlib.rcParams[name] for name in values}
        matplotlib.rcParams.update(values)
        try:
            yield
        finally:
            matplotlib.rcParams.update(before)


def data_uri(pixels: np.ndarray, *, lossless: bool = False, most: int = 320, quality: int = 85) -> str:
    """uint8 pixels (h, w, 3 or 4) as a data: URI, at most `most` pixels on the longer side."""
    image = Image.fromarray(pixels)
    buffer = io.BytesIO()
    if max(image.size) > most:
        image.thumbnail((most, most))
    if lossless:
        image.save(buffer, "PNG", compress_level=6)  # `optimize` takes four times as long for 1 %
    else:
        image.save(buffer, "JPEG", quality=quality)
    image_format = "png" if lossless else "jpeg"
    return f"data:image/{image_format};base64,{base64.b64encode(buffer.getvalue()).decode()}"
