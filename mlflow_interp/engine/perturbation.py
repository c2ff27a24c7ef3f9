"""Perturbation methods replace parts of an input by a baseline, and read how the class score changes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mlflow_interp.backend.heads import contrasted
from mlflow_interp.backend.layer_tree import is_channels_first
from mlflow_interp.backend.perturbation import Score, compile_scores, computed_in, is_looked_up
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.explained import explained_classes
from mlflow_interp.core.image_arrays import is_plane
from mlflow_interp.core.passed import Passed
from mlflow_interp.engine.baselines import BLACK, BLUR, MEAN, Baseline, baselines_of
from mlflow_interp.engine.heatmap_accumulator import HeatmapAccumulator
from mlflow_interp.engine.method import Explaining
from mlflow_interp.engine.targets import Target, kind_of_contrast
from mlflow_interp.engine.trace import Trace
from mlflow_interp.exceptions import InapplicableError, InputsError, OptionError
from mlflow_interp.kinds.heatmap.result import HeatmapResult

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


class Masks(Protocol):
    """The masks of a method for one space.

    Attributes:
        count: the number of masks.
        chosen: values of options that were chosen for this space, by name.
    """

    @property
    def count(self) -> int:
        """The number of masks."""

    @property
    def chosen(self) -> Mapping[str, Any]:
        """Values of options that were chosen for this space, by name."""

    def take(self, numbers: range) -> np.ndarray:
        """Masks by number, (k, *sides) float32: 1 keeps a position, 0 replaces it by the baseline."""

    def maps(self, scores: np.ndarray, clean: np.ndarray) -> dict[str, np.ndarray]:
        """The arrays "maps" and optionally "standard_errors", (n, *sides) float32.

        Args:
            scores: (count, n), of the copies of n inputs.
            clean: (n,), of the inputs themselves.
        """


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


class PerturbationMethod(Explaining[HeatmapResult]):
    """A perturbation method with its options.

    Args:
        title: its display name.
        model: the Keras model.
        batch: the inputs.
        replacement: what replaces positions.
        make_masks: makes the masks for a space.
    """

    def __init__(
        self,
        title: str,
        model: Any,
        batch: Batch,
        replacement: Replacement,
        make_masks: Callable[[Space], Masks],
    ) -> None:
        self.title = title
        self.targets = (replacement.target,)
        self._model = model
        self._batch = batch
        self._replacement = replacement
        self._make_masks = make_masks
        self._space = Space((), ())
        self._masks: Masks | None = None
        self._compiled: Callable[..., Any] | None = None

    def work(self, inputs: int) -> int:
        """The number of perturbed copies."""
        return inputs * self._planned().count

    def trace(self, trace: Trace) -> Mapping[str, Any]:
        """The explained class of each input, with its scores."""
        self._space = space_of(trace, self.title)
        self._masks = self._make_masks(self._space)
        explained = trace.explained(self._replacement.target, self.contrast)
        scores = trace.scores
        values = scores.scores if self._replacement.score == "logit" else scores.probabilities
        return explained.tensors | {"clean": contrasted(values, explained.classes)}

    def explain(self, chunk: Chunk, passed: Passed) -> Generator[int, None, Mapping[str, np.ndarray]]:
        """Run the model on the copies, a batch at a time; yield the size of each batch."""
        inputs = chunk.inputs
        masks, space, replacement = self._planned(), self._space, self._replacement
        classes = explained_classes(passed)
        self._compiled = self._compiled or compile_scores(
            self._model, self._batch.head, replacement.score, (inputs, classes), space.axes
        )
        values = np.asarray(inputs, computed_in(inputs.dtype))
        found = baselines_of(replacement.baseline_for(space), values, space.axes, self._batch)
        baselines = np.broadcast_to(found, values.shape)
        size = int(self._batch.preparation.get("batch_size") or COPIES)
        scores = np.empty((masks.count, len(inputs)), np.float32)
        for numbers in blocks(masks.count, max(1, size // len(inputs))):
            kept = masks.take(numbers).astype(values.dtype)
            part = self._compiled(inputs, baselines, kept, classes).numpy()
            scores[numbers.start : numbers.stop] = part
            yield part.size
        _check_finite(scores, chunk)
        return masks.maps(scores, passed.arrays["clean"])

    def maps_of(self, arrays: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The heatmap."""
        return {"": arrays["maps"]}

    def accumulator(self) -> HeatmapAccumulator:
        """Accumulates the maps."""
        chosen = dict(self._planned().chosen)
        if self._replacement.baseline is None:
            chosen["baseline"] = self._replacement.baseline_for(self._space)
        fields = {"relu": False, "chosen": chosen, "is_table": self._space.is_table}
        contrast = kind_of_contrast(self.contrast)
        return HeatmapAccumulator(
            "", self.title, contrast=contrast, is_coarse=not self._batch.log_images, fields=fields
        )

    def _planned(self) -> Masks:
        if self._masks is None:
            raise RuntimeError("trace is called first")
        return self._masks


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
