"""LayerCAM: like Grad-CAM, but finer, and also at early layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlflow_interp.backend import ops
from mlflow_interp.engine.attribution import attribution

REQUIRES = ("feature map",)

GAIN = 2.0  # of the tanh that strengthens the maps of early layers, as in the paper


def _fused(maps: Sequence[Any]) -> Any:
    """The maximum of the maps of several layers, each relative to its own maximum, at the finest resolution.

    The values of early layers are mostly small, so that the paper strengthens them by a tanh. Early are those
    that are finer than the coarsest layer.
    """
    scaled = [ops.relative(each) for each in ops.enlarged(maps)]
    are_early = ops.finer_than_coarsest(maps)
    strengthened = [
        ops.tanh_where(is_early, each, gain=GAIN) for is_early, each in zip(are_early, scaled, strict=True)
    ]
    return ops.maximum(strengthened)


@attribution(title="LayerCAM", fuse=_fused)
def layercam(features: Any, score: Any) -> Any:
    """Like Grad-CAM, but finer, and also at early layers.

    LayerCAM (Jiang et al. 2021) multiplies each value of a feature map by the gradient of the class score
    with respect to it, if that is positive, and sums over channels. As every position has its own weight, the
    method also works at early layers, whose maps are finer.

    The maps of several layers are fused, as in the paper: their positive part is resized to the largest of
    their resolutions and divided by its maximum; the values v of layers finer than the coarsest become
    tanh(2 v); the map is the maximum over layers, in 0..1.
    """
    weights = ops.relu(ops.gradient(score, features))
    return ops.sum(weights * features, over=ops.CHANNELS)
