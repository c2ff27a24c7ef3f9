"""Heatmaps on the page of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.core.contrast import explained_name
from mlflow_interp.core.findings import find
from mlflow_interp.drawing import style
from mlflow_interp.drawing.heat import make_heat, make_others
from mlflow_interp.drawing.overview import make_overview
from mlflow_interp.drawing.view import View, rows, target_name
from mlflow_interp.kinds.heatmap.figure import title_of
from mlflow_interp.kinds.heatmap.tiles import is_one_layer, make_tiles

if TYPE_CHECKING:
    from mlflow_interp.drawing.tiles import Tiles
    from mlflow_interp.kinds.heatmap.result import HeatmapResult


def view(
    result: HeatmapResult, tiles: Tiles | None = None, *, colormap: str = "inferno", opacity: float = 0.7
) -> View:
    """Each image under its heatmap: as numbers that the page draws, or as tiles if it can't."""
    heat = _heat(result, colormap, opacity)
    if heat is None:
        tiles = tiles or make_tiles(result, colormap=colormap, opacity=opacity)
    focus = result.metrics().get("focus")
    return View(
        title=title_of(result),
        headline="all heatmaps are zero"
        if focus is None
        else f"half of the heat lies on {focus:.0%} of an image",
        inputs=rows(
            result.examples,
            tiles=tiles.captioned(last=1) if tiles and heat is None else (),
            explained=result.explained,
        ),
        overview=make_overview(result.examples),
        findings=find(result.examples),
        heat=heat,
    )


def _heat(result: HeatmapResult, colormap: str, opacity: float) -> dict[str, Any] | None:
    """The maps, if each belongs over the single image of its input, or if nothing of the inputs is shown."""
    examples = result.examples
    shows_inputs = examples.images is not None or examples.values is not None
    if result.heatmaps.ndim != 3 or examples.parts or (shows_inputs and not is_one_layer(result)):
        return None
    colours = style.find_colormap(colormap) if result.relu else style.diverging_colormap(colormap)
    targets = [explained_name(result.explained, row) for row in range(len(examples))]
    heat = make_heat(
        examples, result.drawn, colours, signed=not result.relu, targets=targets, opacity=opacity
    )
    if heat is not None and result.others is not None:
        maps = np.maximum(result.others.heatmaps, 0) if result.relu else result.others.heatmaps
        names = [[target_name(examples, each) for each in row] for row in result.others.targets.tolist()]
        heat["others"] = make_others(heat, examples, maps, names)
    return heat
