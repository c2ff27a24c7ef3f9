"""What shape of inputs a model takes, by the model itself or by the signature it was logged with."""

from __future__ import annotations

from mlflow_interp.loading.models import LoadedModel


def input_shape(loaded: LoadedModel) -> tuple[int | None, ...] | None:
    """The shape of the model's only input with its batch axis; None for several, or not known."""
    try:
        shape = loaded.keras.input_shape
    except (AttributeError, ValueError, RuntimeError):
        shape = loaded.input_shape
    if isinstance(shape, list) and len(shape) == 1:
        shape = shape[0]
    return tuple(shape) if isinstance(shape, tuple) and all(not isinstance(s, tuple) for s in shape) else None


def batch_axes(loaded: LoadedModel, shape: tuple[int | None, ...] | None) -> int | None:
    """How many axes a batch has over all inputs of the model; None where that is not known."""
    if shape is not None:
        return len(shape)
    inputs = getattr(loaded.keras, "inputs", None)
    return sum(len(each.shape) for each in inputs) if inputs else None
