"""HiResCAM: like Grad-CAM, but with the gradient at each position instead of its mean."""

from __future__ import annotations

from typing import Any

from mlflow_interp.backend import ops
from mlflow_interp.engine.attribution import attribution

REQUIRES = ("feature map",)


@attribution(title="HiResCAM")
def hirescam(features: Any, score: Any) -> Any:
    """Like Grad-CAM, but with the gradient at each position instead of its mean.

    HiResCAM (Draelos and Carin 2020) multiplies the feature map, position by position, by the gradient of the
    class score with respect to it, and sums over channels. Grad-CAM averages the gradient over all positions
    first and may therefore highlight positions that do not contribute. If everything after the layer is
    linear, the map sums to the class score minus its bias.
    """
    return ops.sum(ops.gradient(score, features) * features, over=ops.CHANNELS)
