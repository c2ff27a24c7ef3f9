"""The mean heatmaps of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class ClassHeatmaps:
    """The mean heatmap of a method for each explained class.

    Attributes:
        method: its name.
        title: its name in titles.
        relu: whether only positive heat is drawn, as in the method's own figure.
        classes: (c,) int64, the explained classes.
        counts: (c,) int64, the number of heatmaps of each.
        means: (c, *grid) float64, signed.
        deviations: (c, *grid) float64, the standard deviation at each position.
        has_target: whether heatmaps explain a class; if not, as for EigenCAM, `classes` are predicted ones.
    """

    method: str
    title: str
    relu: bool
    classes: np.ndarray
    counts: np.ndarray
    means: np.ndarray
    deviations: np.ndarray
    has_target: bool = True

    @property
    def mean(self) -> np.ndarray:
        """(*grid) the mean heatmap of all inputs."""
        return np.asarray(np.average(self.means, axis=0, weights=self.counts))

    @cached_property
    def row_of(self) -> Mapping[int, int]:
        """The row of each class."""
        return {label: row for row, label in enumerate(self.classes.tolist())}
