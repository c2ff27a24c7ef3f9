"""The capabilities of a model that methods require, read from a traced forward pass."""

from __future__ import annotations

from typing import Any, Literal

from mlflow_interp.backend.attention import find_attention
from mlflow_interp.backend.feature_maps import spatial_layers
from mlflow_interp.backend.forward import Forward
from mlflow_interp.backend.gradients import INPUT, differentiable_input
from mlflow_interp.backend.heads import class_scores
from mlflow_interp.exceptions import InapplicableError

#: A feature map; self-attention that can be followed back to the input; a single input, of numbers; a class
#: score with a gradient with respect to the only input or its embedding; grey or colour images as input, with
#: a gradient; at least two classes; labels of the inputs; enough inputs for UMAP; a training that runs.
Capability = Literal[
    "feature map",
    "attention",
    "one input",
    "gradient",
    "images",
    "classes",
    "labels",
    "five inputs",
    "training",
]
OF_INPUTS: set[Capability] = {"labels", "five inputs"}  # these depend on the inputs, not on the model
FEWEST = 5  # inputs for an embedding in two dimensions


def capabilities_of(model: Any, passed: Forward, head: str) -> set[Capability]:
    """The capabilities of a model, read from a forward pass, traced with attention: no inputs are known."""
    import tensorflow as tf

    scores = class_scores(passed.outputs, model, head)
    capabilities: set[Capability] = {"feature map"} if spatial_layers(model, passed, scores.scores) else set()
    if _can_follow_attention(model, passed, scores.scores):
        capabilities.add("attention")
    if scores.head != "values":
        capabilities.add("classes")
    if tf.is_tensor(passed.inputs):
        if passed.inputs.dtype.is_floating or passed.inputs.dtype.is_integer:
            capabilities.add("one input")
        try:
            entry = differentiable_input(model, passed, scores.scores)
        except InapplicableError:
            return capabilities
        capabilities |= (
            {"gradient", "images"} if entry == INPUT and passed.inputs.shape.rank == 4 else {"gradient"}
        )
    return capabilities


def _can_follow_attention(model: Any, passed: Forward, scores: Any) -> bool:
    try:
        find_attention(model, passed, scores)
    except InapplicableError:
        return False
    return True
