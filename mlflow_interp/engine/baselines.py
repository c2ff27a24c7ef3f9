"""Baselines: what stands for the absence of an input's content, or of a part of it."""

from __future__ import annotations

import numpy as np

from mlflow_interp.core.batch import Batch
from mlflow_interp.exceptions import OptionError

#: A number, the name of a baseline, a path of a file, or an array. None for the default of the method.
Baseline = float | str | np.ndarray | None

BLUR = "blur"
BLACK = "black"
MEAN = "mean"
BLUR_SHARE = 0.1  # the standard deviation of the blur, as a fraction of each side


def read_baseline(baseline: float | str | np.ndarray, row: np.ndarray, batch: Batch) -> np.ndarray:
    """A baseline that is the same for all inputs, as (1, …) with the shape and type of one input.

    Args:
        baseline: a number, also as text; the path of an image or array file; or an array.
        row: one input.
        batch: the inputs, which read a file like themselves.

    Raises:
        OptionError: a baseline of the wrong shape, or one that is not finite.
    """
    read = _read(baseline, batch) if isinstance(baseline, str) else baseline
    with np.errstate(over="ignore"):  # an overflow becomes infinite, which is rejected below
        values = np.asarray(read, row.dtype)
    if values.shape not in ((), row.shape, (1, *row.shape)) or not np.isfinite(values).all():
        raise OptionError(
            f"baseline has shape {values.shape} or contains NaN or infinity; give a finite number or an "
            f"array of shape {row.shape}"
        )
    return np.broadcast_to(values, row.shape)[np.newaxis]


def _read(text: str, batch: Batch) -> float | np.ndarray:
    """The number that a text holds, or the input in the file that it names."""
    try:
        return float(text)
    except ValueError:
        if batch.read_like is None:
            raise OptionError(f"baseline {text!r} is not a number; give a number or an array") from None
    return batch.read_like(text)


def baselines_of(
    baseline: float | str | np.ndarray, inputs: np.ndarray, axes: tuple[int, ...], batch: Batch
) -> np.ndarray:
    """The baseline of each input, (n, …) or (1, …).

    Args:
        baseline: "blur", each input blurred with a Gaussian whose standard deviation is a tenth of each side;
            "black", what a black pixel becomes by preprocessing; "mean", the mean over the positions of each
            input; or what `read_baseline` takes.
        inputs: the inputs, (n, …).
        axes: the axes of positions, without the batch axis.
        batch: the inputs, which know their preprocessing.

    Raises:
        OptionError: no such baseline, or one that these inputs can't have.
    """
    if not isinstance(baseline, str) or baseline not in (BLUR, BLACK, MEAN):
        return read_baseline(baseline, inputs[0], batch)
    if baseline == BLACK:
        return _black(inputs[0], batch)
    if baseline == BLUR:
        return blurred(inputs, axes)
    means = inputs.mean(axis=tuple(1 + axis for axis in axes), keepdims=True)
    return np.asarray(np.broadcast_to(means, inputs.shape))


def _black(row: np.ndarray, batch: Batch) -> np.ndarray:
    black = None if batch.black_like is None else batch.black_like(row.shape)
    if black is None:
        raise OptionError(
            "baseline is 'black', but it is not known which value of these inputs is black, as they were not "
            "preprocessed from pixels; give the number"
        )
    return read_baseline(black, row, batch)


def blurred(inputs: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Inputs (n, …) blurred along axes with a Gaussian; its weights are normalised at the borders."""
    values = inputs
    for axis in axes:
        steps = np.arange(inputs.shape[1 + axis])
        sigma = max(BLUR_SHARE * len(steps), 1e-3)
        weights = np.exp(-0.5 * ((steps[:, np.newaxis] - steps) / sigma) ** 2)
        weights /= weights.sum(axis=1, keepdims=True)
        moved = np.moveaxis(values, 1 + axis, -1) @ weights.T.astype(np.float32)
        values = np.moveaxis(moved, -1, 1 + axis)
    return np.ascontiguousarray(values, inputs.dtype)
