"""Compile a function for any number of inputs; TensorFlow's errors are reduced to one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlflow_interp.core.chunk import Arrays
from mlflow_interp.exceptions import ModelError


@dataclass(frozen=True, eq=False)
class Compiled:
    """A function compiled by TensorFlow; its errors are reduced to one line.

    Attributes:
        graph: the traced graph.
    """

    _function: Callable[..., Any]

    @property
    def graph(self) -> Any:
        """The traced graph."""
        return self._function.graph  # type: ignore[attr-defined]

    def __call__(self, *args: Any) -> Any:
        """Run it.

        Raises:
            ModelError: TensorFlow fails on this device or runs out of memory.
        """
        import tensorflow as tf

        try:
            return self._function(*args)
        except tf.errors.ResourceExhaustedError as error:
            raise ModelError("Not enough memory for one batch; use a smaller batch_size") from error
        except tf.errors.OpError as error:
            lines = [line.strip() for line in str(error.message).splitlines() if line.strip()]
            reason = next((line for line in reversed(lines) if not line.startswith("[[")), "")
            raise ModelError(f"TensorFlow can't run this model on these inputs here: {reason}") from error


def compile_for(function: Callable[..., Any], inputs: Arrays, *other_specs: Any) -> Compiled:
    """Compile a function of (inputs, …) for any number of rows; `other_specs` describe its other arguments.

    A concrete function is traced once, so a shorter last chunk needs no second compilation.
    """
    import tensorflow as tf

    specs = tf.nest.map_structure(lambda array: any_rows(array.dtype, *array.shape[1:]), inputs)
    # XLA makes this 4 to 16 times slower on a CPU.
    return Compiled(trace(function, specs, *other_specs))


def trace(function: Callable[..., Any], *specs: Any) -> Any:
    """Trace a function of tensors once; without AutoGraph, as Keras itself traces models."""
    import tensorflow as tf

    return tf.function(function, autograph=False).get_concrete_function(*specs)


def any_rows(dtype: Any, *shape: int | None) -> Any:
    """The spec of an array (n, *shape) for any n."""
    import tensorflow as tf

    return tf.TensorSpec([None, *shape], dtype)


def input_specs(model: Any, shape: tuple[int | None, ...] | None) -> Any:
    """The specs of a model's inputs: from the shape of its only input, or else from the model itself."""
    import tensorflow as tf

    if shape is not None:
        return any_rows(tf.float32, *shape[1:])
    return tf.nest.map_structure(lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), model.inputs)
