"""The arguments of a call of `fit`, read without changing them, and whether the call still runs."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import CellType, FrameType
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import Arrays, map_arrays
from mlflow_interp.core.outputs import Output, labels_for

#: Inputs and labels as arrays; see `as_arrays`.
AsArrays = Callable[[tuple[Any, Any] | None], tuple[Arrays, np.ndarray | None] | None]


@dataclass(frozen=True)
class FitData:
    """The data of a call of `fit`, after it has split off validation data.

    Attributes:
        training: (inputs, labels) of the training data; labels are None if the inputs include them.
        validation: (inputs, labels) of the validation data; None if there are no validation data.
    """

    training: tuple[Any, Any] = (None, None)
    validation: tuple[Any, Any] | None = None


def fit_frame(model: Any) -> FrameType | None:
    """The frame of the call of `fit` that runs in this thread; None if there is none."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "fit" and frame.f_locals.get("self") is model:
            return frame
        frame = frame.f_back
    return None


def fit_data(frame: FrameType | None) -> FitData:
    """The data of a call of `fit`, by its public parameters."""
    arguments = {} if frame is None else frame.f_locals
    return FitData((arguments.get("x"), arguments.get("y")), _pair(arguments.get("validation_data")))


def is_under_way(frame: FrameType, model: Any) -> bool:
    """Whether the call of a model's `fit` still runs, in whichever thread.

    CPython keeps the variables of a running call on the stack and hands them to the frame object when
    the call ends: only from then on, the garbage collector finds the model there. Walking the frames of
    the running thread is no alternative, as they can be freed, and their memory reused, meanwhile.
    """
    if any(_content(each) is model for each in gc.get_referents(frame)):
        return False
    try:
        # Ended, and cleared already, as unittest's assertRaises does; only a running frame can't be cleared.
        frame.clear()
    except RuntimeError:
        return True
    return False


def _content(referent: Any) -> Any:
    """A variable, where functions inside the call share it."""
    if not isinstance(referent, CellType):
        return referent
    try:
        return referent.cell_contents
    except ValueError:  # empty
        return None


def was_interrupted(frame: FrameType) -> bool:
    """Whether the last uncaught exception is a KeyboardInterrupt raised through a call."""
    error = getattr(sys, "last_value", None)
    traceback = error.__traceback__ if isinstance(error, KeyboardInterrupt) else None
    while traceback is not None and traceback.tb_frame is not frame:
        traceback = traceback.tb_next
    return traceback is not None


def _pair(data: Any) -> tuple[Any, Any] | None:
    if data is None:
        return None
    if isinstance(data, (tuple, list)) and len(data) in (2, 3):
        return data[0], data[1]
    return data, None


def as_arrays(
    data: tuple[Any, Any] | None, output: Output | None = None, loss: Any = None
) -> tuple[Arrays, np.ndarray | None] | None:
    """Inputs and labels as arrays if they are in memory; None for datasets and generators.

    Args:
        data: inputs and labels.
        output: the output that is interpreted, which selects the labels; None for a model with one.
        loss: the loss of the model.
    """
    if data is None or not _in_memory(data[0]):
        return None
    inputs, given = data[0], labels_for(output, data[1], loss)
    labels = None if given is None or not _in_memory(given) else np.asarray(given)
    structure = tuple(inputs) if isinstance(inputs, list) else inputs
    return map_arrays(np.asarray, structure), labels


def _in_memory(values: Any) -> bool:
    leaves = values.values() if isinstance(values, Mapping) else values
    if isinstance(values, (Mapping, tuple, list)):
        return bool(values) and all(hasattr(each, "__array__") and np.ndim(each) > 0 for each in leaves)
    return hasattr(values, "__array__") and hasattr(values, "shape")
