"""A layer for the TensorFlow functions that Keras 2 files may call between layers."""

from __future__ import annotations

from functools import cache
from typing import Any

FUNCTION = "TensorFlowFunction"
# Functions that a file may call: pure functions of tensors only, as `tf.io.write_file` is a function too.
ALLOWED = frozenset(
    [
        "__operators__.add",
        "__operators__.getitem",
        "__operators__.matmul",
        "cast",
        "clip_by_value",
        "concat",
        "expand_dims",
        "identity",
        "reshape",
        "reverse",
        "squeeze",
        "stack",
        "tile",
        "transpose",
        "compat.v1.transpose",
        "image.resize",
        "math.abs",
        "math.add",
        "math.add_n",
        "math.argmax",
        "math.divide",
        "math.divide_no_nan",
        "math.exp",
        "math.floor",
        "math.log",
        "math.maximum",
        "math.minimum",
        "math.multiply",
        "math.negative",
        "math.pow",
        "math.reduce_max",
        "math.reduce_mean",
        "math.reduce_min",
        "math.reduce_std",
        "math.reduce_sum",
        "math.rsqrt",
        "math.sigmoid",
        "math.sqrt",
        "math.square",
        "math.subtract",
        "math.tanh",
        "math.truediv",
        "math.l2_normalize",
        "linalg.l2_normalize",
        "linalg.matmul",
        "nn.avg_pool",
        "nn.avg_pool2d",
        "nn.bias_add",
        "nn.elu",
        "nn.gelu",
        "nn.leaky_relu",
        "nn.max_pool",
        "nn.max_pool2d",
        "nn.relu",
        "nn.relu6",
        "nn.selu",
        "nn.sigmoid",
        "nn.silu",
        "nn.softmax",
        "nn.softplus",
        "nn.swish",
        "nn.tanh",
    ]
)


@cache
def function_class() -> type:
    """The class of our layer for a TensorFlow function, created only when Keras is imported anyway."""
    import keras

    class TensorFlowFunction(keras.Operation):  # type: ignore[misc]
        def __init__(self, function: str, name: str | None = None) -> None:
            super().__init__(name=name)
            self.function = function

        def call(self, *args: Any, **kwargs: Any) -> Any:
            return _resolve(self.function)(*args, **kwargs)

    return TensorFlowFunction


def _resolve(name: str) -> Any:
    """The TensorFlow function with a name in `ALLOWED`."""
    import tensorflow as tf

    if name == "__operators__.getitem":
        return lambda tensor, slice_spec: tensor[tuple(slice_spec)]
    function = tf
    for part in name.replace("__operators__", "math").replace("math.matmul", "linalg.matmul").split("."):
        function = getattr(function, part)
    return function
