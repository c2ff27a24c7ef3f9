"""LayerCAM: fine heatmaps, also at early layers."""

from __future__ import annotations

from typing import Any

from mlflow_interp.backend import ops
from mlflow_interp.engine.attribution import attribution

REQUIRES = ("feature map",)


@attribution(title="LayerCAM")
def layercam(features: Any, score: Any) -> Any:
    """Where a layer holds evidence for a class, finely and at any depth (LayerCAM, Jiang et al. 2021).

    Each value of a feature map, weighted by its own gradient of the class score where that is positive, and
    summed over channels. As every position has a weight of its own, early layers, whose maps are finer, can
    be used too.
    """
    weights = ops.relu(ops.gradient(score, features))
    return ops.sum(weights * features, over=ops.CHANNELS)
