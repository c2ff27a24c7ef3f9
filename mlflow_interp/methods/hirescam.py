"""HiResCAM: which positions of a feature map contribute to a class score."""

from __future__ import annotations

from typing import Any

from mlflow_interp.backend import ops
from mlflow_interp.engine.attribution import attribution

REQUIRES = ("feature map",)


@attribution(title="HiResCAM")
def hirescam(features: Any, score: Any) -> Any:
    """Which positions of a feature map raise a class score (HiResCAM, Draelos and Carin 2020).

    The feature map is multiplied, position by position, by the gradient of the class score with respect to
    it, and summed over channels. Grad-CAM averages the gradient over space first and may therefore highlight
    positions that do not contribute; here every position is weighted by its own gradient. If everything after
    the layer is linear, the map sums to the class score minus its bias.
    """
    return ops.sum(ops.gradient(score, features) * features, over=ops.CHANNELS)
