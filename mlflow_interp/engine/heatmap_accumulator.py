"""Accumulates the heatmaps of inputs, and those of further classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mlflow_interp.core.calls import Call
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.coarse_maps import coarse
from mlflow_interp.core.examples import Examples
from mlflow_interp.core.explained import ExplainedAccumulator
from mlflow_interp.core.passed import Passed
from mlflow_interp.kinds.heatmap.result import HeatmapResult, OtherClasses

MOST_WITH_OTHERS = 20_000  # inputs; of more, only the maps of the explained class are kept
OTHER_TARGETS = "other_targets"
OTHER_MAPS = "other_maps"
STANDARD_ERRORS = "standard_errors"
NO_CALLS = (Call(),)


class HeatmapAccumulator:
    """Accumulates the maps of inputs and the classes that they explain.

    Args:
        layer: the path of the layer; empty for a method without one.
        title: the name of the method.
        calls: the calls of the layer, with one map each.
        contrast: what kind of classes the explained class is contrasted with; see `core.examples.Explained`.
        has_target: whether maps depend on the explained class.
        is_coarse: whether maps are reduced so far that they do not show the inputs.
        fields: further fields of the result.
    """

    def __init__(
        self,
        layer: str,
        title: str,
        calls: tuple[Call, ...] = NO_CALLS,
        *,
        contrast: str | None = None,
        has_target: bool = True,
        is_coarse: bool = False,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        self.layer = layer
        self.title = title
        self.calls = calls
        self.is_coarse = is_coarse
        self.fields = fields or {}
        self._full_size: tuple[int, ...] = ()
        self._explained = ExplainedAccumulator(contrast=contrast, has_target=has_target)
        self._count = 0

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Add the maps of a chunk."""
        self._count += len(chunk)
        if self._count > MOST_WITH_OTHERS:
            passed = replace(passed, arrays=_without_others(passed.arrays))
            self._explained.drop(OTHER_TARGETS, OTHER_MAPS)
        if self.is_coarse:
            passed = self._reduced(chunk, passed)
        self._explained.update(chunk, passed)

    def _reduced(self, chunk: Chunk, passed: Passed) -> Passed:
        maps = passed.arrays["maps"]
        axes = maps.ndim - (1 if len(self.calls) == 1 else 2)
        reduced = {
            name: coarse(passed.arrays[name], chunk.inputs, axes)
            # The mean of standard errors is an upper bound of the standard error of the mean.
            for name in ("maps", OTHER_MAPS, STANDARD_ERRORS)
            if name in passed.arrays
        }
        if reduced["maps"].shape != maps.shape:
            self._full_size = maps.shape[-axes:]
        return replace(passed, arrays={**passed.arrays, **reduced})

    def merge(self, other: HeatmapAccumulator) -> None:
        """Add the maps of other inputs."""
        self._count += other._count
        self._explained.merge(other._explained)
        if self._count > MOST_WITH_OTHERS:
            self._explained.drop(OTHER_TARGETS, OTHER_MAPS)
        self._full_size = self._full_size or other._full_size

    def result(self, examples: Examples, previous: HeatmapResult | None = None) -> HeatmapResult:
        """All maps so far."""
        explained, arrays = self._explained.result(examples)
        others = None
        if OTHER_MAPS in arrays:
            shown = examples.shown_rows
            others = OtherClasses(arrays[OTHER_TARGETS][shown], arrays[OTHER_MAPS][shown])
        return HeatmapResult(
            explained,
            arrays["maps"],
            self.layer,
            self.title,
            calls=self.calls,
            others=others,
            full_size=self._full_size,
            standard_errors=arrays.get(STANDARD_ERRORS),
            **self.fields,
        )


def _without_others(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array for name, array in arrays.items() if name not in (OTHER_TARGETS, OTHER_MAPS)}
