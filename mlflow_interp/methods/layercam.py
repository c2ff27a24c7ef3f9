"""LayerCAM: fine heatmaps, also at early layers."""

from __future__ import annotations

from typing import Any

from mlflow_interp.backend import ops
from mlflow_interp.engine.attribution import attribution

REQUIRES = ("feature map",)


@attribution(title="LayerCAM")
def layercam(features: Any, score: Any) -> Any:
    """Where a layer holds evidence for a class, in fine detail at any depth (LayerCAM, Jiang et al. 2021).

    Each value of a feature map is multiplied by its own gradient of the class score if that is positive, and
    the products are summed over channels. As every position has its own weight, the method also works at
    early layers, whose maps are finer.
    """
    weights = ops.relu(ops.gradient(score, features))
    return ops.sum(weights * features, over=ops.CHANNELS)
