"""Accumulates the measures of heatmaps of inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.examples import Examples
from mlflow_interp.core.explained import ExplainedAccumulator
from mlflow_interp.core.passed import Passed
from mlflow_interp.kinds.quality.result import Agreement, QualityResult
from mlflow_interp.quality.measures import distance_to_others, overlap, spearman
from mlflow_interp.quality.rankings import enlarged

MAPS = "maps/"  # the beginning of the names of arrays that hold the heatmaps of a method


class QualityAccumulator:
    """Accumulates the measures of inputs, and their heatmaps, which are compared at the end.

    Args:
        titles: the display name of each kind of heatmap, by key.
        sides: the number of positions of an input along each axis.
        chosen: the values of options that the method chose.
    """

    def __init__(self, titles: Mapping[str, str], sides: Sequence[int], chosen: Mapping[str, Any]) -> None:
        self._titles = dict(titles)
        self._sides = tuple(sides)
        self._chosen = dict(chosen)
        self._explained = ExplainedAccumulator()

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Add the measures of a chunk."""
        kept = {name: array for name, array in passed.arrays.items() if name != "runner_up"}
        self._explained.update(chunk, replace(passed, arrays=kept))

    def merge(self, other: QualityAccumulator) -> None:
        """Add the measures of other inputs."""
        self._explained.merge(other._explained)

    def result(self, examples: Examples, previous: QualityResult | None = None) -> QualityResult:
        """All measures so far."""
        explained, arrays = self._explained.result(examples)
        maps = [arrays[f"{MAPS}{key}"] for key in self._titles]
        distances = [distance_to_others(each.reshape(len(each), -1)) for each in maps]
        names = (
            "correlation",
            "stability",
            "randomised_head",
            "randomised_all",
            "class_specific",
            "sparseness",
        )
        return QualityResult(
            explained=explained,
            titles=self._titles,
            curves=arrays["curves"],
            null_curves=arrays["null_curves"],
            measures={name: arrays[name] for name in names}
            | {"distance_to_others": np.stack(distances, axis=1)},
            agreements=self._agreements(maps),
            seconds=tuple(float(each) for each in np.median(arrays["seconds"], axis=0)),
            chosen=self._chosen,
        )

    def _agreements(self, maps: Sequence[np.ndarray]) -> tuple[Agreement, ...]:
        """How far each two kinds of heatmaps agree, at the positions of the inputs."""
        keys = list(self._titles)
        rows = [enlarged(each, self._sides).reshape(len(each), -1) for each in maps]
        return tuple(
            Agreement(
                keys[one], keys[other], spearman(rows[one], rows[other]), overlap(rows[one], rows[other])
            )
            for one, other in combinations(range(len(keys)), 2)
        )
