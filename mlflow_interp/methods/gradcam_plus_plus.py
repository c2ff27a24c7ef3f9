"""Grad-CAM++: like Grad-CAM, but made to cover several objects of a class."""

from __future__ import annotations

from typing import Any

from mlflow_interp.backend import ops
from mlflow_interp.engine.attribution import attribution

REQUIRES = ("feature map",)


@attribution(title="Grad-CAM++")
def gradcam_plus_plus(features: Any, score: Any) -> Any:
    """Like Grad-CAM, but made to cover several objects of a class.

    Grad-CAM++ (Chattopadhay et al. 2018) weights each channel of a feature map by a weighted sum of the
    positive gradients of the class score over all positions, instead of by their mean. Gradients count more
    in channels that are active at few positions, such as those of a small object.
    """
    gradient = ops.gradient(score, features)
    # The paper's G² / (2G² + ΣA·G³). Without the common factor G², small gradients do not underflow.
    shares = ops.inverse_where_positive(2 + gradient * ops.sum(features, over=ops.SPACE, keep=True))
    weights = ops.sum(shares * ops.relu(gradient), over=ops.SPACE, keep=True)
    return ops.sum(weights * features, over=ops.CHANNELS)
