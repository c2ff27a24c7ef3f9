"""The figure of caricatures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_interp.core.examples import MOST_IMAGES
from mlflow_interp.drawing import style
from mlflow_interp.drawing.grid import Strip, draw_grid
from mlflow_interp.kinds.caricature.tiles import notes_of, tiles_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlflow_interp.kinds.caricature.result import CaricatureResult


def draw(result: CaricatureResult) -> Figure:
    """Draw each image beside its caricature at each layer, with the cosine of their activations.

    Args:
        result: Caricatures of any number of inputs; the first 64 are drawn.
    """
    strips = [
        Strip(name, list(tiles_of(result, index).values()), notes_of(result, index))
        for index, name in enumerate(result.examples.names[:MOST_IMAGES])
    ]
    title = style.with_count("Caricature", result.examples)
    return draw_grid(title, strips, headings=list(tiles_of(result, 0)))
