"""LayerCAM: like Grad-CAM, but finer, and also at early layers."""

from __future__ import annotations

from typing import Any

from mlflow_interp.backend import ops
from mlflow_interp.engine.attribution import attribution

REQUIRES = ("feature map",)


@attribution(title="LayerCAM")
def layercam(features: Any, score: Any) -> Any:
    """Like Grad-CAM, but finer, and also at early layers.

    LayerCAM (Jiang et al. 2021) multiplies each value of a feature map by the gradient of the class score
    with respect to it, if that is positive, and sums over channels. As every position has its own weight, the
    method also works at early layers, whose maps are finer.
    """
    weights = ops.relu(ops.gradient(score, features))
    return ops.sum(weights * features, over=ops.CHANNELS)
