"""Occlusion: the parts of an input without which a class score falls."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from mlflow_interp.backend.perturbation import Score
from mlflow_interp.core.batch import Batch
from mlflow_interp.engine.baselines import Baseline
from mlflow_interp.engine.method import Explaining
from mlflow_interp.engine.perturbation import PerturbationMethod
from mlflow_interp.engine.perturbed_scores import Replacement, Space
from mlflow_interp.engine.targets import Contrast, Target, explains_classes
from mlflow_interp.exceptions import OptionError
from mlflow_interp.kinds.heatmap.result import HeatmapResult

REQUIRES = ("one input",)

PATCHES = 8  # side by side along each axis, by default

Size = str | int | Sequence[int] | None


@explains_classes
def occlusion(
    model: Any,
    batch: Batch,
    *,
    target: Target = None,
    contrast: Contrast = None,
    patch: Size = None,
    stride: Size = None,
    baseline: Baseline = None,
    score: Score = "logit",
) -> Explaining[HeatmapResult]:
    """The parts of an input without which a class score falls.

    Occlusion (Zeiler and Fergus 2014) replaces one patch of the input after the other by a baseline. The heat
    of a position is the fall of the class score, averaged over the patches that cover the position. It is
    negative where the score rises without a patch. No gradient is needed. The patches of a signal are windows
    along time, those of a table its columns, and those of tokens single tokens.

    Args:
        patch: Size of a patch in positions, such as pixels: one number for all axes, or one for each axis,
            separated by commas. By default, an eighth of each side; for a table or tokens, 1.
        stride: Distance between neighbouring patches, one number or one for each axis. By default, half a
            patch; for volumes and videos, a whole one.
        baseline: Reference input to compare with. It fills what is replaced: blur (the input blurred with a
            Gaussian of a tenth of its sides), black (for images made from pixels), mean (of each channel of
            the input), a number in the model's own scale, or the path of an image or array file. In Python,
            also an array. By default, blur; for a table or tokens, 0.
        score: Output of the model to explain: the probability of the class, or its logit (if the model ends
            in a softmax or sigmoid). For a regression, both are the value.

    Returns:
        Signed heatmaps (n, height, width), float32, unscaled, at the resolution of the input; for signals
        (n, length), for tables (n, columns), for volumes (n, depth, height, width). Figures show both signs.

    Raises:
        OptionError: a patch that is larger than the input, a stride that is larger than the patch, a baseline
            of the wrong shape, a class out of range.
        InapplicableError: the model has several inputs, or takes text.
        InputsError: the model gives NaN or infinite values for a perturbed input.
    """
    sizes = (_numbers("patch", patch), _numbers("stride", stride))
    replacement = Replacement(target, baseline, score)
    made = PerturbationMethod("Occlusion", model, batch, replacement, partial(_Patches.of, *sizes))
    made.contrast = contrast
    return made


@dataclass(frozen=True, eq=False)
class _Patches:
    """Patches at regular distances; the last one along each axis ends with the input.

    Attributes:
        sides: the number of positions along each axis.
        patch: the size of a patch.
        starts: along each axis, where patches start.
        chosen: patch and stride, where they were not given.
    """

    sides: tuple[int, ...]
    patch: tuple[int, ...]
    starts: tuple[np.ndarray, ...]
    chosen: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, patch: tuple[int, ...] | None, stride: tuple[int, ...] | None, space: Space) -> _Patches:
        """The patches of a space, of a given size and stride or the default ones.

        Raises:
            OptionError: a patch or stride that doesn't fit.
        """
        sides = space.sides
        given = {"patch": patch, "stride": stride}
        if patch is None:
            patch = tuple(math.ceil(side / PATCHES) if space.is_continuous else 1 for side in sides)
        patch = _for_axes("patch", patch, sides)
        if stride is None:
            # In three dimensions, half a patch would take eight times as many passes.
            stride = tuple(math.ceil(size / 2) if len(sides) < 3 else size for size in patch)
        stride = _for_axes("stride", stride, sides)
        if any(size > side for size, side in zip(patch, sides, strict=True)):
            raise OptionError(f"patch {_text(patch)} is larger than the input, {_text(sides)}; give less")
        if any(step > size for step, size in zip(stride, patch, strict=True)):
            raise OptionError(
                f"stride {_text(stride)} is larger than patch {_text(patch)}, so some positions would never "
                "be covered; give a stride of at most a patch"
            )
        starts = tuple(
            np.append(np.arange(0, side - size, step), side - size)
            for side, size, step in zip(sides, patch, stride, strict=True)
        )
        resolved = {"patch": patch, "stride": stride}
        return cls(
            sides,
            patch,
            starts,
            {name: list(value) for name, value in resolved.items() if given[name] is None},
        )

    @property
    def count(self) -> int:
        """The number of patches."""
        return math.prod(map(len, self.starts))

    def take(self, numbers: range) -> np.ndarray:
        """Masks that leave out one patch each."""
        masks = np.ones((len(numbers), *self.sides), np.float32)
        grid = tuple(map(len, self.starts))
        for mask, number in zip(masks, numbers, strict=True):
            mask[self._slices(np.unravel_index(number, grid))] = 0
        return masks

    def maps(self, scores: np.ndarray, clean: np.ndarray) -> dict[str, np.ndarray]:
        """The mean fall of the score over the patches that cover each position."""
        falls = clean.astype(np.float64) - scores
        total = np.zeros((len(clean), *self.sides))
        covered = np.zeros(self.sides)
        for fall, slices in zip(falls, self._all_slices(), strict=True):
            total[(slice(None), *slices)] += fall.reshape(-1, *[1] * len(slices))
            covered[slices] += 1
        return {"maps": (total / covered).astype(np.float32)}

    def _all_slices(self) -> Iterator[tuple[slice, ...]]:
        return map(self._slices, product(*(range(len(each)) for each in self.starts)))

    def _slices(self, place: Sequence[Any]) -> tuple[slice, ...]:
        starts = (int(each[index]) for each, index in zip(self.starts, place, strict=True))
        return tuple(slice(start, start + size) for start, size in zip(starts, self.patch, strict=True))


def _numbers(name: str, size: Size) -> tuple[int, ...] | None:
    """One number, or one for each axis.

    Raises:
        OptionError: a size that is not one or more whole numbers, all at least 1.
    """
    if size is None:
        return None
    parts = size.split(",") if isinstance(size, str) else np.ravel(np.array(size, dtype=object)).tolist()
    try:
        numbers = tuple(int(part) for part in parts)
        is_whole = bool(numbers) and all(
            isinstance(part, str) or part == number for part, number in zip(parts, numbers, strict=True)
        )
    except (TypeError, ValueError, OverflowError):
        is_whole = False
    if not is_whole or min(numbers) < 1:
        raise OptionError(f"{name} is {size!r}; give a whole number of at least 1, or one for each axis")
    return numbers


def _for_axes(name: str, numbers: tuple[int, ...], sides: tuple[int, ...]) -> tuple[int, ...]:
    numbers = numbers * len(sides) if len(numbers) == 1 else numbers
    if len(numbers) != len(sides):
        raise OptionError(
            f"{name} has {len(numbers)} numbers, but positions of the inputs have {len(sides)} axes "
            f"({_text(sides)}); give one number, or one for each axis"
        )
    return numbers


def _text(sizes: Sequence[int]) -> str:
    return "×".join(map(str, sizes))
