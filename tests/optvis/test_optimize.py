"""Optimisation steps equal those of Keras' Adam, separately for each image."""

from __future__ import annotations

from itertools import repeat

import keras
import numpy as np
import pytest
import tensorflow as tf

from mlflow_interp.optvis.optimize import (
    AVERAGED,
    GROWN,
    GROWTH,
    STEPS_A_POINT,
    Optimization,
    State,
    compile_step,
)


def peak_objective(variable, view, constants):
    """An objective with height 0 at the given peak, seen slightly shifted."""
    return -tf.reduce_sum((variable - constants[0] - view) ** 2, axis=1)


STILL = np.float32(0)


def optimize(start, peak, steps, *, tolerance=0.0, rate=0.1, objective=peak_objective, views=None, **more):
    start = np.array(start, np.float32)
    constants = (np.array(peak, np.float32),)
    step = compile_step(objective, State.start(start), STILL, constants, learning_rate=rate, **more)
    views = iter(views) if views is not None else repeat(STILL)
    optimization = Optimization(step, constants, start.copy(), views)
    return optimization, list(optimization.run(steps, tolerance))


def test_steps_equal_keras_adam_with_warm_up_and_averaging():
    # Far enough that no peak is reached, where rounding would decide the direction.
    start, peak = [[0.0, 3.0], [5.0, -1.0]], [[40.0, 90.0], [-40.0, 50.0]]
    variable = tf.Variable(start)
    optimizer = keras.optimizers.Adam(0.1, beta_1=0.7, beta_2=0.9)
    optimizer.build([variable])
    average = variable.numpy()
    for taken in range(GROWTH + 20):
        optimizer.learning_rate = 0.1 * (1 + (GROWN - 1) * min(taken / GROWTH, 1))
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum((variable - tf.constant(peak)) ** 2)
        optimizer.apply_gradients([(tape.gradient(loss, variable), variable)])
        average += (variable.numpy() - average) / (1 + AVERAGED * taken)
    found, _ = optimize(start, peak, GROWTH + 20)
    np.testing.assert_allclose(found.variable, average, rtol=1e-4)


def test_objective_increases():
    found, taken = optimize([[0.0, 3.0]], [[1.0, 1.0]], 100)
    assert sum(taken) == 100
    assert found.curve[0] < found.curve[2] < found.curve[-1]
    np.testing.assert_allclose(found.variable, [[1, 1]], atol=0.1)
    assert found.steps_taken.tolist() == [100]
    assert not found.converged.any()


@pytest.mark.parametrize("steps", [1, 7, STEPS_A_POINT, 20])
def test_number_of_steps(steps):
    found, taken = optimize([[0.0]], [[1.0]], steps)
    assert sum(taken) == found.steps_taken[0] == steps
    assert len(found.curve) == -(-steps // STEPS_A_POINT)


def test_converged_images_stop_and_others_continue():
    """One image starts at its peak of 1, the other far below."""

    def bounded(variable, view, constants):
        return 1 / (1 + tf.reduce_sum((variable - constants[0]) ** 2, axis=1))

    found, _ = optimize([[1.0], [9.0]], [[1.0], [1.0]], 400, tolerance=0.01, objective=bounded)
    assert found.converged.tolist() == [True, True]
    assert found.steps_taken[0] < found.steps_taken[1] < 400
    np.testing.assert_allclose(found.variable, 1, atol=0.3)
    assert found.curve[-1][0] == found.curve[found.steps_taken[0] // STEPS_A_POINT][0]


def test_result_does_not_depend_on_other_images():
    start = np.random.default_rng(0).normal(size=(3, 4))
    peak = np.random.default_rng(1).normal(size=(3, 4))
    together, _ = optimize(start, peak, 60, tolerance=0.05)
    for row in range(3):
        alone, _ = optimize(start[[row]], peak[[row]], 60, tolerance=0.05)
        np.testing.assert_allclose(together.variable[row], alone.variable[0], atol=1e-5)
        assert together.steps_taken[row] == alone.steps_taken[0]


def test_every_step_uses_another_view():
    views = [np.float32(0.5), np.float32(-0.5)] * 50
    found, _ = optimize([[0.0]], [[1.0]], 100, views=views)
    np.testing.assert_allclose(found.variable, 1, atol=0.1)
    assert found.curve[-1] == pytest.approx(-0.25, abs=0.05)


def test_each_value_can_have_its_own_rate():
    found, _ = optimize([[0.0, 0.0]], [[9.0, 9.0]], 1, rate=np.array([0.1, 0.4], np.float32))
    np.testing.assert_allclose(found.variable, [[0.1, 0.4]], rtol=1e-3)


def test_pooled_values_change_in_proportion_to_their_gradients():
    """Of values four and one away, each divided by the mean square of both."""
    found, _ = optimize(
        [[0.0, 0.0]], [[4.0, 1.0]], 1, pooled=lambda squares: tf.reduce_mean(squares, axis=1, keepdims=True)
    )
    mean = np.sqrt((8**2 + 2**2) / 2)
    np.testing.assert_allclose(found.variable, [[0.1 * 8 / mean, 0.1 * 2 / mean]], rtol=1e-3)


def test_outliers_in_a_view_are_clipped():
    """One value ten, eight values one away: the root mean square is 2 √12; ten is clipped to twice that."""
    found, _ = optimize(
        [[0.0] * 9],
        [[10.0] + [1.0] * 8],
        1,
        pooled=lambda squares: tf.reduce_mean(squares, axis=1, keepdims=True),
    )
    np.testing.assert_allclose(found.variable, [[0.1 * 2] + [0.1 / np.sqrt(12)] * 8], rtol=1e-3)
