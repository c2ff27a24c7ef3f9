"""The objective compared with hand calculation."""

from __future__ import annotations

import numpy as np
import pytest

from mlflow_interp.optvis.similarity import compressed, held_out_views, similarity


def measures(activations, target, power=0.5):
    pair = (np.array([each], np.float32) for each in (activations, target))
    return [float(each[0]) for each in similarity(*pair, power)]


def test_objective_by_hand():
    """(3, 4) against (4, 3): dot 24 of 25, lengths 5, cosine 24/25."""
    assert measures([3, 4], [4, 3]) == pytest.approx([24 / 25 * (24 / 25) ** 0.5, 24 / 25, 24 / 25])
    assert measures([6, 8], [4, 3], power=2) == pytest.approx([48 / 25 * (24 / 25) ** 2, 24 / 25, 48 / 25])


def test_target_has_similarity_one_with_itself():
    assert measures([1, 2, 3], [1, 2, 3]) == pytest.approx([1, 1, 1])


def test_cosine_has_a_lower_bound():
    objective, cosine, dot = measures([1, 0, 0], [0.05, 1, 0])
    assert cosine < 0.1
    assert objective == pytest.approx(dot * 0.1**0.5)
    assert measures([-1, 0], [1, 0]) == pytest.approx([-(0.1**0.5), -1, -1])


def test_zero_activations_have_no_similarity():
    assert measures([0, 0], [1, 0]) == [0, 0, 0]
    assert measures([1, 0], [0, 0]) == [0, 0, 0]


def test_any_rank_and_separate_rows():
    activations, target = np.random.default_rng(0).random((2, 3, 4, 4, 2), dtype=np.float32)
    together = similarity(activations, target, 0.5)
    for row in range(3):
        alone = similarity(activations[[row]], target[[row]], 0.5)
        np.testing.assert_allclose([each[row] for each in together], [each[0] for each in alone], rtol=1e-5)


def test_held_out_views_are_always_the_same():
    np.testing.assert_array_equal(held_out_views(), held_out_views())
    assert held_out_views().shape == (16, 2, 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_keeps_shapes_and_removes_noise(channels):
    noise = np.random.default_rng(0).random((2, 9, 16, channels), dtype=np.float32)
    flat = np.full_like(noise, 0.4)
    assert np.abs(compressed(flat) - flat).max() < 0.01
    assert compressed(noise).shape == noise.shape
    assert np.abs(compressed(noise) - noise).max() > 0.02
