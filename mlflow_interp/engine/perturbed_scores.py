"""Scores of perturbed copies of one input at a time: along rankings of its positions, and of subsets."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from mlflow_interp.backend.perturbation import compile_scores, computed_in
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk, some
from mlflow_interp.engine.baselines import baselines_of
from mlflow_interp.engine.perturbation import COPIES, Replacement, Space, blocks
from mlflow_interp.exceptions import InputsError
from mlflow_interp.quality.measures import cells_of, pooled, spearman, spread, subsets
from mlflow_interp.quality.nulls import NULLS, centre_map, edge_maps, image_maps, random_maps
from mlflow_interp.quality.rankings import curves, enlarged, kept_along, ranks


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
        self._compiled: Callable[..., Any] | None = None

    def baselines(self, inputs: np.ndarray) -> np.ndarray:
        """The baseline of each input, in the shape of the inputs."""
        values = np.asarray(inputs, computed_in(inputs.dtype))
        chosen = self._replacement.baseline_for(self.space)
        return np.broadcast_to(baselines_of(chosen, values, self.space.axes, self._batch), values.shape)

    def of(
        self, chunk: Chunk, baseline: np.ndarray, masks: np.ndarray, target: int
    ) -> Generator[int, None, np.ndarray]:
        """The scores of copies of the only input of a chunk, (k,); yield the number of copies of each pass.

        Args:
            chunk: one input.
            baseline: (1, …), what replaces positions.
            masks: (k, *sides), 1 where a position is kept.
            target: the class whose score is read.

        Raises:
            InputsError: a score is not finite.
        """
        inputs = chunk.inputs
        classes = np.array([[target]], np.int64)
        if self._compiled is None:
            arguments = self._model, self._batch.head, self._replacement.score
            self._compiled = compile_scores(*arguments, (inputs, classes), self.space.axes)
        kept = masks.astype(baseline.dtype)
        found = np.empty(len(masks), np.float64)
        for numbers in blocks(len(masks), COPIES):
            part = self._compiled(inputs, baseline, kept[numbers.start : numbers.stop], classes)
            found[numbers.start : numbers.stop] = part.numpy()[:, 0]
            yield len(numbers)
        if not np.isfinite(found).all():
            raise InputsError(
                f"the model gives NaN or infinite values for perturbed copies of input {chunk.names[0]!r}; "
                "choose another baseline, or leave this input out"
            )
        return found


class FaithfulnessOf:
    """How well heatmaps of the inputs of a chunk tell which positions their scores depend on.

    What does not depend on a heatmap is computed once: the scores of the ends of all curves and of rankings
    by maps that know nothing of the prediction and, for each grid of heatmaps, of random maps and subsets.

    Args:
        probability: reads probabilities, for curves.
        logit: reads logits, for subsets.
        chunk: the inputs.
        targets: (n,) int64, the explained class of each.
        seed: of random maps, of subsets, and of the order of ties.
    """

    def __init__(
        self,
        probability: PerturbedScores,
        logit: PerturbedScores,
        chunk: Chunk,
        targets: np.ndarray,
        seed: int,
    ) -> None:
        self._probability = probability
        self._logit = logit
        self._rows = [some(chunk, np.array([row])) for row in range(len(chunk))]
        self._baselines = probability.baselines(chunk.inputs)
        self._positions = _channels_last(np.asarray(chunk.inputs), probability.space)
        self._targets = targets.tolist()
        self._seed = seed
        self._known: dict[tuple[Any, ...], np.ndarray] = {}

    def measure(self, maps: np.ndarray) -> Generator[int, None, dict[str, np.ndarray]]:
        """The measures of heatmaps (n, *grid), each with a row per input; yields the number of copies run.

        Returns:
            curves: (n, 2, STEPS + 1), probabilities along deletion and insertion.
            null_curves: (n, nulls, 2, STEPS + 1), the same for each of `NULLS`.
            correlation: (n,), of the heat of subsets with the change of the logit.
        """
        sides = self._probability.space.sides
        own, nulls = [], []
        for row, each in enumerate(enlarged(maps, sides)):
            own.append((yield from self._curves(row, each)))
            nulls.append((yield from self._null_curves(row, maps.shape[1:])))
        correlation = yield from self._correlation(maps)
        return {"curves": np.stack(own), "null_curves": np.stack(nulls), "correlation": correlation}

    def _curves(self, row: int, values: np.ndarray) -> Generator[int, None, np.ndarray]:
        """The curves of one input along the ranking by a map (*sides)."""
        clean, baseline = yield from self._ends_of(row)
        masks = kept_along(ranks(values, self._seed))
        scores = yield from self._scores(self._probability, row, masks.reshape(-1, *values.shape))
        return curves(scores.reshape(masks.shape[:2]), clean, baseline)

    def _null_curves(self, row: int, grid: tuple[int, ...]) -> Generator[int, None, np.ndarray]:
        """The curves of each null, (nulls, 2, STEPS + 1); those of random maps are averaged."""
        sides = self._probability.space.sides
        one = self._positions[row : row + 1]
        makers = {
            "random": lambda: enlarged(random_maps(grid, self._seed), sides),
            "centre": lambda: centre_map(sides)[np.newaxis],
            "edges": lambda: edge_maps(one),
            "image": lambda: image_maps(one),
        }
        found = []
        for name in NULLS:
            key = name, row, grid if name == "random" else ()
            if key not in self._known:
                each = []
                for values in makers[name]():
                    each.append((yield from self._curves(row, values)))
                self._known[key] = np.mean(each, axis=0)
            found.append(self._known[key])
        return np.stack(found)

    def _ends_of(self, row: int) -> Generator[int, None, np.ndarray]:
        """The probability of an input and of its baseline."""
        key = "ends", row
        if key not in self._known:
            masks = np.stack(
                [np.ones(self._probability.space.sides), np.zeros(self._probability.space.sides)]
            )
            self._known[key] = yield from self._scores(self._probability, row, masks)
        return self._known[key]

    def _correlation(self, maps: np.ndarray) -> Generator[int, None, np.ndarray]:
        """Rank correlation over subsets of cells of their heat with the fall of the logit, (n,)."""
        cells = cells_of(maps.shape[1:])
        chosen = subsets(cells, self._seed)
        falls = []
        for row in range(len(maps)):
            key = "subsets", row, cells
            if key not in self._known:
                kept = spread(~chosen, self._logit.space.sides)
                masks = np.concatenate([np.ones((1, *kept.shape[1:])), kept])
                scores = yield from self._scores(self._logit, row, masks)
                self._known[key] = scores[0] - scores[1:]
            falls.append(self._known[key])
        heat = pooled(maps, cells).reshape(len(maps), -1) @ chosen.reshape(len(chosen), -1).T
        return spearman(heat, np.stack(falls))

    def _scores(
        self, scores: PerturbedScores, row: int, masks: np.ndarray
    ) -> Generator[int, None, np.ndarray]:
        baseline = self._baselines[row : row + 1]
        return (yield from scores.of(self._rows[row], baseline, masks, self._targets[row]))


def _channels_last(inputs: np.ndarray, space: Space) -> np.ndarray:
    """Inputs as (n, *sides, channels)."""
    axes = [1 + axis for axis in space.axes]
    others = [axis for axis in range(1, inputs.ndim) if axis not in axes]
    moved = np.transpose(np.asarray(inputs, np.float64), [0, *axes, *others])
    return moved.reshape(len(inputs), *space.sides, -1)
