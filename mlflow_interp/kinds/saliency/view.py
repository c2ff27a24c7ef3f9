"""Saliency maps on the page of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlflow_interp.core.findings import find
from mlflow_interp.drawing.overview import make_overview
from mlflow_interp.drawing.view import View, rows
from mlflow_interp.kinds.saliency.figure import title_of
from mlflow_interp.kinds.saliency.tiles import make_tiles

if TYPE_CHECKING:
    from mlflow_interp.drawing.tiles import Tiles
    from mlflow_interp.kinds.saliency.result import SaliencyResult


def view(
    result: SaliencyResult, tiles: Tiles | None = None, *, colormap: str = "gray", percentile: float = 99.0
) -> View:
    """The maps of each input."""
    tiles = tiles or make_tiles(result, colormap=colormap, percentile=percentile)
    gap = float(np.median(result.completeness_gaps))
    return View(
        title=title_of(result),
        headline=f"integrated gradients miss what they should sum to by {gap:.1%} (median)",
        inputs=rows(
            result.examples, tiles=tiles.captioned(last=len(result.maps)), explained=result.explained
        ),
        overview=make_overview(result.examples),
        findings=find(result.examples),
    )
