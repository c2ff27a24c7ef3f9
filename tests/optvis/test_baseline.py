"""Baseline cosines are means over all other inputs, for any batches and parts."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from mlflow_interp.optvis import baseline
from mlflow_interp.optvis.baseline import BaselineCosines

ACTIVATIONS = np.random.default_rng(0).normal(0.5, 1, (7, 3, 4, 2)).astype(np.float32)


def by_hand(activations):
    """From the cosines of all pairs."""
    rows = activations.reshape(len(activations), -1).astype(np.float64)
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = units @ units.T
    return (cosines.sum(axis=1) - np.diag(cosines)) / (len(rows) - 1)


def part(activations):
    accumulator = BaselineCosines()
    accumulator.update(activations, activations[:1, ::-1])
    return accumulator


@pytest.fixture(params=[baseline.MOST_MEMORY, 100], ids=["in memory", "on disk"])
def most_memory(request, monkeypatch):
    """100 bytes hold two inputs."""
    monkeypatch.setattr(baseline, "MOST_MEMORY", request.param)


@pytest.mark.usefixtures("most_memory")
@pytest.mark.parametrize("cuts", [[], [1], [3], [2, 4], [1, 2, 3, 4, 5, 6]], ids=str)
def test_result_does_not_depend_on_batches_or_parts(cuts):
    pieces = np.split(ACTIVATIONS, cuts)
    in_batches, in_parts = BaselineCosines(), BaselineCosines()
    for piece in pieces:
        in_batches.update(piece)
        in_parts.merge(pickle.loads(pickle.dumps(part(piece))))
    for accumulator in (in_batches, in_parts, pickle.loads(pickle.dumps(in_parts))):
        np.testing.assert_allclose(accumulator.result(), by_hand(ACTIVATIONS), atol=1e-7)
        np.testing.assert_array_equal(accumulator.result(), part(ACTIVATIONS).result())


def test_parts_merge_in_any_order():
    first, second = part(ACTIVATIONS[:4]), part(ACTIVATIONS[4:])
    second.merge(first)
    np.testing.assert_allclose(second.result(), np.roll(by_hand(ACTIVATIONS), 3), atol=1e-7)


def test_inputs_can_be_added_after_a_result():
    accumulator = part(ACTIVATIONS[:4])
    np.testing.assert_allclose(accumulator.result(), by_hand(ACTIVATIONS[:4]), atol=1e-7)
    accumulator.update(ACTIVATIONS[4:])
    np.testing.assert_allclose(accumulator.result(), by_hand(ACTIVATIONS), atol=1e-7)


def test_input_without_activations_has_cosine_zero():
    activations = np.stack([ACTIVATIONS[0], 0 * ACTIVATIONS[0], ACTIVATIONS[0]])
    np.testing.assert_allclose(part(activations).result(), [0.5, 0, 0.5], atol=1e-7)


def test_single_input_is_compared_with_itself_upside_down():
    one = ACTIVATIONS[:1]
    expected = by_hand(np.concatenate([one, one[:, ::-1]]))[:1]
    alone = part(one)
    np.testing.assert_allclose(alone.result(), expected, atol=1e-7)
    empty = BaselineCosines()
    assert empty.result().shape == (0,)
    empty.merge(pickle.loads(pickle.dumps(alone)))
    np.testing.assert_allclose(empty.result(), expected, atol=1e-7)
