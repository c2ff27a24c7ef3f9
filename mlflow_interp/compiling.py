"""Compiling a function for inputs of any number; what TensorFlow can't run is told in one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlflow_interp.core import Arrays
from mlflow_interp.exceptions import ModelError


@dataclass(frozen=True, eq=False)
class Compiled:
    """A function compiled by TensorFlow; what it can't run is told in one line.

    Attributes:
        graph: the traced graph.
    """

    _function: Callable[..., Any]

    @property
    def graph(self) -> Any:
        """Everything that is computed."""
        return self._function.graph  # type: ignore[attr-defined]

    def __call__(self, *args: Any) -> Any:
        """Run it.

        Raises:
            ModelError: TensorFlow can't, on this device or in this memory.
        """
        import tensorflow as tf

        try:
            return self._function(*args)
        except tf.errors.ResourceExhaustedError as error:
            raise ModelError("there is not memory enough for a batch; lower batch_size") from error
        except tf.errors.OpError as error:
            told = [line.strip() for line in str(error.message).splitlines() if line.strip()]
            reason = next((line for line in reversed(told) if not line.startswith("[[")), "")
            raise ModelError(f"TensorFlow can't run this model on these inputs here: {reason}") from error


def compile_for(function: Callable[..., Any], inputs: Arrays, *more: Any) -> Compiled:
    """Compile a function of (inputs, …) once for every number of rows; `more` are its other specs.

    A concrete function traces once, so a last, shorter chunk costs no second compilation.
    """
    import tensorflow as tf

    specs = tf.nest.map_structure(lambda array: tf.TensorSpec([None, *array.shape[1:]], array.dtype), inputs)
    # Without AutoGraph, as Keras itself traces models. XLA makes this 4 to 16 times slower on a CPU.
    return Compiled(tf.function(function, autograph=False).get_concrete_function(specs, *more))
