"""Where the objects of an input are, as a person marked them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlflow_interp.core.chunk import UNKNOWN

REGIONS = "regions"  # the column of a chunk with the regions of each input


@dataclass(frozen=True, eq=False)
class Regions:
    """The marked regions of one input.

    Attributes:
        masks: (k, *sides) bool, true inside a region, at the positions of the model's input.
        classes: (k,) int64, the class of each region, `UNKNOWN` if it counts for every class.
    """

    masks: np.ndarray
    classes: np.ndarray

    def of(self, target: int | None) -> np.ndarray | None:
        """The union (*sides) of the regions of a class, or of all for None; None if that is empty."""
        counts = np.ones(len(self.classes), bool)
        if target is not None:
            counts = (self.classes == target) | (self.classes == UNKNOWN)
        union = self.masks[counts].any(axis=0)
        return np.asarray(union) if union.any() else None


def column_of(regions: list[Regions | None]) -> np.ndarray:
    """Regions of inputs, None for an input without, as a column of a chunk."""
    column = np.empty(len(regions), object)
    column[:] = regions
    return column
