"""Gradient ascent on images: step by step, each image on its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import Arrays, map_arrays

STEPS_A_POINT = 8  # of the curve, after which progress is reported and images may stop
GAIN_STEPS = 32  # what more steps would bring is told for so many
FEWEST = 16  # steps in each third of a curve, before it is trusted

# Steps wander about as views change: what counts is their mean, over about this part of the way.
AVERAGED = 1 / 8

# Gradients shrink to a third on the way, and Adam's usual 0.999 would hold on to the first ones for too long.
# They also turn so fast that with its usual 0.9 steps lag behind, and 40 % more were needed.
_MEAN_DECAY, _SQUARE_DECAY, _EPSILON = 0.7, 0.9, 1e-7

# Over so many steps, steps grow to so many times their length, as what has been drawn grows too.
GROWTH, GROWN = 96, 2.5

# A view's gradient has a few values far larger than all around them, which the next view does not have.
OUTLIER = 2  # times the root mean square, to which they are cut

#: (variables, how they are seen in this step, what stays) => (objectives (n,)).
Objective = Callable[[Any, Any, Any], Any]

#: (squared gradients) => (what broadcasts to them: their means over values that are much alike).
Pooling = Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class State:
    """Where the images stand, a row each.

    Attributes:
        parts: what is optimised, the running means of its gradient and of that squared, and the mean of
            what was optimised in the last steps.
        taken: steps taken since the running means began.
    """

    parts: tuple[Any, Any, Any, Any]
    taken: int = 0

    @classmethod
    def start(cls, variable: np.ndarray) -> State:
        """Before the first step."""
        nothing = np.zeros_like(variable)
        return cls((variable, nothing, nothing, variable))

    @property
    def variable(self) -> np.ndarray:
        """What was found: the mean of the last steps (Polyak and Juditsky 1992)."""
        return np.asarray(self.parts[-1])

    def rows(self, kept: np.ndarray) -> State:
        """Only the images for which `kept` (n,) is true."""
        variable, mean, square, average = (np.asarray(part)[kept] for part in self.parts)
        return State((variable, mean, square, average), self.taken)


Step = Callable[[State, Arrays, Arrays], tuple[State, np.ndarray]]


def compile_step(
    objective: Objective,
    state: State,
    view: Arrays,
    given: Arrays,
    *,
    learning_rate: float | np.ndarray,
    pooled: Pooling = lambda squares: squares,
) -> Step:
    """Compile a step of Adam up an objective (Kingma and Ba 2015).

    One view says little of a gradient: of its square a tenth is signal, or less. Averaged over values whose
    gradients are about as large, the squares are known well after a few steps, and what stands out in one
    view alone can be told and cut (coordinate by coordinate, as Zhang et al. 2020 do).

    Images share nothing but the call: each has its own objective and its own running means, so that it
    ends the same alone and in company.

    Args:
        objective: (variables, view, given) => (objectives (n,)), traced once.
        state: of any number of images, for its shape.
        view: a structure of arrays that changes from step to step, for their shapes.
        given: a structure of arrays that stays, a row an image, for their shapes.
        learning_rate: about how far a first step moves each value; one for all, or what broadcasts to them.
        pooled: which values share the running mean of their squared gradients; none by default.

    Returns:
        (state, view, given) => (state after a step, objectives (n,) before it).
    """
    import tensorflow as tf

    def climb(parts: Any, schedule: Any, view: Any, given: Any) -> Any:
        (variable, mean, square, average), (rate, known, share) = parts, tf.unstack(schedule)
        scores = objective(variable, view, given)
        gradient = tf.gradients(scores, variable)[0]
        square = _SQUARE_DECAY * square + (1 - _SQUARE_DECAY) * pooled(gradient**2)
        usual = tf.sqrt(square / known) + _EPSILON
        cut = tf.clip_by_value(gradient, -OUTLIER * usual, OUTLIER * usual)
        mean = _MEAN_DECAY * mean + (1 - _MEAN_DECAY) * cut
        variable += learning_rate * rate * mean / usual
        return (variable, mean, square, average + share * (variable - average)), scores

    fixed = tf.nest.map_structure(lambda array: tf.TensorSpec(array.shape, array.dtype), view)
    rows = partial(tf.nest.map_structure, _rows_spec)
    # One step and no loop: inside a loop TensorFlow optimises less, and a step took 9 % longer. Without
    # AutoGraph, as Keras itself traces models. XLA makes this 4 times slower on a CPU.
    compiled = tf.function(climb, autograph=False).get_concrete_function(
        rows(state.parts), tf.TensorSpec([3]), fixed, rows(given)
    )

    def step(state: State, view: Arrays, given: Arrays) -> tuple[State, np.ndarray]:
        parts, scores = compiled(*_tensors((state.parts, _schedule(state.taken), view, given)))
        return State(parts, state.taken + 1), scores.numpy()

    return step


def _tensors(arrays: Any) -> Any:
    import tensorflow as tf

    return tf.nest.map_structure(tf.convert_to_tensor, arrays)


def _rows_spec(array: Any) -> Any:
    import tensorflow as tf

    return tf.TensorSpec([None, *array.shape[1:]], array.dtype)


def _schedule(taken: int) -> np.ndarray:
    """After so many steps: how long one is, how much of the squares is known, what it counts in the mean.

    The first undoes that the running mean of gradients began at zero; the second does so for their squares.
    """
    begun, known = 1 - _MEAN_DECAY ** (taken + 1), 1 - _SQUARE_DECAY ** (taken + 1)
    grown = 1 + (GROWN - 1) * min(taken / GROWTH, 1)
    return np.array([grown / begun, known, 1 / (1 + AVERAGED * taken)], np.float32)


@dataclass(eq=False)
class Optimization:
    """Images on their way up, each until it has its steps or gains too little.

    Attributes:
        ascent: what `compile_step` gave.
        given: what it is given, a row an image.
        variable: what is optimised, a row an image.
        views: how they are seen, a step each, without end.
        taken: (n,) steps each image has taken.
        curve: after every eight steps, the mean objective (n,) of its steps; the last one of who has stopped.
        converged: (n,) whether each stopped because it gained too little.
    """

    ascent: Step
    given: Arrays
    variable: np.ndarray
    views: Iterator[Arrays]

    def __post_init__(self) -> None:
        count = len(self.variable)
        self.taken, self.converged = np.zeros(count, int), np.zeros(count, bool)
        self.curve: list[np.ndarray] = []

    def run(self, steps: int, tolerance: float) -> Iterator[int]:
        """Take at most `steps`; yields every so often how many were taken, times the images.

        Args:
            steps: at most so many.
            tolerance: an image stops where `GAIN_STEPS` more would add less than this share. 0 never does.
        """
        climbing, state = np.arange(len(self.variable)), State.start(self.variable)
        given = _tensors(self.given)
        while len(climbing) and self.taken[climbing[0]] < steps:
            count = min(STEPS_A_POINT, steps - int(self.taken[climbing[0]]))
            total = np.zeros(len(climbing), np.float32)
            for _ in range(count):
                state, scores = self.ascent(state, next(self.views), given)
                total += scores
            self._note(climbing, state, total / count, count)
            yield count * len(climbing)
            stopped = (self._gain(climbing) < tolerance) & (tolerance > 0)
            self.converged[climbing] = stopped
            if stopped.any():
                climbing, state = climbing[~stopped], state.rows(~stopped)
                given = _tensors(map_arrays(lambda array: np.asarray(array)[climbing], self.given))  # noqa: B023

    def _note(self, climbing: np.ndarray, state: State, scores: np.ndarray, count: int) -> None:
        point = self.curve[-1].copy() if self.curve else np.zeros(len(self.variable), np.float32)
        point[climbing] = scores
        self.curve.append(point)
        self.taken[climbing] += count
        self.variable[climbing] = state.variable

    def _gain(self, climbing: np.ndarray) -> np.ndarray:
        """What `GAIN_STEPS` more steps promise, as a share; from the last third and the third before.

        Objectives grow with the logarithm of the steps and jump with the view, so the window grows too.
        """
        third = len(self.curve) // 3
        if third * STEPS_A_POINT < FEWEST:
            return np.full(len(climbing), np.inf)
        curve = np.stack(self.curve)[:, climbing]
        last, before = curve[-third:].mean(axis=0), curve[-2 * third : -third].mean(axis=0)
        gain = (last - before) * GAIN_STEPS / (third * STEPS_A_POINT)
        return np.asarray(gain / np.maximum(np.abs(last), 1e-12))
