"""Whether a model scales pixels itself, before its first layer with weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from mlflow_interp.backend.layer_tree import walk

#: Operations between layers that scale or shift: Keras', and TensorFlow's in Keras 2 files.
_ARITHMETIC = frozenset(("Add", "Subtract", "Multiply", "TrueDivide", "Divide"))
_FUNCTIONS = frozenset(("add", "subtract", "multiply", "truediv", "divide"))
#: Layers that keep the scale of pixels, besides those that augment or resize.
_TRANSPARENT = (
    "InputLayer",
    "Identity",
    "Reshape",
    "Permute",
    "ZeroPadding2D",
    "Cropping2D",
    "Dropout",
    "SpatialDropout2D",
    "GaussianNoise",
    "GaussianDropout",
    "Cast",
)


def scales_input(model: Any) -> Literal["yes", "no", "unknown"]:
    """Whether a model scales its input, before any layer with trainable weights.

    Only the first operations on the path from the input count: a Rescaling layer further inside is part of
    the network. For a subclassed model with such a layer, the path is not known.
    """
    if _graph(model) is None:
        return "unknown" if any(_is_scaling(each.layer) for each in walk(model)) else "no"
    steps = list(_steps(model))
    if any(_is_scaling(step) for step in steps):
        return "yes"
    inner = [step for step in steps if _graph(step) is None and not _is_transparent(step)]
    nested = [located.layer for step in inner if hasattr(step, "layers") for located in walk(step)]
    return "unknown" if any(map(_is_scaling, nested)) else "no"


def _steps(model: Any) -> Iterator[Any]:
    """The operations on the path from the inputs, up to the first that changes more than scale and shape."""
    operations = _graph(model)._operations
    pending = [operation for operation in operations if type(operation).__name__ == "InputLayer"]
    own = {id(operation) for operation in operations}
    seen = set[int]()
    while pending:
        operation = pending.pop(0)
        if id(operation) in seen:
            continue
        seen.add(id(operation))
        yield operation
        if _graph(operation) is not None:
            inner = list(_steps(operation))
            yield from inner
            goes_on = all(_is_transparent(step) or _is_scaling(step) for step in inner)
        else:
            goes_on = _is_transparent(operation) or _is_scaling(operation)
        if goes_on:
            followers = [node.operation for node in operation._outbound_nodes]
            pending += [each for each in followers if id(each) in own]


def _graph(layer: Any) -> Any:
    """The functional model of a layer that is one, or that is a Sequential model; None for any other."""
    import keras

    graph = getattr(layer, "_functional", None) if isinstance(layer, keras.Sequential) else layer
    return graph if isinstance(graph, keras.Model) and hasattr(graph, "_operations") else None


def _is_scaling(operation: Any) -> bool:
    import keras

    if isinstance(operation, (keras.layers.Rescaling, keras.layers.Normalization)):
        return True
    if isinstance(operation, keras.layers.Layer):
        return False
    name = type(operation).__name__
    function = str(getattr(operation, "function", "")).rpartition(".")[2]
    return name in _ARITHMETIC or function in _FUNCTIONS


def _is_transparent(operation: Any) -> bool:
    module = type(operation).__module__
    is_augmentation = module.startswith("keras.src.layers.preprocessing.image_preprocessing")
    name = type(operation).__name__
    function = str(getattr(operation, "function", ""))
    return is_augmentation or name in _TRANSPARENT or function in ("cast", "identity", "reverse")
