"""Saliency: which pixels a class score depends on, three ways."""

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
from mlflow_interp.core.explained import ExplainedAccumulator
from mlflow_interp.core.passed import Passed
from mlflow_interp.engine.method import Explaining
from mlflow_interp.engine.targets import Target
from mlflow_interp.engine.trace import Trace
from mlflow_interp.exceptions import InapplicableError, OptionError
from mlflow_interp.kinds.saliency.result import SaliencyResult

REQUIRES = ("gradient",)

Average = Literal["squared", "mean"]


def saliency(
    model: Any,
    batch: Batch,
    *,
    target: Target = None,
    noise_samples: Annotated[int, Range(least=1)] = 7,
    noise: Annotated[float, Range(least=0)] = 0.15,
    average: Average = "squared",
    path_steps: Annotated[int, Range(least=1)] = 25,
    baseline: float | str | np.ndarray = 0.0,
    seed: Annotated[int, Range(least=0)] = 0,
) -> Explaining[SaliencyResult]:
    """Which pixels a class score depends on: gradients, SmoothGrad and integrated gradients, side by side.

    Gradients (Simonyan et al. 2014) are the derivative of the class score by each value of the input.
    SmoothGrad (Smilkov et al. 2017) averages them over noisy copies. Integrated gradients (Sundararajan
    et al. 2017) average them along the way from a baseline to the input, times the way; here the end of
    the way is each noisy copy in turn. The score is the logit where the model ends in a softmax or
    sigmoid, and the class is that of the clean input throughout. Integers that are looked up in an
    embedding, as words are, have no gradient; then all this is done with what is found there.

    Args:
        target: The class to explain: an index or a class name, "label" for the true label, or one
            for each input, separated by commas. By default the class that the model predicts.
        noise_samples: Number of noisy copies that SmoothGrad and integrated gradients average over.
        noise: The standard deviation of the noise, as a share of the input's range. Every input gets the
            same noise. 0 means no noise, and plain integrated gradients.
        average: What SmoothGrad averages: squared gradients, or their mean with its sign.
        path_steps: Number of points that integrated gradients take on the path from the baseline to the
            input.
        baseline: What integrated gradients start from, as the model is fed it: a number, a file of a
            picture or array, or an array.
        seed: The seed of everything random: the same seed gives the same result.

    Returns:
        Three maps of the input's own shape each, float32, every channel and sign kept; of texts
        (n, length, channels of the embedding).

    Raises:
        OptionError: a target out of range, a baseline of another shape, too many inputs for memory.
        InapplicableError: the model has several inputs, or no gradient with respect to the input.
    """
    copies = noise_samples if noise > 0 else 1
    return _SaliencyMethod(model, batch, target, copies, noise, average, path_steps, baseline, seed)


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
        """The class explained, the gradient with respect to the points, and these where not the input."""
        if isinstance(trace.inputs, (tuple, dict)):
            raise InapplicableError("saliency explains models with one input; this one takes several")
        explained = trace.explained(self.target)
        self._entry = differentiable_input(self.model, trace.passed, explained.score)
        points = trace.passed.tapped[self._entry] if self._entry else trace.inputs
        tensors = {
            "targets": explained.targets,
            "scores": explained.score,
            "probabilities": explained.probability,
            "gradients": ops.as_float(ops.gradient(explained.score, points)),
        }
        return tensors | ({"points": ops.as_float(points)} if self._entry else {})

    def explain(self, chunk: Chunk, passed: Passed) -> Generator[int, None, Mapping[str, np.ndarray]]:
        """Run the passes of SmoothGrad and integrated gradients; yields 1 after each."""
        yield 1
        points = passed.arrays.get("points", chunk.inputs)
        targets = passed.arrays["targets"]
        smooth, integrate, score = self._compiled = self._compiled or self._compile(chunk.inputs, points)
        baseline = np.broadcast_to(self._baseline(points[0]), points.shape)
        arguments = (chunk.inputs, points, baseline, self.noise * _span(points), targets)
        gradient_sum, scores = yield from summed(smooth, arguments, self.noise_samples)
        path_sum, _ = yield from summed(integrate, arguments, self.noise_samples * self.path_steps)
        rise = scores / self.noise_samples - score(chunk.inputs, baseline, targets)
        integrated = path_sum / (self.noise_samples * self.path_steps)
        attribution_sum = integrated.reshape(len(integrated), -1).sum(axis=1, dtype=np.float64)
        gaps = np.abs(attribution_sum - rise) / np.maximum(np.abs(rise), 1e-6)
        return {
            "gradients": passed.arrays["gradients"],
            "smooth_gradients": gradient_sum / self.noise_samples,
            "integrated_gradients": integrated,
            "completeness_gaps": gaps.astype(np.float32),
        }

    def accumulator(self) -> SaliencyAccumulator:
        """Accumulates the maps."""
        return SaliencyAccumulator(self.noise_samples, self._entry)

    def _compile(self, inputs: np.ndarray, points: np.ndarray) -> tuple[Callable[..., Any], ...]:
        """Compile a pass of SmoothGrad, a pass of the integral, and the score of a point."""
        start = (self.model, self._entry, self.batch.head)
        arrays = (inputs, points)
        noisy = noisy_copy(self.seed)
        specs = any_rows(points.dtype, *points.shape[1:]), any_rows(np.int64)
        return (
            one_pass(*start, arrays, noisy, square=self.average == "squared"),
            one_pass(*start, arrays, on_the_path(noisy, self.path_steps), square=False),
            compile_for(partial(score_at, *start), inputs, *specs),
        )

    def _baseline(self, row: np.ndarray) -> np.ndarray:
        """The baseline as (1, …) of an input's shape and type."""
        baseline = self._read_baseline(self.baseline) if isinstance(self.baseline, str) else self.baseline
        with np.errstate(over="ignore"):  # what overflows is infinite then, and refused as that
            values = np.asarray(baseline, row.dtype)
        if values.shape not in ((), row.shape, (1, *row.shape)) or not np.isfinite(values).all():
            raise OptionError(
                f"baseline has shape {values.shape}, or NaN in it; give a finite number, or shape {row.shape}"
            )
        return np.broadcast_to(values, row.shape)[np.newaxis]

    def _read_baseline(self, text: str) -> float | np.ndarray:
        """The number that a text holds, or the input in the file that it names."""
        try:
            return float(text)
        except ValueError:
            if self.batch.read_like is None:
                raise OptionError(f"baseline {text!r} is no number; give one, or an array") from None
        return self.batch.read_like(text)


def _span(inputs: np.ndarray) -> np.ndarray:
    """Highest less lowest value of each input, with as many axes as the inputs."""
    axes = tuple(range(1, inputs.ndim))
    return np.asarray(inputs.max(axis=axes, keepdims=True) - inputs.min(axis=axes, keepdims=True))


class SaliencyAccumulator:
    """Accumulates the maps of inputs.

    Args:
        noise_samples: the number of noisy copies.
        entry: the path of the embedding that gradients are taken with respect to; empty for the input.
    """

    def __init__(self, noise_samples: int, entry: str) -> None:
        self._noise_samples = noise_samples
        self._entry = entry
        self._explained = ExplainedAccumulator()

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
