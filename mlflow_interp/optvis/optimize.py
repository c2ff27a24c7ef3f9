"""Gradient ascent on images: step by step, each image independently."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import Arrays, map_arrays

STEPS_A_POINT = 8  # steps between points of the curve; then progress is reported, and images may stop
GAIN_STEPS = 32  # the number of further steps to predict the gain for
FEWEST = 16  # steps in each third of a curve, before it is trusted

# Variables fluctuate as views change: the result is their mean over about this fraction of the steps.
AVERAGED = 1 / 8

# Gradients shrink to a third during an optimisation, and Adam's default 0.999 remembers the first ones for
# too long. Their direction also changes so fast that steps lag behind with its default 0.9: 40 % more steps
# were needed.
_MEAN_DECAY = 0.7
_SQUARE_DECAY = 0.9
_EPSILON = 1e-7

# Over the first `GROWTH` steps, the step size grows by a factor of `GROWN`, as the image's values grow too.
GROWTH = 96
GROWN = 2.5

# The gradient of a view has a few values far larger than their neighbours, which the next view does not have.
OUTLIER = 2  # multiples of the root mean square to clip to

#: (variables, the view of this step, constants) => (objectives (n,)).
Objective = Callable[[Any, Any, Any], Any]

#: (squared gradients) => (their means over neighbouring values, which broadcast to them).
Pooling = Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class State:
    """The state of an optimisation, one row per image.

    Attributes:
        parts: the variable, the running means of its gradient and of its squared gradient, and the mean of
            the variable over the last steps.
        steps: the number of steps taken since the running means began.
    """

    parts: tuple[Any, Any, Any, Any]
    steps: int = 0

    @classmethod
    def start(cls, variable: np.ndarray) -> State:
        """Before the first step."""
        zeros = np.zeros_like(variable)
        return cls((variable, zeros, zeros, variable))

    @property
    def variable(self) -> np.ndarray:
        """The result: the mean over the last steps (Polyak and Juditsky 1992)."""
        return np.asarray(self.parts[-1])

    def rows(self, mask: np.ndarray) -> State:
        """Only the images for which `mask` (n,) is true."""
        variable, mean, square, average = (np.asarray(part)[mask] for part in self.parts)
        return State((variable, mean, square, average), self.steps)


Step = Callable[[State, Arrays, Arrays], tuple[State, np.ndarray]]


def compile_step(
    objective: Objective,
    state: State,
    view: Arrays,
    constants: Arrays,
    *,
    learning_rate: float | np.ndarray,
    pooled: Pooling = lambda squares: squares,
) -> Step:
    """Compile a step of Adam that maximises an objective (Kingma and Ba 2015).

    The gradient of one view is noisy: a tenth of its square is signal, or less. Averaged over values whose
    gradients are about as large, the squares are estimated well after a few steps, and outliers of a single
    view can be detected and clipped (coordinate by coordinate, as Zhang et al. 2020 do).

    Images only share the call: each has its own objective and running means, so that its result does not
    depend on the other images.

    Args:
        objective: (variables, view, constants) => (objectives (n,)), traced once.
        state: of any number of images, for its shape.
        view: a structure of arrays that changes from step to step, for their shapes.
        constants: a structure of arrays that is the same in every step, one row per image, for their shapes.
        learning_rate: roughly how far the first step moves each value: a number, or an array that broadcasts.
        pooled: averages the squared gradients of values that share a running mean; by default, none do.

    Returns:
        (state, view, constants) => (state after a step, objectives (n,) before it).
    """
    import tensorflow as tf

    def adam_step(parts: Any, schedule: Any, view: Any, constants: Any) -> Any:
        variable, mean, square, average = parts
        rate, square_correction, average_weight = tf.unstack(schedule)
        scores = objective(variable, view, constants)
        gradient = tf.gradients(scores, variable)[0]
        square = _SQUARE_DECAY * square + (1 - _SQUARE_DECAY) * pooled(gradient**2)
        rms = tf.sqrt(square / square_correction) + _EPSILON
        clipped = tf.clip_by_value(gradient, -OUTLIER * rms, OUTLIER * rms)
        mean = _MEAN_DECAY * mean + (1 - _MEAN_DECAY) * clipped
        variable += learning_rate * rate * mean / rms
        return (variable, mean, square, average + average_weight * (variable - average)), scores

    view_spec = tf.nest.map_structure(lambda array: tf.TensorSpec(array.shape, array.dtype), view)
    rows_spec = partial(tf.nest.map_structure, _rows_spec)
    # One step without a loop: inside a loop TensorFlow optimises less, and a step took 9 % longer. Without
    # AutoGraph, as Keras itself traces models. XLA makes this 4 times slower on a CPU.
    compiled = tf.function(adam_step, autograph=False).get_concrete_function(
        rows_spec(state.parts), tf.TensorSpec([3]), view_spec, rows_spec(constants)
    )

    def step(state: State, view: Arrays, constants: Arrays) -> tuple[State, np.ndarray]:
        parts, scores = compiled(*_tensors((state.parts, _schedule(state.steps), view, constants)))
        return State(parts, state.steps + 1), scores.numpy()

    return step


def _tensors(arrays: Any) -> Any:
    import tensorflow as tf

    return tf.nest.map_structure(tf.convert_to_tensor, arrays)


def _rows_spec(array: Any) -> Any:
    import tensorflow as tf

    return tf.TensorSpec([None, *array.shape[1:]], array.dtype)


def _schedule(steps: int) -> np.ndarray:
    """After `steps` steps: learning rate, bias correction of the squares, weight of a step in the average.

    The learning rate includes the bias correction of the mean gradient, which also starts at zero.
    """
    mean_correction = 1 - _MEAN_DECAY ** (steps + 1)
    square_correction = 1 - _SQUARE_DECAY ** (steps + 1)
    growth = 1 + (GROWN - 1) * min(steps / GROWTH, 1)
    return np.array([growth / mean_correction, square_correction, 1 / (1 + AVERAGED * steps)], np.float32)


@dataclass(eq=False)
class Optimization:
    """The optimisation of images, each until it has taken its steps or gains too little.

    Attributes:
        step: the compiled step, see `compile_step`.
        constants: its constants, one row per image.
        variable: the optimised variable, one row per image.
        views: an infinite iterator over the views, one for each step.
        steps_taken: (n,) the number of steps that each image has taken.
        curve: after every eight steps, their mean objective (n,); for images that have stopped, the last one.
        converged: (n,) whether each stopped because it gained too little.
    """

    step: Step
    constants: Arrays
    variable: np.ndarray
    views: Iterator[Arrays]

    def __post_init__(self) -> None:
        count = len(self.variable)
        self.steps_taken = np.zeros(count, int)
        self.converged = np.zeros(count, bool)
        self.curve: list[np.ndarray] = []

    def run(self, steps: int, tolerance: float) -> Iterator[int]:
        """Take at most `steps`; periodically yield the number of steps, of all images, since the last yield.

        Args:
            steps: the maximum number of steps.
            tolerance: an image stops if `GAIN_STEPS` more would add less than this fraction. 0 never stops.
        """
        active = np.arange(len(self.variable))
        state = State.start(self.variable)
        constants = _tensors(self.constants)
        while len(active) and self.steps_taken[active[0]] < steps:
            count = min(STEPS_A_POINT, steps - int(self.steps_taken[active[0]]))
            total = np.zeros(len(active), np.float32)
            for _ in range(count):
                state, scores = self.step(state, next(self.views), constants)
                total += scores
            self._record(active, state, total / count, count)
            yield count * len(active)
            stopped = (self._gain(active) < tolerance) & (tolerance > 0)
            self.converged[active] = stopped
            if stopped.any():
                active = active[~stopped]
                state = state.rows(~stopped)
                constants = _tensors(map_arrays(lambda array: np.asarray(array)[active], self.constants))  # noqa: B023

    def _record(self, active: np.ndarray, state: State, scores: np.ndarray, count: int) -> None:
        point = self.curve[-1].copy() if self.curve else np.zeros(len(self.variable), np.float32)
        point[active] = scores
        self.curve.append(point)
        self.steps_taken[active] += count
        self.variable[active] = state.variable

    def _gain(self, active: np.ndarray) -> np.ndarray:
        """The predicted relative gain of `GAIN_STEPS` more steps, from the last two thirds of the curve.

        Objectives grow with the logarithm of the steps and vary with the view, so the window grows too.
        """
        third = len(self.curve) // 3
        if third * STEPS_A_POINT < FEWEST:
            return np.full(len(active), np.inf)
        curve = np.stack(self.curve)[:, active]
        last = curve[-third:].mean(axis=0)
        before = curve[-2 * third : -third].mean(axis=0)
        gain = (last - before) * GAIN_STEPS / (third * STEPS_A_POINT)
        return np.asarray(gain / np.maximum(np.abs(last), 1e-12))
