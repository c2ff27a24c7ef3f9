"""Grad-CAM: where a convolutional model looks when it decides for a class."""

from __future__ import annotations

from typing import Any

from mlflow_interp.backend import ops
from mlflow_interp.engine.attribution import attribution

REQUIRES = ("feature map",)


@attribution(title="Grad-CAM")
def gradcam(features: Any, score: Any) -> Any:
    """Where a convolutional model looks for a class (Grad-CAM, Selvaraju et al. 2017).

    The channels of a feature map, weighted by the mean gradient of the class score over space, and summed.
    The score is the logit where the model ends in a softmax or sigmoid. Prediction and heatmap come from one
    compiled function, so that it costs little more than the prediction alone.

    The tokens of a vision transformer are laid out on their grid of patches, without the class token, and
    the last layer is taken whose patches the class still depends on, as is the practice of Gildenblat et
    al.'s pytorch-grad-cam (2021). A segmentation's score is the mean over the picture.
    """
    weights = ops.mean(ops.gradient(score, features), over=ops.SPACE)
    return ops.sum(weights * features, over=ops.CHANNELS)
