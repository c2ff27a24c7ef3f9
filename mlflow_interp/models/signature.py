"""The shapes of a model's inputs and the number of its classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow_interp.backend.layer_tree import output_shape
from mlflow_interp.models.origin import LoadedModel


def class_count(model: Any) -> int | None:
    """The number of a model's classes: two for a single output; None if it is not known."""
    shape = output_shape(model)
    if shape is None or len(shape) != 2 or not isinstance(shape[1], int):
        return None
    return max(2, shape[1])


def gives_positions(model: Any) -> bool | None:
    """Whether a model predicts classes for each position of an input: a pixel, a token, a frame.

    None if the shape of its output is not known before it runs.
    """
    shape = output_shape(model)
    return None if shape is None else len(shape) > 2


def gives_one_number(model: Any) -> bool:
    """Whether a model predicts one number for each input, by the shape of its output."""
    shape = output_shape(model)
    return shape is not None and shape[1:] in ((), (1,))


def input_shape(loaded: LoadedModel) -> tuple[int | None, ...] | None:
    """The shape of the model's only input with its batch axis; None for several inputs, or if not known."""
    try:
        shape = loaded.keras.input_shape
    except (AttributeError, ValueError, RuntimeError):
        shape = loaded.input_shape
    if isinstance(shape, list) and len(shape) == 1:
        shape = shape[0]
    return tuple(shape) if isinstance(shape, tuple) and all(not isinstance(s, tuple) for s in shape) else None


@dataclass(frozen=True)
class InputSpec:
    """One input of a model.

    Attributes:
        name: its key, for a model that takes a dict; None if not known.
        shape: with the batch axis.
        dtype: such as "float32" or "string"; None if not known.
    """

    name: str | None
    shape: tuple[int | None, ...]
    dtype: str | None = None

    @property
    def is_text(self) -> bool:
        """Whether it takes strings."""
        return self.dtype == "string"


@dataclass(frozen=True)
class ModelInputs:
    """The inputs that a model takes.

    Attributes:
        specs: of each, in the model's order.
        is_dict: whether it takes them as a dict, even a single one.
    """

    specs: tuple[InputSpec, ...]
    is_dict: bool = False

    @property
    def takes_text(self) -> bool:
        """Whether one of them takes strings, or may take them, as its type is not known."""
        return any(spec.dtype in (None, "string") for spec in self.specs)


def model_inputs(loaded: LoadedModel) -> ModelInputs | None:
    """What a model takes; None if it is not known, as for a subclassed model without a signature."""
    tensors = getattr(loaded.keras, "inputs", None)
    if not tensors:
        shape = input_shape(loaded)
        return ModelInputs((InputSpec(None, shape),)) if shape is not None else None
    structure = _input_structure(loaded.keras)
    if isinstance(structure, Mapping) and all(hasattr(each, "shape") for each in structure.values()):
        return ModelInputs(tuple(_spec(name, structure[name]) for name in structure), is_dict=True)
    return ModelInputs(tuple(_spec(tensor.name, tensor) for tensor in tensors))


def _input_structure(model: Any) -> Any:
    try:
        return model.input
    except (AttributeError, ValueError):  # a Sequential model that has not been called
        return None


def _spec(name: str, tensor: Any) -> InputSpec:
    return InputSpec(name, tuple(tensor.shape), str(tensor.dtype))


def named_inputs(loaded: LoadedModel) -> dict[str, tuple[int | None, ...]]:
    """The shape of each input with its batch axis, by name, in the order of Keras; empty if not known.

    The names are the keys for a model that takes a dict, the names of the input layers for any other model
    whose inputs Keras knows, and otherwise the names in the MLflow signature.
    """
    takes = model_inputs(loaded) if getattr(loaded.keras, "inputs", None) else None
    if takes is None:
        return dict(loaded.signature)
    shapes = {str(spec.name): spec.shape for spec in takes.specs}
    return {name: shapes[name] for name in sorted(shapes)} if takes.is_dict else shapes
