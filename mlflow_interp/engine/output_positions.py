"""The weights of the positions that are explained, for each input: computed once, of the input as it is.

Whatever is then explained of a changed copy, such as an occluded one, is explained at the same positions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from mlflow_interp.backend.compile import compile_for
from mlflow_interp.backend.forward import forward
from mlflow_interp.backend.heads import class_scores
from mlflow_interp.backend.layer_tree import is_channels_first
from mlflow_interp.core.batch import Batch, closed_at_end
from mlflow_interp.core.chunk import Chunk, some
from mlflow_interp.core.output_positions import (
    POSITION_MASKS,
    POSITION_WEIGHTS,
    OutputPositions,
    resized_masks,
    weights_of_numbers,
)
from mlflow_interp.engine.targets import class_index
from mlflow_interp.exceptions import OptionError

_NONE = "some inputs have no positions"


def at_positions(model: Any, batch: Batch) -> Batch:
    """A batch whose chunks have the column `POSITION_WEIGHTS`, if it states positions.

    Raises:
        OptionError: while reading, if the output has no positions, or not these.
    """
    positions = batch.positions
    if positions is None:
        return batch
    find: list[_Weights] = []

    def read() -> Iterator[Chunk]:
        with closed_at_end(batch.read()) as chunks:
            for chunk in chunks:
                if not find:
                    find.append(_Weights(model, batch, positions, chunk))
                weights = find[0](chunk)
                _warn_of_empty(batch, chunk, weights)
                yield replace(chunk, columns={**chunk.columns, POSITION_WEIGHTS: weights})

    return replace(batch, read=read)


class _Weights:
    """Finds the weights of positions, (n, *sides) float32.

    Only the positions that are predicted as a class need a pass through the model for each chunk.

    Args:
        model: the Keras model.
        batch: the inputs.
        positions: the positions.
        chunk: some inputs, for their shape.
    """

    def __init__(self, model: Any, batch: Batch, positions: OutputPositions, chunk: Chunk) -> None:
        self._positions = positions
        self._is_channels_first = is_channels_first(model)
        self._head = ""
        self._classes = 0

        def predicted(inputs: Any) -> Any:
            read = class_scores(forward(model, inputs).outputs, model, batch.head)
            if read.positions is None:
                raise OptionError(
                    f"positions is given, but the output of model {model.name!r} has no class at each of "
                    "many positions; omit it"
                )
            self._head, self._classes = read.head, int(read.probabilities.shape[-1])
            return read.positions

        self._predicted: Callable[..., Any] = compile_for(predicted, chunk.inputs)
        self._class = -1
        if positions.of_class:
            self._class = class_index(positions.of_class, batch, self._classes, option="positions")
        shape = self._predicted(some(chunk, np.arange(1)).inputs).shape[1:]
        self._sides = tuple(shape[:-1] if self._head == "sigmoid" else shape)

    def __call__(self, chunk: Chunk) -> np.ndarray:
        """The weights for a chunk."""
        if self._positions.of_class:
            return self._of_class(self._predicted(chunk.inputs).numpy()).astype(np.float32)
        if self._positions.with_masks:
            return resized_masks(chunk.columns[POSITION_MASKS], self._sides)
        weights = weights_of_numbers(self._positions.numbers, self._sides, self._input_sides(chunk))
        return np.repeat(weights[np.newaxis], len(chunk), axis=0)

    def _input_sides(self, chunk: Chunk) -> tuple[int, ...]:
        """The positions of an input along each axis; empty for several inputs."""
        if not isinstance(chunk.inputs, np.ndarray):
            return ()
        shape = chunk.inputs.shape[1:]
        return tuple(shape[1:] if self._is_channels_first else shape[:-1])

    def _of_class(self, predicted: np.ndarray) -> np.ndarray:
        if self._head == "binary":
            return np.asarray((predicted > 0.5) == bool(self._class))
        if self._head == "sigmoid":
            return np.asarray(predicted[..., self._class] > 0.5)
        return np.asarray(predicted == self._class)


def _warn_of_empty(batch: Batch, chunk: Chunk, weights: np.ndarray) -> None:
    """Warn of inputs without any of the positions, whose heatmaps are empty."""
    empty = ~weights.reshape(len(weights), -1).any(axis=1)
    if not empty.any() or batch.positions is None:
        return
    names = ", ".join(repr(chunk.names[row]) for row in np.flatnonzero(empty)[:3].tolist())
    warning = (
        f"some inputs have no positions {batch.positions.text}, so their heatmaps are empty, such as {names}"
    )
    if not any(each.startswith("some inputs have no positions") for each in batch.warnings):
        batch.warnings.append(warning)
