"""The class scores of copies of inputs in which some positions are replaced by a baseline."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.backend.layer_tree import is_channels_first
from mlflow_interp.backend.perturbation import Score, compile_scores, computed_in, is_looked_up
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.image_arrays import is_plane
from mlflow_interp.core.output_positions import POSITION_WEIGHTS
from mlflow_interp.engine.baselines import BLACK, BLUR, MEAN, Baseline, baselines_of
from mlflow_interp.engine.targets import Target
from mlflow_interp.engine.trace import Trace
from mlflow_interp.exceptions import InapplicableError, InputsError, OptionError

COPIES = 32  # in one pass, if the batch size is not known


@dataclass(frozen=True)
class Space:
    """The positions of an input.

    Attributes:
        sides: the number of positions along each axis.
        axes: the axes of positions, without the batch axis. All channels share a position.
        is_continuous: whether neighbouring positions belong together, as pixels do. Columns of a table and
            tokens are separate, and are kept or replaced as a whole.
        is_table: whether positions are the columns of a table.
    """

    sides: tuple[int, ...]
    axes: tuple[int, ...]
    is_continuous: bool = True
    is_table: bool = False

    def by_position(self, maps: np.ndarray) -> np.ndarray:
        """Maps (n, *grid); those in the shape of the inputs are summed over channels."""
        if maps.ndim - 1 == len(self.sides):
            return np.asarray(maps, np.float64)
        axes = tuple(1 + axis for axis in range(maps.ndim - 1) if axis not in self.axes)
        return np.asarray(maps.sum(axis=axes, dtype=np.float64))


@dataclass(frozen=True)
class Replacement:
    """What replaces positions, and what is read of the result.

    Attributes:
        target: the explained class.
        baseline: what replaces positions; None for a blurred copy, or 0 where positions are separate.
        score: what is read of a copy.
    """

    target: Target
    baseline: Baseline
    score: Score

    def baseline_for(self, space: Space) -> float | str | np.ndarray:
        """The baseline, or the default for a space.

        Raises:
            OptionError: a baseline that these positions can't have.
        """
        if self.baseline is None:
            return BLUR if space.is_continuous else 0.0
        if isinstance(self.baseline, str) and self.baseline in (BLUR, MEAN) and not space.is_continuous:
            raise OptionError(
                f"baseline is {self.baseline!r}, which needs positions that belong together, such as pixels; "
                "the values of these inputs are separate columns or tokens, so give a number or an array"
            )
        if isinstance(self.baseline, str) and self.baseline == BLACK and len(space.sides) != 2:
            raise OptionError("baseline is 'black', but the inputs are not images; give a number or an array")
        return self.baseline


class PerturbedScores:
    """The scores of copies of inputs in which some positions are replaced by a baseline.

    Args:
        model: the Keras model.
        batch: the inputs.
        replacement: what replaces positions, and what is read of a copy.
        space: the positions of an input.
    """

    def __init__(self, model: Any, batch: Batch, replacement: Replacement, space: Space) -> None:
        self.space = space
        self._model = model
        self._batch = batch
        self._replacement = replacement
        self._size = int(batch.preparation.get("batch_size") or COPIES)
        self._compiled: Callable[..., Any] | None = None

    def baselines(self, inputs: np.ndarray) -> np.ndarray:
        """The baseline of each input, in the shape of the inputs."""
        values = np.asarray(inputs, computed_in(inputs.dtype))
        chosen = self._replacement.baseline_for(self.space)
        return np.broadcast_to(baselines_of(chosen, values, self.space.axes, self._batch), values.shape)

    def of(
        self,
        chunk: Chunk,
        baselines: np.ndarray,
        classes: np.ndarray,
        count: int,
        take: Callable[[range], np.ndarray],
    ) -> Generator[int, None, np.ndarray]:
        """The scores of copies of the inputs of a chunk, (count, n) float32; yield the copies of each pass.

        Args:
            chunk: the inputs.
            baselines: what replaces the positions of each; see `baselines`.
            classes: (n, 1 + c) int64, the explained classes; see `contrasted`.
            count: the number of masks.
            take: returns masks by number, (k, *sides), 1 where a position is kept.

        Raises:
            InputsError: a score is not finite.
        """
        inputs = chunk.inputs
        weights = [chunk.columns[POSITION_WEIGHTS]] if POSITION_WEIGHTS in chunk.columns else []
        if self._compiled is None:
            arguments = self._model, self._batch.head, self._replacement.score
            self._compiled = compile_scores(*arguments, (inputs, classes, *weights), self.space.axes)
        scores = np.empty((count, len(inputs)), np.float32)
        for numbers in blocks(count, max(1, self._size // len(inputs))):
            kept = take(numbers).astype(baselines.dtype)
            part = self._compiled(inputs, baselines, kept, classes, *weights).numpy()
            scores[numbers.start : numbers.stop] = part
            yield part.size
        _check_finite(scores, chunk)
        return scores


def space_of(trace: Trace, title: str) -> Space:
    """The positions of traced inputs.

    Raises:
        InapplicableError: the model takes several inputs, or text.
    """
    inputs = trace.inputs
    if isinstance(inputs, (tuple, dict)):
        raise InapplicableError(f"{title} explains models with one input; this one takes several")
    if not (inputs.dtype.is_floating or inputs.dtype.is_integer):
        raise InapplicableError(
            f"{title} explains inputs of numbers; this model takes {inputs.dtype.name} values. Interpret the "
            "part of the model that takes token numbers"
        )
    shape = tuple(inputs.shape[1:])
    if is_looked_up(trace.passed.inputs):
        return Space(shape, tuple(range(len(shape))), is_continuous=False)
    if len(shape) == 1:
        return Space(shape, (0,), is_continuous=False, is_table=True)
    if len(shape) == 2 and is_plane(*shape):
        axes: tuple[int, ...] = (0, 1)
    elif is_channels_first(trace.model):
        axes = tuple(range(1, len(shape)))
    else:
        axes = tuple(range(len(shape) - 1))
    return Space(tuple(shape[axis] for axis in axes), axes)


def blocks(count: int, size: int) -> list[range]:
    """The numbers 0 to `count` - 1, at most `size` at a time."""
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


def _check_finite(scores: np.ndarray, chunk: Chunk) -> None:
    invalid = np.flatnonzero(~np.isfinite(scores).all(axis=0))
    if len(invalid):
        raise InputsError(
            f"the model gives NaN or infinite values for perturbed copies of input "
            f"{chunk.names[invalid[0]]!r}; choose another baseline, or leave this input out"
        )
