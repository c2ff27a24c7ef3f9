"""Grad-CAM: which regions of an input a convolutional model bases a class on."""

from __future__ import annotations

from typing import Any

from mlflow_interp.backend import ops
from mlflow_interp.engine.attribution import attribution

REQUIRES = ("feature map",)


@attribution(title="Grad-CAM")
def gradcam(features: Any, score: Any) -> Any:
    """Which regions of an input a convolutional model bases a class on (Grad-CAM, Selvaraju et al. 2017).

    The channels of a feature map are weighted by the mean gradient of the class score over space, and summed.
    The score is the logit if the model ends in a softmax or sigmoid. Prediction and heatmap come from one
    compiled function, so that Grad-CAM costs little more than the prediction alone.

    The tokens of a vision transformer are arranged on their grid of patches, without the class token. By
    default the layer is the last one whose patches the class score still depends on, as in pytorch-grad-cam
    (Gildenblat et al. 2021). The score of a segmentation model is the mean over the image.
    """
    weights = ops.mean(ops.gradient(score, features), over=ops.SPACE)
    return ops.sum(weights * features, over=ops.CHANNELS)
