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
    indices = range(min(len(result.examples), MOST_IMAGES))
    cosine = float(result.cosines.mean())
    baseline = float(result.baseline_cosines.mean())
    return View(
        title="Caricature",
        headline=f"cosine {cosine:.2f} to their input, {baseline:.2f} to other inputs",
        inputs=rows(
            result.examples,
            tiles=[list(tiles_of(result, index).items())[-len(result.layers) :] for index in indices],
            notes=[[text for text, _ in notes_of(result, index)] for index in indices],
        ),
    )
