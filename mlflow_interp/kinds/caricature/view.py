"""Caricatures on the page of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_interp.core.examples import MOST_IMAGES
from mlflow_interp.drawing.view import View, rows
from mlflow_interp.kinds.caricature.tiles import notes_of, tiles_of

if TYPE_CHECKING:
    from mlflow_interp.kinds.caricature.result import CaricatureResult


def view(result: CaricatureResult) -> View:
    """The caricature of each input at each layer."""
    shown = range(min(len(result.examples), MOST_IMAGES))
    tiles = [list(tiles_of(result, at).items())[-len(result.layers) :] for at in shown]
    near, other = float(result.cosines.mean()), float(result.baseline_cosines.mean())
    return View(
        title="Caricature",
        headline=f"cosine {near:.2f} to their input, {other:.2f} to other inputs",
        inputs=rows(result.examples, tiles=tiles, notes=[_said(result, at) for at in shown]),
    )


def _said(result: CaricatureResult, at: int) -> list[str]:
    return [text for text, _ in notes_of(result, at)]
