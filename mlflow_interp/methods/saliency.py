"""Saliency: the pixels that a class score depends on, computed in three ways."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np

from mlflow_interp.backend import ops
from mlflow_interp.backend.compile import any_rows, compile_for
from mlflow_interp.backend.gradients import (
    INPUT,
    differentiable_input,
    noisy_copy,
    on_the_path,
    one_pass,
    score_at,
    summed,
)
from mlflow_interp.core.accepted import Range
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.examples import Examples
from mlflow_interp.core.explained import ExplainedAccumulator, explained_classes
from mlflow_interp.core.passed import Passed
from mlflow_interp.engine.baselines import read_baseline
from mlflow_interp.engine.method import Explaining
from mlflow_interp.engine.targets import Contrast, Target, explains_classes, kind_of_contrast
from mlflow_interp.engine.trace import Trace
from mlflow_interp.exceptions import InapplicableError
from mlflow_interp.kinds.saliency.result import SaliencyResult

REQUIRES = ("gradient",)
SHOWS_INPUTS = "its maps have a value for each value of the input, and show its outlines"

Average = Literal["squared", "mean"]


@explains_classes
def saliency(
    model: Any,
    batch: Batch,
    *,
    target: Target = None,
    contrast: Contrast = None,
    noise_samples: Annotated[int, Range(least=1)] = 7,
    noise: Annotated[float, Range(least=0)] = 0.15,
    average: Average = "squared",
    path_steps: Annotated[int, Range(least=1)] = 25,
    baseline: float | str | np.ndarray = 0.0,
    seed: Annotated[int, Range(least=0)] = 0,
) -> Explaining[SaliencyResult]:
    """The pixels that a class score depends on.

    Three methods are drawn side by side. Gradients (Simonyan et al. 2014) are the derivatives of the class
    score with respect to each value of the input. SmoothGrad (Smilkov et al. 2017) averages them over noisy
    copies. Integrated gradients (Sundararajan et al. 2017) average them along the path from a baseline to the
    input and multiply by the difference between the two; here the path ends at each noisy copy in turn. The
    score is the logit if the model ends in a softmax or sigmoid, and the class is always that of the clean
    input. Integers that are looked up in an embedding, such as words, have no gradient; gradients are then
    taken with respect to the embedded vectors.

    Args:
        noise_samples: Number of noisy copies that SmoothGrad and integrated gradients average over.
        noise: Standard deviation of the noise, as a fraction of the input's range. Every input gets the
            same noise. With 0, SmoothGrad equals the gradient and integrated gradients are the plain ones.
        average: What SmoothGrad averages: squared gradients, or signed gradients (mean).
        path_steps: Number of points on the path from the baseline to the input at which integrated
            gradients are evaluated.
        baseline: Start of the path of integrated gradients, preprocessed like the model's input: a number, or
            the path of an image or array file. In Python, also an array.
        seed: Random seed: the same seed gives the same result.

    Returns:
        Three maps in the shape of the input, float32, with all channels and signs; for text
        (n, length, channels of the embedding).

    Raises:
        OptionError: a target out of range, a baseline of the wrong shape, too many inputs for memory.
        InapplicableError: the model has several inputs, or no gradient with respect to the input.
    """
    copies = noise_samples if noise > 0 else 1
    made = _SaliencyMethod(model, batch, target, copies, noise, average, path_steps, baseline, seed)
    made.contrast = contrast
    return made


@dataclass
class _SaliencyMethod(Explaining[SaliencyResult]):
    """Saliency with its options."""

    model: Any
    batch: Batch
    target: Target
    noise_samples: int
    noise: float
    average: Average
    path_steps: int
    baseline: float | str | np.ndarray
    seed: int

    def __post_init__(self) -> None:
        self.title = "Saliency"
        self.targets = (self.target,)
        self._compiled: tuple[Callable[..., Any], ...] | None = None
        self._entry = INPUT

    def work(self, inputs: int) -> int:
        """The number of passes."""
        return -(-inputs // self.rows) * (1 + self.noise_samples + self.noise_samples * self.path_steps)

    def trace(self, trace: Trace) -> Mapping[str, Any]:
        """The explained class, the gradient with respect to the points, and the points if not the input."""
        if isinstance(trace.inputs, (tuple, dict)):
            raise InapplicableError("saliency explains models with one input; this one takes several")
        explained = trace.explained(self.target, self.contrast)
        self._entry = differentiable_input(self.model, trace.passed, explained.score)
        points = trace.passed.tapped[self._entry] if self._entry else trace.inputs
        tensors = explained.tensors | {
            "gradients": ops.as_float(ops.gradient(explained.score, points)),
        }
        return tensors | ({"points": ops.as_float(points)} if self._entry else {})

    def explain(self, chunk: Chunk, passed: Passed) -> Generator[int, None, Mapping[str, np.ndarray]]:
        """Run the passes of SmoothGrad and integrated gradients; yield 1 after each."""
        yield 1
        points = passed.arrays.get("points", chunk.inputs)
        classes = explained_classes(passed)
        self._compiled = self._compiled or self._compile(chunk.inputs, points, classes)
        smooth, integrate, score = self._compiled
        baseline = np.broadcast_to(self._baseline(points[0]), points.shape)
        arguments = (chunk.inputs, points, baseline, self.noise * _span(points), classes)
        gradient_sum, scores = yield from summed(smooth, arguments, self.noise_samples)
        path_sum, _ = yield from summed(integrate, arguments, self.noise_samples * self.path_steps)
        rise = scores / self.noise_samples - score(chunk.inputs, baseline, classes)
        integrated = path_sum / (self.noise_samples * self.path_steps)
        attribution_sum = integrated.reshape(len(integrated), -1).sum(axis=1, dtype=np.float64)
        gaps = np.abs(attribution_sum - rise) / np.maximum(np.abs(rise), 1e-6)
        return {
            "gradients": passed.arrays["gradients"],
            "smooth_gradients": gradient_sum / self.noise_samples,
            "integrated_gradients": integrated,
            "completeness_gaps": gaps.astype(np.float32),
        }

    def maps_of(self, arrays: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The three maps, with channels."""
        return {name: arrays[name] for name in ("gradients", "smooth_gradients", "integrated_gradients")}

    def accumulator(self) -> SaliencyAccumulator:
        """Accumulates the maps."""
        return SaliencyAccumulator(self.noise_samples, self._entry, kind_of_contrast(self.contrast))

    def _compile(
        self, inputs: np.ndarray, points: np.ndarray, classes: np.ndarray
    ) -> tuple[Callable[..., Any], ...]:
        """Compile a SmoothGrad pass, a pass of integrated gradients, and the score at a point."""
        start = (self.model, self._entry, self.batch.head)
        arrays = (inputs, points, classes)
        noisy = noisy_copy(self.seed)
        specs = any_rows(points.dtype, *points.shape[1:]), any_rows(np.int64, classes.shape[1])
        return (
            one_pass(*start, arrays, noisy, square=self.average == "squared"),
            one_pass(*start, arrays, on_the_path(noisy, self.path_steps, self.noise_samples), square=False),
            compile_for(partial(score_at, *start), inputs, *specs),
        )

    def _baseline(self, row: np.ndarray) -> np.ndarray:
        """The baseline as (1, …) with the shape and type of one input."""
        return read_baseline(self.baseline, row, self.batch)


def _span(inputs: np.ndarray) -> np.ndarray:
    """The range (maximum minus minimum) of each input, with as many axes as the inputs."""
    axes = tuple(range(1, inputs.ndim))
    return np.asarray(inputs.max(axis=axes, keepdims=True) - inputs.min(axis=axes, keepdims=True))


class SaliencyAccumulator:
    """Accumulates the maps of inputs.

    Args:
        noise_samples: the number of noisy copies.
        entry: the path of the embedding that gradients are taken with respect to; empty for the input.
        contrast: what kind of classes the explained class is contrasted with.
    """

    def __init__(self, noise_samples: int, entry: str, contrast: str) -> None:
        self._noise_samples = noise_samples
        self._entry = entry
        self._explained = ExplainedAccumulator(contrast=contrast)

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Add the maps of a chunk."""
        arrays = {name: array for name, array in passed.arrays.items() if name != "points"}
        self._explained.update(chunk, replace(passed, arrays=arrays))

    def merge(self, other: SaliencyAccumulator) -> None:
        """Add the maps of other inputs."""
        self._explained.merge(other._explained)

    def result(self, examples: Examples, previous: SaliencyResult | None = None) -> SaliencyResult:
        """All maps so far."""
        explained, arrays = self._explained.result(examples)
        return SaliencyResult(
            explained,
            arrays["gradients"],
            arrays["smooth_gradients"],
            arrays["integrated_gradients"],
            arrays["completeness_gaps"],
            self._noise_samples,
            self._entry,
        )
