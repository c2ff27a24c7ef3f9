"""The maps of a result, to compare with those of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mlflow_interp.kinds.heatmap.result import HeatmapResult


def maps(result: HeatmapResult) -> dict[str, np.ndarray]:
    """The signed heatmaps (n, *grid), named ""; none if there is one for each of several calls."""
    return {"": result.heatmaps} if len(result.calls) == 1 else {}
