"""EigenCAM: the strongest pattern in the activations of a layer, whatever the class."""

from __future__ import annotations

from typing import Any

from mlflow_interp.backend import ops
from mlflow_interp.engine.attribution import attribution

REQUIRES = ("feature map",)


@attribution(title="EigenCAM")
def eigencam(features: Any) -> Any:
    """The strongest pattern in the activations of a layer, whatever the class.

    EigenCAM (Muhammad and Yeasin 2020) projects the channels at each position of a feature map on the first
    right singular vector of the matrix of all positions, that is, on the combination of channels that most of
    the activation follows. It uses no gradient and no class score. The sign of a singular vector is
    arbitrary; it is chosen so that the mean of the map is not negative.
    """
    return ops.first_component(features)
