"""RISE: the parts of an input that raise a class score when randomly masked copies keep them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import numpy as np

from mlflow_interp.backend.perturbation import Score
from mlflow_interp.core.accepted import Range
from mlflow_interp.core.batch import Batch
from mlflow_interp.engine.baselines import Baseline
from mlflow_interp.engine.method import Explaining
from mlflow_interp.engine.perturbation import PerturbationMethod
from mlflow_interp.engine.perturbed_scores import Replacement, Space, blocks
from mlflow_interp.engine.targets import Contrast, Target, explains_classes
from mlflow_interp.kinds.heatmap.result import HeatmapResult

REQUIRES = ("one input",)

BLOCK = 64  # masks in memory at a time, in addition to those of a pass


@explains_classes
def rise(
    model: Any,
    batch: Batch,
    *,
    target: Target = None,
    contrast: Contrast = None,
    random_masks: Annotated[int, Range(least=2)] = 1000,
    cells: Annotated[int, Range(least=1)] = 7,
    keep: Annotated[float, Range(above=0, below=1)] = 0.5,
    baseline: Baseline = None,
    score: Score = "probability",
    seed: Annotated[int, Range(least=0)] = 0,
) -> Explaining[HeatmapResult]:
    """The parts of an input that raise a class score when randomly masked copies keep them.

    RISE (Petsiuk et al. 2018) replaces random parts of the input by a baseline, many times. The heat of a
    position is the mean score of the copies, each weighted with how much it keeps of the position, minus the
    mean score of all copies: positive where keeping the position raises the score. No gradient is needed.
    The masks are random grids, enlarged smoothly and shifted; they are the same for every input. The columns
    of a table and tokens are kept or replaced one by one. The standard error of each value is estimated from
    the same copies.

    Args:
        random_masks: Number of masks, each of which takes one pass. The standard error falls with its square
            root.
        cells: Number of cells of a mask along each axis. More cells show smaller parts, with more noise. An
            axis with no more positions than this has a cell for each position, as have tables and tokens.
        keep: Probability that a cell is kept.
        baseline: Reference input to compare with. It fills what is replaced: blur (the input blurred with a
            Gaussian of a tenth of its sides), black (for images made from pixels), mean (of each channel of
            the input), a number in the model's own scale, or the path of an image or array file. In Python,
            also an array. By default, blur; for a table or tokens, 0.
        score: Output of the model to explain: the probability of the class, or its logit (if the model ends
            in a softmax or sigmoid). For a regression, both are the value.
        seed: Random seed: the same seed gives the same result.

    Returns:
        Signed heatmaps (n, height, width), float32, unscaled, at the resolution of the input, with their
        standard errors; for signals (n, length), for tables (n, columns), for volumes
        (n, depth, height, width). Figures show both signs.

    Raises:
        OptionError: a baseline of the wrong shape, a class out of range.
        InapplicableError: the model has several inputs, or takes text.
        InputsError: the model gives NaN or infinite values for a perturbed input.
    """
    make = partial(_RandomMasks.of, random_masks, cells, keep, seed)
    made = PerturbationMethod("RISE", model, batch, Replacement(target, baseline, score), make)
    made.contrast = contrast
    return made


@dataclass(frozen=True, eq=False)
class _RandomMasks:
    """Masks that depend on the seed and their number alone.

    Attributes:
        sides: the number of positions along each axis.
        steps: along each axis, cells per position; 0 if each position has a cell of its own.
        grids: (count, *nodes) bool, the cells that are kept.
        shifts: (count, axes) float32 in 0..1, how far each grid is shifted, in cells.
    """

    sides: tuple[int, ...]
    steps: tuple[float, ...]
    grids: np.ndarray
    shifts: np.ndarray

    @classmethod
    def of(cls, count: int, cells: int, keep: float, seed: int, space: Space) -> _RandomMasks:
        """The masks of a space."""
        is_enlarged = [space.is_continuous and cells < side for side in space.sides]
        # Two nodes more than cells: a shifted grid must still reach over the whole axis.
        nodes = [cells + 2 if each else side for each, side in zip(is_enlarged, space.sides, strict=True)]
        steps = [cells / side if each else 0.0 for each, side in zip(is_enlarged, space.sides, strict=True)]
        grids = np.empty((count, *nodes), bool)
        shifts = np.empty((count, len(nodes)), np.float32)
        random = np.random.default_rng(seed)
        for numbers in blocks(count, BLOCK):
            # Drawn mask by mask, so that more masks begin with the same ones.
            drawn = random.random((len(numbers), math.prod(nodes) + len(nodes)))
            grids[numbers.start : numbers.stop] = drawn[:, : -len(nodes)].reshape(-1, *nodes) < keep
            shifts[numbers.start : numbers.stop] = drawn[:, -len(nodes) :]
        return cls(space.sides, tuple(steps), grids, shifts)

    @property
    def count(self) -> int:
        """The number of masks."""
        return len(self.grids)

    @property
    def chosen(self) -> Mapping[str, Any]:
        """Nothing: all options have values."""
        return {}

    def take(self, numbers: range) -> np.ndarray:
        """Masks by number, linearly interpolated between the nodes of their grids."""
        rows = slice(numbers.start, numbers.stop)
        masks = self.grids[rows].astype(np.float32)
        for axis, (side, step) in enumerate(zip(self.sides, self.steps, strict=True)):
            if step:
                places = np.arange(side, dtype=np.float32) * np.float32(step) + self.shifts[rows, axis, None]
                distances = np.abs(np.arange(masks.shape[1 + axis])[:, np.newaxis] - places[:, np.newaxis])
                weights = np.maximum(0, 1 - distances).astype(np.float32)  # (k, nodes, side)
                masks = _along(masks, 1 + axis, weights)
        return masks

    def maps(self, scores: np.ndarray, clean: np.ndarray) -> dict[str, np.ndarray]:
        """The weighted means of the scores minus their mean, and the standard errors.

        A map does not change if a number is added to all scores, so these are centred first, for precision.
        The standard error is that of a ratio of two means (the delta method).
        """
        centred = scores - scores.mean(axis=0, dtype=np.float64)
        shape = (scores.shape[1], math.prod(self.sides))
        kept, kept2 = np.zeros(shape[1]), np.zeros(shape[1])  # sums of M and M²
        first, first2, second, second2 = (np.zeros(shape) for _ in range(4))  # of s M, s M², s² M, s² M²
        for numbers in blocks(self.count, BLOCK):
            masks = self.take(numbers).reshape(len(numbers), -1)
            squares = masks**2
            values = centred[numbers.start : numbers.stop].T.astype(np.float32)
            kept += masks.sum(axis=0, dtype=np.float64)
            kept2 += squares.sum(axis=0, dtype=np.float64)
            first += values @ masks
            first2 += values @ squares
            second += values**2 @ masks
            second2 += values**2 @ squares
        ever = np.maximum(kept, 1e-9)  # a position that no mask keeps has no heat
        heat = first / ever
        mean = ever / self.count
        # The sum of squares of M (s - heat) / mean - s, each mask's share in the deviation of the heat.
        total = (
            (second2 - 2 * heat * first2 + heat**2 * kept2) / mean**2
            - 2 * (second - heat * first) / mean
            + (centred**2).sum(axis=0)[:, np.newaxis]
        )
        errors = np.sqrt(np.maximum(total, 0) / (self.count * (self.count - 1)))
        return {
            "maps": heat.reshape(-1, *self.sides).astype(np.float32),
            "standard_errors": errors.reshape(-1, *self.sides).astype(np.float32),
        }


def _along(masks: np.ndarray, axis: int, weights: np.ndarray) -> np.ndarray:
    """Masks (k, …) with an axis of nodes replaced by one of positions, by weights (k, nodes, positions)."""
    moved = np.moveaxis(masks, axis, -1)
    flat = moved.reshape(len(moved), -1, moved.shape[-1]) @ weights
    return np.ascontiguousarray(np.moveaxis(flat.reshape(*moved.shape[:-1], -1), -1, axis))
