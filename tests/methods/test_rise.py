"""RISE against values known without it; what it shares with occlusion is in test_perturbation."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest

from mlflow_interp.engine.perturbed_scores import Space
from mlflow_interp.methods.rise import _RandomMasks
from tests.running import rise

layers = keras.layers


def linear(shape, weights, bias=0.0):
    model = keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(1)])
    model.layers[-1].set_weights([np.float32(weights).reshape(-1, 1), np.full(1, bias)])
    return model


class Given:
    """Masks that a test gives, in place of random ones."""

    def __init__(self, masks):
        self.masks = np.float32(masks)
        self.count = len(masks)
        self.chosen = {}
        self.sides = self.masks.shape[1:]

    def take(self, numbers):
        return self.masks[numbers.start : numbers.stop]

    maps = _RandomMasks.maps


def with_masks(monkeypatch, masks):
    """Let RISE use these masks."""
    monkeypatch.setattr(_RandomMasks, "of", classmethod(lambda cls, *_: Given(masks)))


def test_by_hand(batch_of, monkeypatch):
    """Values 1, 2, 3, 4, three masks with scores 1 + 2, 1 + 3, 4: means of 3.5, 3, 4 and 4, less 11 / 3."""
    with_masks(monkeypatch, [[[1, 1], [0, 0]], [[1, 0], [1, 0]], [[0, 0], [0, 1]]])
    inputs = np.float32([[1, 2], [3, 4]]).reshape(1, 2, 2, 1)
    model = linear((2, 2, 1), np.ones(4))
    found = rise(model, batch_of(model, inputs), baseline=0)
    np.testing.assert_allclose(found.heatmaps[0], np.array([[3.5, 3], [4, 4]]) - 11 / 3, atol=1e-5)
    # Of masks that keep half: scores 5, 5.5 and 4.5 with a baseline of 1.
    with_masks(monkeypatch, [[[1, 0.5], [0, 0]], [[0, 0], [0.5, 0]], [[1, 1], [1, 1]]])
    found = rise(model, batch_of(model, inputs), baseline=1)
    scores = np.array([4.5, 5, 10])
    expected = [[(4.5 + 10) / 2, (4.5 * 0.5 + 10) / 1.5], [(5 * 0.5 + 10) / 1.5, 10]]
    np.testing.assert_allclose(found.heatmaps[0], np.array(expected) - scores.mean(), atol=1e-5)


def test_standard_errors_by_the_delta_method_in_float64():
    """Against the covariances of scores, masks and their product."""
    random = np.random.default_rng(0)
    masks = random.random((300, 2, 3))
    scores = 100 + random.normal(size=(300, 2)) + masks.reshape(300, 6) @ random.normal(size=(6, 2))
    found = Given(masks).maps(np.float32(scores), np.zeros(2))
    for row, position in itertools.product(range(2), range(6)):
        mask = masks.reshape(300, 6)[:, position]
        means = np.array([(scores[:, row] * mask).mean(), mask.mean(), scores[:, row].mean()])
        covariance = np.cov([scores[:, row] * mask, mask, scores[:, row]])
        slopes = np.array([1 / means[1], -means[0] / means[1] ** 2, -1])
        error = np.sqrt(slopes @ covariance @ slopes / 300)
        assert found["standard_errors"].reshape(2, 6)[row, position] == pytest.approx(error, rel=1e-3)
        heat = means[0] / means[1] - means[2]
        assert found["maps"].reshape(2, 6)[row, position] == pytest.approx(heat, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.8])
def test_slope_on_contributions_is_one_minus_keep(batch_of, keep):
    """Cells are positions, so masks are independent: Cov(M) c / E[M] = (1 - p) c for a linear score."""
    random = np.random.default_rng(2)
    weights, inputs = random.normal(size=(4, 4, 1)), random.normal(size=(30, 4, 4, 1)).astype(np.float32)
    model = linear((4, 4, 1), weights, bias=3)
    found = rise(model, batch_of(model, inputs), random_masks=3000, cells=4, keep=keep, baseline=0.5)
    contributions = (weights * (inputs - 0.5))[..., 0]
    errors = (found.heatmaps - (1 - keep) * contributions) / found.standard_errors
    assert np.abs(errors).max() < 5
    # The stated errors are those that occur: not too small, and not too large.
    assert 0.75 < np.sqrt((errors**2).mean()) < 1.25


def test_covariance_of_smooth_masks(batch_of):
    """Cov(M) c / E[M] with the covariance of other masks of the same kind."""
    random = np.random.default_rng(2)
    weights, inputs = random.normal(size=(12, 12, 1)), random.normal(size=(2, 12, 12, 1)).astype(np.float32)
    model = linear((12, 12, 1), weights)
    found = rise(model, batch_of(model, inputs), random_masks=4000, cells=4, baseline=0.0)
    others = _RandomMasks.of(20000, 4, 0.5, 77, Space((12, 12), (0, 1))).take(range(20000))
    covariance = np.cov(others.reshape(20000, -1), rowvar=False)
    expected = (weights * inputs).reshape(2, -1) @ covariance / 0.5
    errors = (found.heatmaps.reshape(2, -1) - expected) / found.standard_errors.reshape(2, -1)
    assert np.abs(errors).max() < 5


def test_standard_error_falls_with_the_root_of_the_number_of_masks(batch_of):
    model = linear((4, 4, 1), np.arange(16))
    batch = batch_of(model, np.random.default_rng(0).random((2, 4, 4, 1), np.float32))
    few, many = (
        rise(model, batch, random_masks=count, baseline=0.0).standard_errors.mean() for count in (400, 6400)
    )
    assert few / many == pytest.approx(4, rel=0.1)


def test_probability_is_the_default_and_logit_can_be_chosen(batch_of, monkeypatch):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2, activation="softmax")])
    model.layers[-1].set_weights([np.float32([[3, 0], [2, 0]]), np.zeros(2)])
    with_masks(monkeypatch, [[1, 0], [0, 1], [1, 1], [0, 0]])
    batch = batch_of(model, np.ones((1, 2), np.float32))
    logits = np.array([3, 2, 5, 0])
    for options, scores in (
        ({}, 1 / (1 + np.exp(-logits))),
        ({"score": "probability"}, 1 / (1 + np.exp(-logits))),
        ({"score": "logit"}, logits),
    ):
        found = rise(model, batch, target=0, **options)
        expected = [scores[[0, 2]].mean(), scores[[1, 2]].mean()] - scores.mean()
        np.testing.assert_allclose(found.heatmaps, [expected], rtol=1e-4)


def test_a_position_that_is_never_kept_has_no_heat_and_the_error_of_the_mean(batch_of, monkeypatch):
    with_masks(monkeypatch, [[1, 0], [0, 0], [1, 0]])
    model = linear((2,), [1, 1])
    found = rise(model, batch_of(model, np.ones((1, 2), np.float32)))
    assert found.heatmaps[0, 1] == 0
    scores = np.array([1, 0, 1])
    assert found.standard_errors[0, 1] == pytest.approx(scores.std() / np.sqrt(2))


# --- masks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sides", [(40, 30), (50,), (12, 5, 20)])
def test_masks_depend_on_seed_and_number_only(sides):
    space = Space(sides, tuple(range(len(sides))))
    few, many = (_RandomMasks.of(count, 7, 0.5, 3, space) for count in (70, 200))
    whole = many.take(range(200))
    np.testing.assert_array_equal(few.take(range(70)), whole[:70])
    np.testing.assert_array_equal(many.take(range(65, 68)), whole[65:68])
    assert not np.array_equal(_RandomMasks.of(70, 7, 0.5, 4, space).take(range(70)), whole[:70])


@pytest.mark.parametrize("keep", [0.1, 0.5])
def test_masks_keep_every_position_with_the_same_probability(keep):
    masks = _RandomMasks.of(6000, 5, keep, 0, Space((23, 40), (0, 1))).take(range(6000))
    assert masks.shape == (6000, 23, 40)
    assert masks.dtype == np.float32
    assert masks.min() >= 0
    assert masks.max() <= 1 + 1e-6
    error = masks.std(axis=0) / np.sqrt(6000)
    assert (np.abs(masks.mean(axis=0) - keep) < 5 * error).all()


def test_masks_are_enlarged_linearly_by_hand():
    """Two cells over four positions, shifted by half a cell: nodes are read at 0.5, 1, 1.5 and 2."""
    masks = _RandomMasks((4,), (0.5,), np.array([[True, False, True, True]]), np.float32([[0.5]]))
    np.testing.assert_allclose(masks.take(range(1)), [[0.5, 0, 0.5, 1]])


def test_masks_of_separate_positions_and_short_axes_are_binary():
    for space in (Space((30,), (0,), is_continuous=False), Space((3, 7), (0, 1))):
        masks = _RandomMasks.of(400, 7, 0.5, 0, space).take(range(400))
        assert set(np.unique(masks)) == {0, 1}
        flat = masks.reshape(400, -1)
        off = np.corrcoef(flat, rowvar=False) - np.eye(flat.shape[1])
        assert np.abs(off).max() < 5 / np.sqrt(400)
