"""The difference of two results of heatmaps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlflow_interp.exceptions import InputsError
from mlflow_interp.kinds.difference import ExplainedDifference, check_contrasts, explained_at
from mlflow_interp.kinds.heatmap.result import HeatmapResult
from mlflow_interp.kinds.matching import match


@dataclass(frozen=True, eq=False)
class HeatmapDifference(ExplainedDifference[HeatmapResult], HeatmapResult):
    """Heatmaps minus those of another result, for the inputs that both share.

    Signed heatmaps are subtracted, before any ReLU, and both signs are drawn.
    """

    def table(self) -> dict[str, list[Any]]:
        """A row for each input: predictions and targets of both, and the mean absolute difference."""
        change = np.abs(self.heatmaps).reshape(len(self.heatmaps), -1).mean(axis=1)
        return super().table() | {"mean_absolute_difference": change.tolist()}


def difference(minuend: HeatmapResult, subtrahend: HeatmapResult) -> HeatmapDifference:
    """Heatmaps minus heatmaps, input by input.

    Raises:
        InputsError: no input in common, or heatmaps of different shapes or with different contrasts.
    """
    if minuend.heatmaps.shape[1:] != subtrahend.heatmaps.shape[1:]:
        remedy = "; choose layers of the same resolution" if minuend.layer or subtrahend.layer else ""
        raise InputsError(
            f"heatmaps of {_sized(minuend)} and of {_sized(subtrahend)} can't be subtracted{remedy}"
        )
    check_contrasts(minuend.explained, subtrahend.explained)
    matching = match(minuend.examples, subtrahend.examples)
    first = _at(minuend, matching.rows)
    second = _at(subtrahend, matching.other_rows)
    layers = dict.fromkeys(filter(None, (minuend.layer, subtrahend.layer)))
    return HeatmapDifference(
        explained=first.explained,
        heatmaps=first.heatmaps - second.heatmaps,
        layer=" − ".join(layers),
        title=f"Difference of {' and '.join(dict.fromkeys((minuend.title, subtrahend.title)))}",
        relu=False,
        calls=first.calls,
        is_table=first.is_table,
        minuend=first,
        subtrahend=second,
        matching=matching,
    )


def _at(result: HeatmapResult, rows: np.ndarray) -> HeatmapResult:
    errors = result.standard_errors
    return replace(
        result,
        explained=explained_at(result.explained, rows),
        heatmaps=result.heatmaps[rows],
        standard_errors=None if errors is None else errors[rows],
    )


def _sized(result: HeatmapResult) -> str:
    """The size of the heatmaps of a result, and their layer."""
    size = " × ".join(map(str, result.heatmaps.shape[1:]))
    return f"{size} at {result.layer!r}" if result.layer else size
