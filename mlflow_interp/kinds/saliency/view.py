"""Saliency maps on the page of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlflow_interp.core.examples import MOST_IMAGES
from mlflow_interp.drawing import style
from mlflow_interp.drawing.view import View, rows
from mlflow_interp.kinds.saliency.tiles import tiles_of

if TYPE_CHECKING:
    from mlflow_interp.kinds.saliency.result import SaliencyResult


def view(result: SaliencyResult, *, colormap: str = "gray", percentile: float = 99.0) -> View:
    """The three maps of each input."""
    colours = style.find_colormap(colormap)
    indices = range(min(len(result.examples), MOST_IMAGES))
    gap = float(np.median(result.completeness_gaps))
    tiles = [list(tiles_of(result, index, colours, percentile).items())[-3:] for index in indices]
    return View(
        title="Saliency",
        headline=f"integrated gradients miss what they should sum to by {gap:.1%} (median)",
        inputs=rows(result.examples, tiles=tiles, targets=result.explained.targets),
    )
