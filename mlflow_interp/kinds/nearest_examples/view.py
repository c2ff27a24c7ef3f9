"""Nearest examples on the page of a run: the first inputs of the list, with their neighbours as tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.findings import Finding
from mlflow_interp.drawing.overview import sample
from mlflow_interp.drawing.view import Neighbours, View, rows
from mlflow_interp.kinds.nearest_examples.figure import headline, neighbour_label, title_of
from mlflow_interp.kinds.nearest_examples.result import HALF

if TYPE_CHECKING:
    from mlflow_interp.kinds.nearest_examples.result import NearestExamplesResult

MOST_TILES = 6  # neighbours on the page of a run


def view(result: NearestExamplesResult) -> View:
    """The first inputs of the list."""
    shown = result.examples.shown_rows.tolist()
    return View(
        title=title_of(result),
        headline=headline(result),
        inputs=rows(
            result.examples,
            tiles=_tiles(result, shown),
            notes=[_notes(result, row) for row in shown],
        ),
        findings=_findings(result),
        neighbours=None if result.reference else _neighbours(result),
    )


def _neighbours(result: NearestExamplesResult) -> Neighbours:
    """The nearest inputs of each that the page may show, if neighbours are inputs and not of a reference."""
    rows = sample(result.examples)
    indices = result.examples.indices[rows].tolist()
    nearest = result.neighbours[rows, :MOST_TILES].tolist()
    return Neighbours(f"at {result.layer}", dict(zip(indices, nearest, strict=True)))


def _tiles(result: NearestExamplesResult, shown: list[int]) -> list[list[tuple[str, np.ndarray]]]:
    """The neighbours of each shown input, with similarity and label; none without images."""
    if result.pictures is None or result.examples.images is None:
        return []
    return [
        [
            (_caption(result, row, rank), result.pictures[place, rank])
            for rank in range(min(MOST_TILES, result.neighbours.shape[1]))
        ]
        for place, row in enumerate(shown)
    ]


def _caption(result: NearestExamplesResult, row: int, rank: int) -> str:
    label, is_same = neighbour_label(result, row, rank)
    mark = "≠ " if is_same is False else ""
    return f"{mark}{label} {result.similarities[row, rank]:.2f}".strip()


def _notes(result: NearestExamplesResult, row: int) -> list[str]:
    names = ", ".join(result.neighbour_names[row][:MOST_TILES])
    agreement, suggested = float(result.agreement[row]), int(result.suggested[row])
    notes = [f"nearest: {names}"]
    if agreement >= 0:
        notes.append(f"{agreement:.0%} of neighbours have its label")
    if suggested not in (UNKNOWN, int(result.examples.labels[row])):
        notes.append(f"most frequent label of neighbours: {result.examples.class_name(suggested)}")
    return notes


def _findings(result: NearestExamplesResult) -> list[Finding]:
    """The input that disagrees most with its neighbours."""
    row = int(result.order[0])
    agreement = float(result.agreement[row])
    if not 0 <= agreement < HALF:
        return []
    examples = result.examples
    label, suggested = int(examples.labels[row]), int(result.suggested[row])
    text = (
        f"{examples.names[row]} is labelled {examples.class_name(label)}, but its neighbours are mostly "
        f"{examples.class_name(suggested)}."
    )
    return [Finding(text, {"input": int(examples.indices[row])})]
