"""What a call of `fit` was given, read without touching it, and whether it still runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import Arrays, map_arrays


@dataclass(frozen=True)
class FitData:
    """What `fit` was given, after it has split off validation data.

    Attributes:
        training: (inputs, labels) of the training data; labels None where they come with the inputs.
        validation: the same of the validation data, None where there is none.
    """

    training: tuple[Any, Any] = (None, None)
    validation: tuple[Any, Any] | None = None


def fit_frame(model: Any) -> FrameType | None:
    """The call of `fit` that is under way in this thread; None where there is none."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "fit" and frame.f_locals.get("self") is model:
            return frame
        frame = frame.f_back
    return None


def fit_data(frame: FrameType | None) -> FitData:
    """Read it off a call of `fit`, by its public parameters."""
    found = {} if frame is None else frame.f_locals
    return FitData((found.get("x"), found.get("y")), _pair(found.get("validation_data")))


def is_under_way(frame: FrameType, thread: int) -> bool:
    """Whether a thread is still in a call."""
    at = sys._current_frames().get(thread)
    while at is not None and at is not frame:
        at = at.f_back
    return at is frame


def was_interrupted(frame: FrameType) -> bool:
    """Whether the last exception that nobody caught is a Ctrl-C that came through a call."""
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


def as_arrays(data: tuple[Any, Any] | None) -> tuple[Arrays, np.ndarray | None] | None:
    """Inputs and labels where they lie in memory as arrays; None for datasets and generators."""
    if data is None or not _in_memory(data[0]):
        return None
    labels = None if data[1] is None or not _in_memory(data[1]) else np.asarray(data[1])
    inputs = data[0]
    structure = tuple(inputs) if isinstance(inputs, list) else inputs
    return map_arrays(np.asarray, structure), labels


def _in_memory(values: Any) -> bool:
    leaves = values.values() if isinstance(values, Mapping) else values
    if isinstance(values, (Mapping, tuple, list)):
        return bool(values) and all(hasattr(each, "__array__") and np.ndim(each) > 0 for each in leaves)
    return hasattr(values, "__array__") and hasattr(values, "shape")
