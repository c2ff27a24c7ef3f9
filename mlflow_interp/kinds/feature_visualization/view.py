"""Feature visualisations on the page of a run: with each input, the features that it excites most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlflow_interp.core.findings import Finding, find
from mlflow_interp.drawing.overview import make_overview
from mlflow_interp.drawing.tone import drawn
from mlflow_interp.drawing.view import View, rows
from mlflow_interp.kinds.feature_visualization.figure import headline, number, times, title_of

if TYPE_CHECKING:
    from mlflow_interp.kinds.feature_visualization.result import FeatureVisualizationResult

MOST_TILES = 6  # features of an input


def view(result: FeatureVisualizationResult) -> View:
    """The inputs that excite a feature most, each with the images of these features."""
    shown = result.examples.shown_rows.tolist()
    excited = [_excited(result, row) for row in shown]
    return View(
        title=title_of(result),
        headline=headline(result),
        inputs=rows(
            result.examples,
            tiles=[
                [(_caption(result, at, row), drawn(result.images[at, 0])) for at in features]
                for row, features in zip(shown, excited, strict=True)
            ],
            notes=[
                [_note(result, at, row) for at in features]
                for row, features in zip(shown, excited, strict=True)
            ],
        ),
        overview=make_overview(result.examples),
        findings=[*find(result.examples), *_findings(result)],
    )


def _excited(result: FeatureVisualizationResult, row: int) -> list[int]:
    """The features of which an input is one of the strongest, those first that it ranks highest in."""
    at, rank = np.nonzero(result.strongest == row)
    features: list[int] = at[np.lexsort((at, rank))].tolist()
    return features[:MOST_TILES]


def _caption(result: FeatureVisualizationResult, at: int, row: int) -> str:
    return f"{result.names[at]} {number(float(result.activations[row, at]))}"


def _note(result: FeatureVisualizationResult, at: int, row: int) -> str:
    rank = int(np.flatnonzero(result.strongest[at] == row)[0]) + 1
    place = "most of all inputs" if rank == 1 else f"as number {rank} of all inputs"
    reached = number(float(result.objectives[at].max()))
    return f"excites {_caption(result, at, row)} {place}; its image reaches {reached}"


def _findings(result: FeatureVisualizationResult) -> list[Finding]:
    """The feature whose image is furthest above the strongest input."""
    if not np.isfinite(result.ratios).any():
        return []
    at = int(np.nanargmax(result.ratios))
    row = int(result.strongest[at, 0])
    text = (
        f"Of all inputs, {result.examples.names[row]} excites {result.names[at]} most; an optimised image "
        f"excites it {times(float(result.ratios[at]))} as strongly."
    )
    return [Finding(text, {"input": int(result.examples.indices[row])})]
