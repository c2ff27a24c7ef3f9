"""Saliency: the pixels that a class score depends on, computed in four ways."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from mlflow_interp.backend import ops
from mlflow_interp.backend.compile import any_rows, compile_for
from mlflow_interp.backend.gradients import (
    INPUT,
    Step,
    copies,
    differentiable_input,
    gauss_legendre,
    noisy_copy,
    on_the_path,
    one_pass,
    score_at,
    shared_midpoints,
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
from mlflow_interp.kinds.saliency.result import MAPS, MOST_GAP, TITLES, SaliencyResult

REQUIRES = ("gradient",)
SHOWS_INPUTS = "its maps have a value for each value of the input, and show its outlines"

Average = Literal["squared", "mean"]

POINTS = 50  # on a path, by default
MORE_POINTS = 200  # for inputs whose gap is larger than `MOST_GAP`
SMOOTH_POINTS = 25  # on each of the paths that end at noisy copies, by default


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
    path_steps: Annotated[int | None, Range(least=1)] = None,
    smooth_path: bool = False,
    baseline: float | str | np.ndarray = 0.0,
    seed: Annotated[int, Range(least=0)] = 0,
) -> Explaining[SaliencyResult]:
    """The pixels that a class score depends on.

    Four maps are drawn side by side. Gradients (Simonyan et al. 2014) are the derivatives of the class score
    with respect to each value of the input. SmoothGrad (Smilkov et al. 2017) averages them over noisy copies.
    Integrated gradients (Sundararajan et al. 2017) average them along the path from a baseline to the input
    and multiply by the difference between the two. Gradient times input is what the input would contribute
    if the model were linear. The score is the logit if the model ends in a softmax or sigmoid, and the class
    is always that of the clean input. Integers that are looked up in an embedding, such as words, have no
    gradient; gradients are then taken with respect to the embedded vectors.

    Args:
        noise_samples: Number of noisy copies that SmoothGrad averages over.
        noise: Standard deviation of the noise, as a fraction of the input's range. Every input gets the
            same noise. With 0, SmoothGrad averages nothing: it is the gradient, squared or as it is.
        average: What SmoothGrad averages: squared gradients, or signed gradients (mean).
        path_steps: Number of points on the path from the baseline to the input at which integrated
            gradients are evaluated. By default 50; inputs whose sum is off by more than 5 % are integrated
            again with 200.
        smooth_path: Whether integrated gradients are also averaged over the noisy copies, with a path to
            each of them, of 25 points by default. They then sum to the mean score of the copies.
        baseline: Reference input to compare with. The path of integrated gradients starts there. A number, or
            the path of an image or array file, preprocessed like the model's input. In Python, also an array.
        seed: Random seed: the same seed gives the same result.

    Returns:
        Four maps in the shape of the input, float32, with all channels and signs; for text
        (n, length, channels of the embedding).

    Raises:
        OptionError: a target out of range, a baseline of the wrong shape, too many inputs for memory.
        InapplicableError: the model has several inputs, or no gradient with respect to the input.
    """
    samples = noise_samples if noise > 0 else 1
    made = _SaliencyMethod(
        model, batch, target, samples, noise, average, path_steps, smooth_path, baseline, seed
    )
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
    path_steps: int | None
    smooth_path: bool
    baseline: float | str | np.ndarray
    seed: int

    map_titles: ClassVar[Mapping[str, str]] = TITLES

    def __post_init__(self) -> None:
        self.title = "Saliency"
        self.targets = (self.target,)
        self._compiled: tuple[Callable[..., Any], ...] | None = None
        self._entry = INPUT

    def work(self, inputs: int) -> int:
        """The maximum number of passes."""
        return -(-inputs // self.rows) * (1 + self.noise_samples + sum(map(len, self._path())))

    def trace(self, trace: Trace) -> Mapping[str, Any]:
        """The explained class, the gradient with respect to the points, and the points if not the input."""
        if isinstance(trace.inputs, (tuple, dict)):
            raise InapplicableError("saliency explains models with one input; this one takes several")
        if self.batch.positions is not None:
            raise InapplicableError(
                "saliency explains the mean over all positions of the output; omit positions, or use another "
                "method, such as gradcam or occlusion"
            )
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
        gradient_sum, scores = yield from summed(smooth, arguments, copies(self.noise_samples))
        ends = scores / self.noise_samples if self.smooth_path else passed.arrays["scores"]
        rise = ends - score(chunk.inputs, baseline, classes).numpy()
        integrated, gaps, steps = yield from self._integrated(integrate, arguments, rise)
        gradients = passed.arrays["gradients"]
        return {
            "gradients": gradients,
            "smooth_gradients": gradient_sum / self.noise_samples,
            "integrated_gradients": integrated,
            "gradients_times_inputs": (gradients * points).astype(gradients.dtype),
            "completeness_gaps": gaps.astype(np.float32),
            "path_points": steps,
        }

    def _integrated(
        self, integrate: Callable[..., Any], arguments: tuple[np.ndarray, ...], rise: np.ndarray
    ) -> Generator[int, None, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Integrated gradients, their gaps, and the number of points on the path of each input.

        Unless the number is given, inputs whose gap is too large are integrated again with more points. At
        the bound, rounding decides whether an input is; its two results then differ by less than the bound.
        """
        first, more = self._path()
        integrated, _ = yield from summed(integrate, arguments, first)
        gaps = _gaps(integrated, rise)
        counts = np.full(len(gaps), len(first))
        coarse = np.flatnonzero(gaps > MOST_GAP)
        if not more or not len(coarse):
            yield len(more)
            return integrated, gaps, counts
        finer, _ = yield from summed(integrate, tuple(each[coarse] for each in arguments), more)
        integrated[coarse] = finer
        gaps[coarse] = _gaps(finer, rise[coarse])
        counts[coarse] += len(more)
        return integrated, gaps, counts

    def _path(self) -> tuple[Sequence[Step], Sequence[Step]]:
        """The points on the path, and those of a second attempt; empty if their number is given."""
        if self.smooth_path:
            return shared_midpoints(self.path_steps or SMOOTH_POINTS, self.noise_samples), []
        if self.path_steps is not None:
            return gauss_legendre(self.path_steps), []
        return gauss_legendre(POINTS), gauss_legendre(MORE_POINTS)

    def maps_of(self, arrays: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The four maps, with channels."""
        return {name: arrays[name] for name in MAPS}

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
            one_pass(*start, arrays, on_the_path(noisy if self.smooth_path else None), square=False),
            compile_for(partial(score_at, *start), inputs, *specs),
        )

    def _baseline(self, row: np.ndarray) -> np.ndarray:
        """The baseline as (1, …) with the shape and type of one input."""
        return read_baseline(self.baseline, row, self.batch)


def _gaps(integrated: np.ndarray, rise: np.ndarray) -> np.ndarray:
    """The deviation of the sum of integrated gradients from the rise of the score, relative to the rise."""
    sums = integrated.reshape(len(integrated), -1).sum(axis=1, dtype=np.float64)
    return np.asarray(np.abs(sums - rise) / np.maximum(np.abs(rise), 1e-6))


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
            gradients_times_inputs=arrays["gradients_times_inputs"],
            path_points=arrays["path_points"],
        )
