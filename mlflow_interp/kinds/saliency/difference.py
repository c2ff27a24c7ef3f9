"""The difference of two results of saliency maps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlflow_interp.exceptions import InputsError
from mlflow_interp.kinds.difference import ExplainedDifference, check_contrasts, explained_at
from mlflow_interp.kinds.matching import match
from mlflow_interp.kinds.saliency.result import MAPS, SaliencyResult

_ARRAYS = (*MAPS, "completeness_gaps")


@dataclass(frozen=True, eq=False)
class SaliencyDifference(ExplainedDifference[SaliencyResult], SaliencyResult):
    """Saliency maps minus those of another result, for the inputs that both share."""

    def table(self) -> dict[str, list[Any]]:
        """A row for each input: predictions and targets of both, and the difference of completeness gaps."""
        return super().table() | {"completeness_gap_change": self.completeness_gaps.tolist()}


def difference(minuend: SaliencyResult, subtrahend: SaliencyResult) -> SaliencyDifference:
    """Maps minus maps, input by input, with every channel and sign.

    Raises:
        InputsError: no input in common, or maps of different shapes or with different contrasts.
    """
    if minuend.gradients.shape[1:] != subtrahend.gradients.shape[1:]:
        shapes = [" × ".join(map(str, each.gradients.shape[1:])) for each in (minuend, subtrahend)]
        raise InputsError(
            f"saliency maps of {shapes[0]} and of {shapes[1]} can't be subtracted; the models need inputs of "
            "the same shape"
        )
    check_contrasts(minuend.explained, subtrahend.explained)
    matching = match(minuend.examples, subtrahend.examples)
    first = _at(minuend, matching.rows)
    second = _at(subtrahend, matching.other_rows)
    return SaliencyDifference(
        explained=first.explained,
        noise_samples=minuend.noise_samples,
        entry=minuend.entry,
        title=f"Difference of {' and '.join(dict.fromkeys((minuend.title, subtrahend.title)))}",
        minuend=first,
        subtrahend=second,
        matching=matching,
        **_differences(first, second),
    )


def _differences(first: SaliencyResult, second: SaliencyResult) -> dict[str, Any]:
    """Each array minus the other; None for a map that a result of an earlier version lacks."""
    pairs = {name: (getattr(first, name), getattr(second, name)) for name in _ARRAYS}
    return {
        name: None if one is None or other is None else one - other for name, (one, other) in pairs.items()
    }


def _at(result: SaliencyResult, rows: np.ndarray) -> SaliencyResult:
    names = (*_ARRAYS, "path_points")
    arrays = {name: getattr(result, name) for name in names if getattr(result, name) is not None}
    chosen = {name: array[rows] for name, array in arrays.items()}
    return replace(result, explained=explained_at(result.explained, rows), **chosen)
