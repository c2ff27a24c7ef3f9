"""Grad-CAM: coarse regions of an input that raise a class score."""

from __future__ import annotations

from typing import Any

from mlflow_interp.backend import ops
from mlflow_interp.engine.attribution import attribution

REQUIRES = ("feature map",)


@attribution(title="Grad-CAM")
def gradcam(features: Any, score: Any) -> Any:
    """Coarse regions of an input that raise a class score.

    Grad-CAM (Selvaraju et al. 2017) weights each channel of a feature map by the gradient of the class score,
    averaged over all positions, and sums the channels. The score is the logit if the model ends in a softmax
    or sigmoid. Prediction and heatmap are computed together, so Grad-CAM costs little more than a prediction.

    The tokens of a vision transformer are arranged on their grid of patches, without the class token. For
    such a model, the default layer is the last one whose patches the class score depends on, as in
    pytorch-grad-cam (Gildenblat et al. 2021). The score of a segmentation model is the mean over the image.
    """
    weights = ops.mean(ops.gradient(score, features), over=ops.SPACE)
    return ops.sum(weights * features, over=ops.CHANNELS)
