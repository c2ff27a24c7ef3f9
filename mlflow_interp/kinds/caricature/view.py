"""Caricatures on the page of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_interp.core.findings import find
from mlflow_interp.drawing.overview import make_overview
from mlflow_interp.drawing.view import View, rows
from mlflow_interp.kinds.caricature.tiles import make_tiles, notes_of

if TYPE_CHECKING:
    from mlflow_interp.drawing.tiles import Tiles
    from mlflow_interp.kinds.caricature.result import CaricatureResult


def view(result: CaricatureResult, tiles: Tiles | None = None) -> View:
    """The caricature of each input at each layer."""
    tiles = tiles or make_tiles(result)
    cosine = float(result.cosines.mean())
    baseline = float(result.baseline_cosines.mean())
    return View(
        title=result.title,
        headline=f"cosine {cosine:.2f} to their input, {baseline:.2f} to other inputs",
        inputs=rows(
            result.examples,
            tiles=tiles.captioned(last=len(result.layers)),
            notes=[[text for text, _ in notes_of(result, row)] for row in tiles.rows],
        ),
        overview=make_overview(result.examples),
        findings=find(result.examples),
    )
