"""The shapes of a model's inputs and the number of its classes."""

from __future__ import annotations

from typing import Any

from mlflow_interp.models.origin import LoadedModel


def class_count(model: Any) -> int | None:
    """The number of a model's classes: two for a single output; None where it is not known."""
    try:
        shape = model.output_shape
    except (AttributeError, ValueError, RuntimeError, TypeError, KeyError):
        return None
    if not isinstance(shape, tuple) or len(shape) != 2 or not isinstance(shape[1], int):
        return None
    return max(2, shape[1])


def gives_positions(model: Any) -> bool:
    """Whether a model gives classes for each position of an input: a pixel, a token, a frame."""
    try:
        shape = model.output_shape
    except (AttributeError, ValueError, RuntimeError, TypeError, KeyError):
        return False
    return isinstance(shape, tuple) and len(shape) > 2 and all(not isinstance(size, tuple) for size in shape)


def input_shape(loaded: LoadedModel) -> tuple[int | None, ...] | None:
    """The shape of the model's only input with its batch axis; None for several inputs, or if not known."""
    try:
        shape = loaded.keras.input_shape
    except (AttributeError, ValueError, RuntimeError):
        shape = loaded.input_shape
    if isinstance(shape, list) and len(shape) == 1:
        shape = shape[0]
    return tuple(shape) if isinstance(shape, tuple) and all(not isinstance(s, tuple) for s in shape) else None


def batch_axes(model: Any, shape: tuple[int | None, ...] | None) -> int | None:
    """The number of axes of a batch, over all inputs of the model; None where it is not known."""
    if shape is not None:
        return len(shape)
    inputs = getattr(model, "inputs", None)
    return sum(len(each.shape) for each in inputs) if inputs else None
