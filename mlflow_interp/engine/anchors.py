"""How far the heatmaps of a version agree with its own: the scale of its agreement with another version."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mlflow_interp.backend.permuted import kernels, permuted
from mlflow_interp.comparison.agreement import Anchors, agreement
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.output_positions import POSITION_WEIGHTS
from mlflow_interp.core.passed import Passed
from mlflow_interp.core.rows import Rows
from mlflow_interp.engine.changes import finished, with_noise
from mlflow_interp.engine.explainer import Explainer
from mlflow_interp.engine.method import Explaining, RunPass
from mlflow_interp.engine.perturbed_scores import Space, space_of
from mlflow_interp.engine.targets import Target
from mlflow_interp.engine.trace import Trace

MOST = 256  # inputs
MOST_SHIFT = 0.02  # of a side
EXPLANATIONS = 3  # of each: as it is, slightly changed, with permuted weights
_CEILING = "ceiling/"
_FLOOR = "floor/"


class AnchorMethod(Explaining[Any]):
    """Explains a sample of inputs as they are, slightly changed, and with permuted weights.

    The slight change is noise of 2 % of the input's range and, where positions belong together, a shift by
    one position (at most 2 % of the side) along each axis, which is undone in the map. Its result has the
    `Anchors` of each heatmap by
    name, such as "gradcam".

    Args:
        model: the Keras model.
        batch: the inputs.
        explained: the options of each method that makes heatmaps.
        target: the class to explain.
        seed: of noise and permutations.
    """

    title = "Anchors"
    max_explained = MOST
    rows = 32  # as weights are permuted anew for each chunk

    def __init__(
        self,
        model: Any,
        batch: Batch,
        explained: Mapping[str, Mapping[str, Any]],
        target: Target,
        *,
        seed: int = 0,
    ) -> None:
        self.targets = (target,)
        self._model = model
        self._seed = seed
        self._explainers = [
            Explainer(name, options, model, batch, target) for name, options in explained.items()
        ]
        self._space = Space((), ())
        self._run_pass: RunPass

    def work(self, inputs: int) -> int:
        """The maximum number of passes."""
        return -(-inputs // self.rows) * EXPLANATIONS * sum(each.work(self.rows) for each in self._explainers)

    def trace(self, trace: Trace) -> Mapping[str, Any]:
        """The explained class of each input."""
        self._space = space_of(trace, self.title)
        tensors: dict[str, Any] = {}
        for explainer in self._explainers:
            explainer.prepare(trace)
            tensors |= {f"{explainer.name}/{key}": each for key, each in explainer.trace(trace).items()}
        return tensors | trace.explained(self.targets[0]).tensors

    def use_pass(self, run_pass: RunPass) -> None:
        """Use the pass for the heatmaps of changed inputs too, so that it is compiled once."""
        self._run_pass = run_pass

    def explain(self, chunk: Chunk, passed: Passed) -> Generator[int, None, Mapping[str, np.ndarray]]:
        """The rank correlations of each input's maps."""
        targets = passed.arrays["targets"]
        changed = self._changed(chunk)
        weights = kernels(self._model)
        own = yield from self._maps(chunk, targets, passed.arrays)
        slightly = yield from self._maps(changed, targets)
        with permuted(weights, self._seed):
            # Without yielding, as whoever runs this generator might then find the model changed.
            passes, randomised = finished(self._maps(chunk, targets))
        yield passes
        found: dict[str, np.ndarray] = {}
        for key, maps in own.items():
            mine = self._space.by_position(maps)
            theirs = self._moved_back(self._space.by_position(slightly[key]))
            found[f"{_CEILING}{key}"] = agreement(mine, theirs).correlation
            found[f"{_FLOOR}{key}"] = (
                np.full(len(chunk), np.nan)
                if randomised is None
                else agreement(mine, self._space.by_position(randomised[key])).correlation
            )
        return found

    def _maps(
        self, chunk: Chunk, targets: np.ndarray, arrays: Mapping[str, np.ndarray] | None = None
    ) -> Generator[int, None, dict[str, np.ndarray]]:
        """The maps of all methods, by key; `arrays` are those of the shared pass, if that was run."""
        found: dict[str, np.ndarray] = {}
        for explainer in self._explainers:
            if explainer.needs_own_passes:
                maps = (yield from explainer.explain(chunk, targets)).maps
            else:
                arrays = self._run_pass(chunk, targets) if arrays is None else arrays
                prefix = f"{explainer.name}/"
                maps = explainer.maps_in(
                    {
                        name.removeprefix(prefix): each
                        for name, each in arrays.items()
                        if name.startswith(prefix)
                    }
                )
                yield 1
            found |= {
                f"{explainer.name}/{name}" if name else explainer.name: each for name, each in maps.items()
            }
        return found

    def _changed(self, chunk: Chunk) -> Chunk:
        """The inputs with noise, shifted; integers, which stand for words, as they are."""
        inputs = np.asarray(chunk.inputs)
        if inputs.dtype.kind != "f":
            return chunk
        noisy = with_noise(chunk, self._seed, 0)
        axes = [1 + axis for axis in self._space.axes]
        shifted = moved(noisy.inputs, dict(zip(axes, shifts_of(self._space), strict=True)))
        return replace(noisy, inputs=shifted.astype(inputs.dtype), columns=self._moved_columns(chunk))

    def _moved_columns(self, chunk: Chunk) -> Mapping[str, Any]:
        """The columns of a chunk; positions of the output that are explained are shifted as inputs are."""
        weights = chunk.columns.get(POSITION_WEIGHTS)
        if weights is None or weights.ndim - 1 != len(self._space.sides):
            return chunk.columns
        sides = zip(shifts_of(self._space), weights.shape[1:], self._space.sides, strict=True)
        distances = {1 + axis: shift * cells / side for axis, (shift, cells, side) in enumerate(sides)}
        return {**chunk.columns, POSITION_WEIGHTS: moved(weights, distances).astype(np.float32)}

    def _moved_back(self, maps: np.ndarray) -> np.ndarray:
        """Maps (n, *grid) of shifted inputs; their cells may be larger than positions."""
        sides = zip(shifts_of(self._space), maps.shape[1:], self._space.sides, strict=True)
        return moved(
            maps, {1 + axis: -shift * cells / side for axis, (shift, cells, side) in enumerate(sides)}
        )

    def accumulator(self) -> AnchorAccumulator:
        """Accumulates the correlations."""
        return AnchorAccumulator()


class AnchorAccumulator:
    """Accumulates the anchors of inputs."""

    def __init__(self) -> None:
        self._rows = Rows()

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Add a chunk."""
        arrays = {name: each for name, each in passed.arrays.items() if name.startswith((_CEILING, _FLOOR))}
        self._rows.add(chunk.indices, **arrays)

    def merge(self, other: AnchorAccumulator) -> None:
        """Add other inputs."""
        self._rows.merge(other._rows)

    def result(self, examples: Any, previous: Any = None) -> dict[str, Anchors]:
        """The anchors of each heatmap, by name."""
        arrays = self._rows.arrays()
        names = [name.removeprefix(_CEILING) for name in arrays if name.startswith(_CEILING)]
        return {
            name: Anchors(arrays[f"{_CEILING}{name}"], arrays[f"{_FLOOR}{name}"], arrays["indices"])
            for name in names
        }


def shifts_of(space: Space) -> tuple[float, ...]:
    """How far inputs are shifted along each axis: one position, or 2 % of the side if that is less."""
    return tuple(min(1.0, MOST_SHIFT * side) if space.is_continuous else 0.0 for side in space.sides)


def moved(values: np.ndarray, distances: Mapping[int, float]) -> np.ndarray:
    """Values moved along axes by some positions, between which they are interpolated; edges are repeated.

    Args:
        values: any array; float64 unless all distances are whole.
        distances: by axis, the number of positions.
    """
    for axis, distance in distances.items():
        count = values.shape[axis]
        at = np.clip(np.arange(count) - distance, 0, count - 1)
        low = np.floor(at).astype(int)
        if float(distance).is_integer():  # the usual shift of large images, by one position
            values = np.asarray(values).take(low, axis=axis)
            continue
        values = np.asarray(values, np.float64)
        share = (at - low).reshape([-1 if each == axis else 1 for each in range(values.ndim)])
        upper = values.take(np.minimum(low + 1, count - 1), axis=axis)
        values = values.take(low, axis=axis) * (1 - share) + upper * share
    return values
