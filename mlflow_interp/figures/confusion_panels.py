"""Confusion matrices on the page of their run: the matrix, and the mistakes with their pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.figures.confusion_text import headline
from mlflow_interp.figures.panels import Panels, rows

if TYPE_CHECKING:
    from mlflow_interp.confusion.result import ConfusionMatrixResult

MOST_CELLS, MOST_CLASSES = 3_000, 2_000


def panels(
    result: ConfusionMatrixResult, *, normalize: str = "true", order: str = "given", colormap: str = "Blues"
) -> Panels:
    """The largest cells of the matrix, and the mistakes kept, the most confident first."""
    facts, _ = headline(result)
    confused = result.confused(1)
    worst = (
        f" · most confused: {result.names[confused[0][0]]} → {result.names[confused[0][1]]} ({confused[0][2]}×)"
        if confused
        else ""
    )
    return Panels(
        title="Confusion matrix",
        headline=facts + worst,
        inputs=[] if result.multi_label else rows(result.examples, pictures=result.thumbnails),
        matrix=None if result.multi_label or len(result.counts) > MOST_CLASSES else _matrix(result),
    )


def _matrix(result: ConfusionMatrixResult) -> dict[str, Any]:
    """Names, and [true, predicted, count] of cells that aren't empty; the diagonal of all, of others the largest."""
    counts = result.counts
    true, predicted = np.nonzero(counts)
    largest = np.lexsort((-counts[true, predicted], true != predicted))[:MOST_CELLS]
    cells = np.stack([true, predicted, counts[true, predicted]], axis=1)[np.sort(largest)]
    return {
        "names": list(result.names),
        "support": counts.sum(axis=1).tolist(),
        "cells": cells.tolist(),
        "more": len(true) - len(cells),
    }
