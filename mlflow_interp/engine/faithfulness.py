"""How well heatmaps tell which positions of an input its score depends on."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import Chunk, some
from mlflow_interp.engine.perturbed_scores import PerturbedScores, Space
from mlflow_interp.quality.measures import cells_of, pooled, spearman, spread, subsets
from mlflow_interp.quality.nulls import NULLS, centre_map, edge_maps, image_maps, random_maps
from mlflow_interp.quality.rankings import curves, enlarged, kept_along, ranks


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
        self._classes = targets[:, np.newaxis]
        self._seed = seed
        self._known: dict[tuple[Any, ...], np.ndarray] = {}

    def measure(
        self, maps: np.ndarray, *, quick: bool = False
    ) -> Generator[int, None, dict[str, np.ndarray]]:
        """The measures of heatmaps (n, *grid), each with a row per input; yields the number of copies run.

        Args:
            maps: the heatmaps.
            quick: whether to leave out subsets.

        Returns:
            curves: (n, 2, STEPS + 1), probabilities along deletion and insertion.
            null_curves: (n, nulls, 2, STEPS + 1), the same for each of `NULLS`.
            correlation: (n,), of the heat of subsets with the change of the logit; NaN without subsets.
        """
        sides = self._probability.space.sides
        own, nulls = [], []
        for row, each in enumerate(enlarged(maps, sides)):
            own.append((yield from self._curves(row, each)))
            nulls.append((yield from self._null_curves(row, maps.shape[1:])))
        correlation = np.full(len(maps), np.nan) if quick else (yield from self._correlation(maps))
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
        one = slice(row, row + 1)
        found = yield from scores.of(
            self._rows[row],
            self._baselines[one],
            self._classes[one],
            len(masks),
            lambda numbers: masks[numbers.start : numbers.stop],
        )
        return np.asarray(found[:, 0], np.float64)


def _channels_last(inputs: np.ndarray, space: Space) -> np.ndarray:
    """Inputs as (n, *sides, channels)."""
    axes = [1 + axis for axis in space.axes]
    others = [axis for axis in range(1, inputs.ndim) if axis not in axes]
    moved = np.transpose(np.asarray(inputs, np.float64), [0, *axes, *others])
    return moved.reshape(len(inputs), *space.sides, -1)
