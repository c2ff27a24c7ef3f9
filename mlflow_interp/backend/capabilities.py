"""What a model offers to methods, read off a traced forward pass."""

from __future__ import annotations

from typing import Any, Literal

from mlflow_interp.backend.feature_maps import spatial_layers
from mlflow_interp.backend.forward import Forward
from mlflow_interp.backend.gradients import INPUT, differentiable_input
from mlflow_interp.backend.heads import class_scores
from mlflow_interp.exceptions import InapplicableError

#: A feature map; a class score that changes smoothly with the only input, or with an embedding of it; grey
#: or colour pictures for input, with a gradient; classes to tell apart; labels of the inputs; enough inputs
#: for a layout.
Capability = Literal["feature map", "gradient", "images", "classes", "labels", "five inputs"]
OF_INPUTS: set[Capability] = {"labels", "five inputs"}  # those that depend on the inputs, not on the model
FEWEST = 5  # of inputs, for a layout in two dimensions


def capabilities_of(model: Any, passed: Forward) -> set[Capability]:
    """What a model offers, read off a traced forward pass; of its inputs only the shape is known."""
    import tensorflow as tf

    scores = class_scores(passed.outputs)
    found: set[Capability] = {"feature map"} if spatial_layers(model, passed, scores.scores) else set()
    if not (scores.head == "linear" and scores.scores.shape[-1] == 1):
        found.add("classes")
    if tf.is_tensor(passed.inputs):
        try:
            entry = differentiable_input(model, passed, scores.scores)
        except InapplicableError:
            return found
        found |= {"gradient", "images"} if entry == INPUT and passed.inputs.shape.rank == 4 else {"gradient"}
    return found
