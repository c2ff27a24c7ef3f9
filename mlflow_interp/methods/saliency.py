"""Saliency: which pixels a class score depends on, three ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from mlflow_interp.backend import ops
from mlflow_interp.backend.compile import any_rows, compile_for
from mlflow_interp.backend.forward import Forward
from mlflow_interp.backend.gradients import (
    INPUT,
    differentiable_input,
    noisy_copy,
    on_the_path,
    one_pass,
    score_at,
    summed,
)
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk, split
from mlflow_interp.engine.explain import Explainer
from mlflow_interp.engine.targets import Target
from mlflow_interp.exceptions import InapplicableError, OptionError
from mlflow_interp.kinds.saliency.result import SaliencyResult
from mlflow_interp.progress import track

REQUIRES = ("gradient",)

Average = Literal["squared", "mean"]

ROWS = 8  # inputs whose gradients are in memory at a time, whatever the batch size
MOST_BYTES = 4 * 2**30  # of all maps together


def saliency(
    model: Any,
    batch: Batch,
    *,
    target: Target = None,
    samples: int = 7,
    noise: float = 0.15,
    average: Average = "squared",
    steps: int = 25,
    baseline: float | str | np.ndarray = 0.0,
    seed: int = 0,
) -> SaliencyResult:
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
        samples: How many noisy copies SmoothGrad and integrated gradients average over.
        noise: The standard deviation of the noise, as a share of the input's range. 0 means no noise,
            and plain integrated gradients.
        average: What SmoothGrad averages: squared gradients, or their mean with its sign.
        steps: How many points integrated gradients take on the way from the baseline to the input.
        baseline: What integrated gradients start from, as the model is fed it: a number, a file of a
            picture or array, or an array.
        seed: Of the noise; the same noise is laid over every input.

    Returns:
        Three maps of the input's own shape each, float32, every channel and sign kept; of texts
        (n, length, channels of the embedding).

    Raises:
        OptionError: a number out of range, a baseline of another shape, too many inputs for memory.
        InapplicableError: the model has several inputs, or its class score no gradient by the input.
    """
    _check(samples, noise, average, steps)
    copies = samples if noise > 0 else 1
    maps = _Maps(model, batch, target, copies, noise, average, steps, baseline, seed)
    passes = None if batch.total is None else -(-batch.total // ROWS) * maps.passes
    for _ in track(maps.work(), total=passes, label="Saliency", unit="pass"):
        pass
    return maps.result()


def _check(samples: int, noise: float, average: str, steps: int) -> None:
    if samples < 1 or steps < 1:
        raise OptionError(f"samples is {samples} and steps {steps}; give 1 or more of each")
    if not 0 <= noise < float("inf"):
        raise OptionError(f"noise is {noise}; give 0 or more, as a share of the input's range")
    if average not in ("squared", "mean"):
        raise OptionError(f"no average {average!r}; there are: squared, mean")


@dataclass
class _Maps:
    """Computes the maps of one batch, eight inputs at a time, pass by pass."""

    model: Any
    batch: Batch
    target: Target
    samples: int
    noise: float
    average: Average
    steps: int
    baseline: float | str | np.ndarray
    seed: int

    def __post_init__(self) -> None:
        self.passes = 1 + self.samples + self.samples * self.steps
        self._explain = Explainer(self.model, self.batch, self.target, self._gradient)
        self._compiled: tuple[Callable[..., Any], ...] | None = None
        self._entry = INPUT
        self._chunk_maps: list[tuple[np.ndarray, ...]] = []

    def work(self) -> Iterator[int]:
        """Run all passes; yields 1 after each."""
        for chunk in self.batch.chunks():
            for part in split(chunk, ROWS):
                self._check_inputs(part)
                targets, gradients, *embedded = self._explain(part)
                yield 1
                points = embedded[0] if embedded else part.inputs
                smooth, integrate, score = self._compiled = self._compiled or self._compile(
                    part.inputs, points
                )
                baseline = np.broadcast_to(self._baseline(points[0]), points.shape)
                arguments = (part.inputs, points, baseline, self.noise * _span(points), targets)
                gradient_sum, scores = yield from summed(smooth, arguments, self.samples)
                path_sum, _ = yield from summed(integrate, arguments, self.samples * self.steps)
                baseline_score = score(part.inputs, baseline, targets)
                self._chunk_maps.append(
                    self._averaged(gradients, gradient_sum, path_sum, scores / self.samples - baseline_score)
                )

    def result(self) -> SaliencyResult:
        """The maps of all inputs."""
        gradients, smooth, integrated, gaps = map(np.concatenate, zip(*self._chunk_maps, strict=True))
        return SaliencyResult(
            self._explain.explained(), gradients, smooth, integrated, gaps, self.samples, self._entry
        )

    def _gradient(self, inputs: Any, passed: Forward, score: Any) -> tuple[Any, ...]:
        """The gradient with respect to the points, and the points where they are not the input."""
        self._entry = differentiable_input(self.model, passed, score)
        points = passed.tapped[self._entry] if self._entry else inputs
        gradient = ops.as_float(ops.gradient(score, points))
        return (gradient, ops.as_float(points)) if self._entry else (gradient,)

    def _compile(self, inputs: np.ndarray, points: np.ndarray) -> tuple[Callable[..., Any], ...]:
        """Compile a pass of SmoothGrad, a pass of the integral, and the score of a point."""
        start = (self.model, self._entry)
        arrays = (inputs, points)
        noisy = noisy_copy(self.seed)
        specs = any_rows(points.dtype, *points.shape[1:]), any_rows(np.int64)
        return (
            one_pass(*start, arrays, noisy, square=self.average == "squared"),
            one_pass(*start, arrays, on_the_path(noisy, self.steps), square=False),
            compile_for(partial(score_at, *start), inputs, *specs),
        )

    def _averaged(
        self,
        gradients: np.ndarray,
        gradient_sum: np.ndarray,
        path_sum: np.ndarray,
        score_difference: np.ndarray,
    ) -> tuple[np.ndarray, ...]:
        integrated = path_sum / (self.samples * self.steps)
        attribution_sum = integrated.reshape(len(integrated), -1).sum(axis=1, dtype=np.float64)
        gaps = np.abs(attribution_sum - score_difference) / np.maximum(np.abs(score_difference), 1e-6)
        return gradients, gradient_sum / self.samples, integrated, gaps.astype(np.float32)

    def _check_inputs(self, chunk: Chunk) -> None:
        if not isinstance(chunk.inputs, np.ndarray):
            raise InapplicableError("saliency explains models with one input; this one takes several")
        needed = 3 * chunk.inputs[0].nbytes * (self.batch.total or 0)
        if needed > MOST_BYTES:
            raise OptionError(
                f"the maps of {self.batch.total} inputs take {needed / 2**30:.1f} GiB; set max_inputs= lower"
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
