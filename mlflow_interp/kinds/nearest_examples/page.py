"""The page of nearest examples: the inputs in the order of the list, and the neighbours of the chosen one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.drawing import style
from mlflow_interp.drawing.page import render
from mlflow_interp.kinds.nearest_examples.figure import headline, neighbour_label, title_of

if TYPE_CHECKING:
    from mlflow_interp.kinds.nearest_examples.result import NearestExamplesResult


def page(result: NearestExamplesResult) -> str:
    """A page that works offline: the inputs that are shown, and the neighbours of the one that is chosen."""
    shown = result.examples.shown_rows
    rows = [row for row in result.order.tolist() if row in shown]
    labels = sorted({int(result.examples.labels[row]) for row in rows} - {UNKNOWN})
    return render(
        "kinds/nearest_examples/page.html",
        "kinds/nearest_examples/page.js",
        title=title_of(result),
        headline=headline(result),
        labels=[result.examples.class_name(label) for label in labels],
        labelled=result.is_labelled,
        shown=style.shown_of(result.examples),
        data=[_input(result, row, int(np.searchsorted(shown, row))) for row in rows],
    )


def _input(result: NearestExamplesResult, row: int, place: int) -> dict[str, Any]:
    """An input and its neighbours."""
    examples = result.examples
    label, suggested = int(examples.labels[row]), int(result.suggested[row])
    agreement = float(result.agreement[row])
    return {
        "name": examples.names[row],
        "label": None if label == UNKNOWN else examples.class_name(label),
        "predicted": examples.class_name(int(examples.classes[row, 0])) if examples.has_classes else None,
        "suggested": None if suggested == UNKNOWN else examples.class_name(suggested),
        "agreement": None if agreement < 0 else round(agreement, 4),
        "picture": None if examples.images is None else _picture(examples.images[place]),
        "neighbours": [_neighbour(result, row, place, rank) for rank in range(result.neighbours.shape[1])],
    }


def _neighbour(result: NearestExamplesResult, row: int, place: int, rank: int) -> dict[str, Any]:
    label, is_same = neighbour_label(result, row, rank)
    has_classes = result.examples.has_classes
    predicted = int(result.neighbour_predicted[row, rank])
    return {
        "name": result.neighbour_names[row][rank],
        "label": label or None,
        "same": is_same,
        "predicted": result.examples.class_name(predicted) if has_classes else None,
        "similarity": round(float(result.similarities[row, rank]), 4),
        "picture": None if result.pictures is None else _picture(result.pictures[place, rank]),
    }


def _picture(pixels: np.ndarray) -> str:
    return style.data_uri(pixels, lossless=max(pixels.shape[:2]) <= 32)
