"""Saliency: which pixels a class score depends on, three ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from mlflow_interp.compiling import compile_for
from mlflow_interp.core import Batch, Chunk, split
from mlflow_interp.exceptions import InapplicableError, OptionError
from mlflow_interp.explain import Explainer
from mlflow_interp.layers import Forward
from mlflow_interp.points import INPUT, find_entry, one_pass, score_at, summed
from mlflow_interp.progress import track
from mlflow_interp.results import Examples, Explained
from mlflow_interp.scores import Target

NEEDS = ("gradient",)

Average = Literal["squared", "mean"]

ROWS = 8  # inputs whose gradients are in memory at a time, whatever the batch size
MOST_BYTES = 4 * 2**30  # of all maps together


@dataclass(frozen=True, eq=False)
class SaliencyResult:
    """Three maps an input, each of the input's own shape, every channel and sign kept.

    Where integers are looked up in an embedding, of the shape of what is found there.

    Attributes:
        explained: the inputs, what the model said about them, and the class explained.
        gradients: (n, …) float32, ∂score/∂input.
        smooth_gradients: (n, …) float32, their mean, or mean square, over noisy copies.
        integrated_gradients: (n, …) float32, attributions that sum to the score's rise over the baseline.
        completeness_gaps: (n,) float32, how far they are from that sum, relative to it.
        samples: how many noisy copies there were; one where there is no noise.
        entry: path of the embedding that gradients are taken by; empty where it is the input.
    """

    explained: Explained
    gradients: np.ndarray
    smooth_gradients: np.ndarray
    integrated_gradients: np.ndarray
    completeness_gaps: np.ndarray
    samples: int
    entry: str = INPUT

    @property
    def examples(self) -> Examples:
        """The inputs and what the model said about them."""
        return self.explained.examples

    @property
    def resolved(self) -> dict[str, Any]:
        """The kind of head the scores were read from, the number of noisy copies, the embedding if any."""
        found = {"head": self.explained.head, "samples": self.samples}
        return found | ({"embedding": self.entry} if self.entry else {})

    def arrays(self) -> dict[str, np.ndarray]:
        """The three maps, the gaps, targets and what the model said, by name."""
        maps = {
            "gradients": self.gradients,
            "smooth_gradients": self.smooth_gradients,
            "integrated_gradients": self.integrated_gradients,
            "completeness_gaps": self.completeness_gaps,
        }
        return maps | self.explained.arrays()

    def metrics(self) -> dict[str, float]:
        """How sure the model is, how right, and how complete the integrated gradients are."""
        return self.explained.metrics() | {"completeness_gap": float(self.completeness_gaps.mean())}

    def table(self) -> dict[str, list[Any]]:
        """A row an input."""
        return self.explained.table() | {"completeness_gap": self.completeness_gaps.tolist()}

    def warnings(self) -> list[str]:
        """Says so where the integral is too coarse to be trusted, or where there is no gradient."""
        warnings = []
        gap = float(np.median(self.completeness_gaps))
        if gap > 0.2:
            warnings.append(
                f"integrated gradients miss what they should sum to by {gap:.0%} (median); take more steps"
            )
        flat = int((np.abs(self.gradients).reshape(len(self.gradients), -1).max(axis=1) == 0).sum())
        if flat:
            warnings.append(f"{flat} inputs have no gradient at all: the score does not depend on them")
        endless = int(
            (~np.isfinite(self.smooth_gradients.reshape(len(self.gradients), -1))).any(axis=1).sum()
        )
        if endless:
            warnings.append(
                f"SmoothGrad of {endless} inputs is more than float32 holds; average=mean squares nothing"
            )
        return warnings


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
    """The work on one batch, eight inputs at a time, pass by pass."""

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
        self._found: list[tuple[np.ndarray, ...]] = []

    def work(self) -> Iterator[int]:
        """Do everything, and yield after each pass how many it was: 1."""
        for whole in self.batch.chunks():
            for chunk in split(whole, ROWS):
                self._check_inputs(chunk)
                targets, gradients, *embedded = self._explain(chunk)
                yield 1
                points = embedded[0] if embedded else chunk.inputs
                smooth, integrate, score = self._compiled = self._compiled or self._compile(
                    chunk.inputs, points
                )
                baseline = np.broadcast_to(self._baseline(points[0]), points.shape)
                given = (chunk.inputs, points, baseline, self.noise * _span(points), targets)
                squares, scores = yield from summed(smooth, given, self.samples)
                total, _ = yield from summed(integrate, given, self.samples * self.steps)
                start = score(chunk.inputs, baseline, targets)
                self._found.append(self._finished(gradients, squares, total, scores / self.samples - start))

    def result(self) -> SaliencyResult:
        """What was found."""
        gradients, smooth, integrated, gaps = map(np.concatenate, zip(*self._found, strict=True))
        return SaliencyResult(
            self._explain.explained(), gradients, smooth, integrated, gaps, self.samples, self._entry
        )

    def _gradient(self, inputs: Any, passed: Forward, score: Any) -> tuple[Any, ...]:
        """The gradient by the points, and the points where they are not the input."""
        import tensorflow as tf

        self._entry = find_entry(self.model, passed, score)
        points = passed.tapped[self._entry] if self._entry else inputs
        gradient = tf.cast(tf.gradients(score, points)[0], tf.float32)
        return (gradient, tf.cast(points, tf.float32)) if self._entry else (gradient,)

    def _compile(self, inputs: np.ndarray, points: np.ndarray) -> tuple[Callable[..., Any], ...]:
        """Compile a pass of SmoothGrad, a pass of the integral, and the score of a point."""
        import tensorflow as tf

        start, given = (self.model, self._entry), (inputs, points)
        specs = tf.TensorSpec([None, *points.shape[1:]], points.dtype), tf.TensorSpec([None], tf.int64)
        return (
            one_pass(*start, given, self._noisy, square=self.average == "squared"),
            one_pass(*start, given, self._on_the_way, square=False),
            compile_for(partial(score_at, *start), inputs, *specs),
        )

    def _noisy(self, number: Any, points: Any, baseline: Any, sigma: Any) -> tuple[Any, Any]:
        """The noisy copy of a number, and 1: what its gradient counts."""
        import tensorflow as tf

        # One noise for all rows: drawn once, and the same whichever inputs share a batch.
        shape = tf.concat([[1], tf.shape(points)[1:]], axis=0)
        noise = tf.random.stateless_normal(shape, seed=tf.stack([self.seed, tf.cast(number, tf.int32)]))
        return points + sigma * tf.cast(noise, points.dtype), 1.0

    def _on_the_way(self, number: Any, points: Any, baseline: Any, sigma: Any) -> tuple[Any, Any]:
        """A point between baseline and noisy copy, and the way between: what its gradient counts."""
        import tensorflow as tf

        end, _ = self._noisy(number // self.steps, points, baseline, sigma)
        # The middle of each step: the error of the integral falls with the square of their number.
        share = (tf.cast(number % self.steps, points.dtype) + 0.5) / self.steps
        return baseline + share * (end - baseline), end - baseline

    def _finished(
        self, gradients: np.ndarray, smooth: np.ndarray, total: np.ndarray, rise: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        integrated = total / (self.samples * self.steps)
        summed = integrated.reshape(len(integrated), -1).sum(axis=1, dtype=np.float64)
        gaps = np.abs(summed - rise) / np.maximum(np.abs(rise), 1e-6)
        return gradients, smooth / self.samples, integrated, gaps.astype(np.float32)

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
        given = self._read(self.baseline) if isinstance(self.baseline, str) else self.baseline
        with np.errstate(over="ignore"):  # what overflows is infinite then, and refused as that
            values = np.asarray(given, row.dtype)
        if values.shape not in ((), row.shape, (1, *row.shape)) or not np.isfinite(values).all():
            raise OptionError(
                f"baseline has shape {values.shape}, or NaN in it; give a finite number, or shape {row.shape}"
            )
        return np.broadcast_to(values, row.shape)[np.newaxis]

    def _read(self, text: str) -> float | np.ndarray:
        """The number that a text is, or the input in the file that it names."""
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
