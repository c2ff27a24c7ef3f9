"""Which layers give a feature map: told from the shapes and the graph of a traced forward pass."""

from __future__ import annotations

from typing import Any

from mlflow_interp.exceptions import ModelError
from mlflow_interp.layers import Forward, is_channels_first, leaf_paths, walk


def spatial_axes(model: Any, tensor: Any) -> tuple[int, ...]:
    """The axes of a feature map that are neither batch nor channels."""
    rank = tensor.shape.rank
    return tuple(range(2, rank) if is_channels_first(model) else range(1, rank - 1))


def is_spatial(model: Any, tensor: Any) -> bool:
    """Whether a tensor is a feature map over space: 2 or 3 spatial axes, more than one place in it."""
    if tensor.shape.rank not in (4, 5):
        return False
    sizes = [tensor.shape[axis] for axis in spatial_axes(model, tensor)]
    return any(size is None or size > 1 for size in sizes)


def last_spatial_layer(model: Any, traced: Forward, upto: Any) -> str:
    """The path of the last layer with a spatial feature map that `upto` depends on.

    Raises:
        ModelError: the model has none.
    """
    used, leaves = dependencies(upto), leaf_paths(model)
    for path, tensor in reversed(traced.tapped.items()):
        if path in leaves and is_spatial(model, tensor) and tensor.op.name in used:
            return path
    raise ModelError(
        f"model {model.name!r} has no layer with a spatial feature map, which Grad-CAM needs and "
        "others take by default; `mlflow-interp layers` shows what each method can use"
    )


def layer_before_head(model: Any, traced: Forward) -> str:
    """The path of the last layer before the head, which is the last layer with weights.

    What it gives is what the model knows of an input when it chooses between the classes.

    Raises:
        ModelError: nothing comes before the head.
    """
    used, leaves = dependencies(traced.outputs), leaf_paths(model)
    way = [path for path, tensor in traced.tapped.items() if path in leaves and tensor.op.name in used]
    weighted = {place.path for place in walk(model) if place.layer.weights}
    before = way[: max((at for at, path in enumerate(way) if path in weighted), default=0)]
    if not before:
        raise ModelError(
            f"model {model.name!r} has no layer before its head, so which to take is not known; name "
            "layers=; `mlflow-interp layers` shows what each method can use"
        )
    return before[-1]


def dependencies(tensor: Any) -> set[str]:
    """The names of all operations that a tensor of a traced graph is computed from, its own too."""
    seen, waiting = set(), [tensor.op]
    while waiting:
        operation = waiting.pop()
        if operation.name not in seen:
            seen.add(operation.name)
            waiting.extend(parent.op for parent in operation.inputs)
    return seen
