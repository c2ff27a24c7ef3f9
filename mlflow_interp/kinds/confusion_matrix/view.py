"""Confusion matrices on the page of a run: the matrix, and the errors with their images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlflow_interp.core.findings import Finding, of_counts
from mlflow_interp.drawing.view import Panel, View, rows
from mlflow_interp.kinds.confusion_matrix.text import headline

if TYPE_CHECKING:
    from mlflow_interp.kinds.confusion_matrix.result import ConfusionMatrixResult

MOST_CELLS = 3_000  # of the matrix on the page of a run


def view(
    result: ConfusionMatrixResult, *, normalize: str = "true", order: str = "given", colormap: str = "Blues"
) -> View:
    """The largest cells of the matrix, and the selected errors, the most confident first."""
    facts, _ = headline(result)
    most_confused = "".join(
        f" · most confused: {result.names[label]} → {result.names[predicted]} ({times:,}×)"
        for label, predicted, times in result.confused(1)
    )
    return View(
        title=result.title,
        headline=facts + most_confused,
        # An input with several wrong labels or positions has no single prediction.
        inputs=[]
        if result.multi_label or result.unit != "inputs"
        else rows(result.examples, thumbnails=result.thumbnails),
        panel=None if result.multi_label else Panel("confusion_matrix", _matrix(result)),
        findings=_findings(result),
    )


def _matrix(result: ConfusionMatrixResult) -> dict[str, Any]:
    """The classes that occur, and [true, predicted, count] of the non-empty cells, the largest first.

    True and predicted are positions in `classes`. The diagonal comes first, so that it is always complete.
    """
    counts = result.counts
    occurring = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    counts = counts[np.ix_(occurring, occurring)]
    true, predicted = np.nonzero(counts)
    largest = np.lexsort((-counts[true, predicted], true != predicted))[:MOST_CELLS]
    cells = np.stack([true, predicted, counts[true, predicted]], axis=1)[largest]
    return {
        "classes": occurring.tolist(),
        "names": [result.names[index] for index in occurring],
        "support": counts.sum(axis=1).tolist(),
        "cells": cells.tolist(),
        "more": len(true) - len(cells),
    }


def _findings(result: ConfusionMatrixResult) -> list[Finding]:
    """What the counts say of all inputs."""
    if result.multi_label or result.unit != "inputs":
        return []
    true, predicted = np.nonzero(result.counts)
    cells = zip(true.tolist(), predicted.tolist(), strict=True)
    counts = dict(zip(cells, result.counts[true, predicted].tolist(), strict=True))
    return of_counts(counts, lambda index: result.names[index])
