"""Neighbours of vectors whose cosines are known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mlflow_interp.exceptions import InapplicableError
from mlflow_interp.kinds.nearest_examples import search
from mlflow_interp.kinds.nearest_examples.search import find_neighbours


def digests_of(numbers):
    return np.repeat(np.asarray(numbers, np.uint8)[:, np.newaxis], 16, axis=1)


def found(queries, reference=None, count=3, *, same=(None, None), exclude_equal=None):
    queries = np.asarray(queries, np.float32)
    others = queries if reference is None else np.asarray(reference, np.float32)
    first = digests_of(np.arange(len(queries)) if same[0] is None else same[0])
    second = (
        first
        if reference is None
        else digests_of(np.arange(100, 100 + len(others)) if same[1] is None else same[1])
    )
    exclude = reference is None if exclude_equal is None else exclude_equal
    return find_neighbours(queries, others, count, identities=(first, second), exclude_equal=exclude)


def test_similarities_are_cosines():
    """From (1, 0): to (3, 0) 1, to (1, 1) √½, to (0, 2) 0, to (−1, 0) −1; lengths don't matter."""
    result = found([[1, 0]], [[0, 2], [-1, 0], [1, 1], [3, 0]], 4)
    assert result.rows.tolist() == [[3, 2, 0, 1]]
    np.testing.assert_allclose(result.similarities, [[1, 0.70711, 0, -1]], atol=1e-5)
    # (3, 4) and (4, 3): 24 / 25.
    assert found([[3, 4]], [[4, 3]], 1).similarities[0, 0] == pytest.approx(0.96)


def test_an_input_is_not_its_own_neighbour_by_its_digest():
    """Row 2 equals row 0, in another position; both are left out for each other."""
    vectors = [[1, 0], [0, 1], [1, 0], [1, 1]]
    result = found(vectors, count=2, same=([7, 8, 7, 9], None))
    assert result.rows.tolist()[0] == [3, 1]
    assert result.rows.tolist()[2] == [3, 1]
    assert set(result.rows[3].tolist()) <= {0, 1, 2}


def test_with_a_reference_an_equal_input_is_the_nearest():
    result = found([[2, 1]], [[1, 2], [2, 1]], 2, same=([5], [6, 5]))
    assert result.rows.tolist() == [[1, 0]]
    assert result.similarities[0, 0] == 1
    assert found([[2, 1]], [[1, 2], [2, 1]], 2, same=([5], [6, 5]), exclude_equal=True).rows.tolist() == [[0]]


def test_fewer_neighbours_if_there_are_no_more():
    assert found([[1, 0], [0, 1], [1, 1]], count=9).rows.shape == (3, 2)


def test_inputs_that_are_all_equal_have_no_neighbour():
    with pytest.raises(InapplicableError, match="no other to compare it with"):
        found([[1, 0], [1, 0]], same=([4, 4], None))


def test_zeros_are_similar_to_nothing():
    result = found([[0, 0], [1, 0], [2, 0]], count=2)
    assert result.similarities[0].tolist() == [0, 0]
    assert result.rows[1].tolist() == [2, 0]


@pytest.mark.parametrize("scale", [1e-12, 1e15])
def test_the_scale_of_activations_does_not_matter(scale):
    vectors = np.random.default_rng(0).normal(size=(20, 5))
    np.testing.assert_array_equal(found(vectors * scale).rows, found(vectors).rows)


@pytest.mark.parametrize(("queries", "references"), [(1, 1), (3, 7), (64, 5)])
def test_blocks_do_not_matter(monkeypatch, queries, references):
    vectors = np.random.default_rng(1).integers(-2, 3, (60, 4))  # with many ties
    expected = found(vectors, count=5)
    monkeypatch.setattr(search, "QUERIES", queries)
    monkeypatch.setattr(search, "REFERENCES", references)
    result = found(vectors, count=5)
    np.testing.assert_array_equal(result.rows, expected.rows)
    np.testing.assert_array_equal(result.similarities, expected.similarities)


def test_neither_does_the_order_of_the_reference():
    rng = np.random.default_rng(2)
    vectors, names = rng.integers(-2, 3, (60, 4)), np.arange(60)
    order = rng.permutation(60)
    expected = found(vectors, vectors, 5, same=(names, names), exclude_equal=True)
    result = found(vectors, vectors[order], 5, same=(names, names[order]), exclude_equal=True)
    np.testing.assert_array_equal(order[result.rows], expected.rows)


def test_all_pairs_agree_with_a_plain_computation():
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(700, 16)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -2)
    digests = np.zeros((700, 16), np.uint8)
    digests[:, :2] = np.arange(700, dtype="<u2").view(np.uint8).reshape(700, 2)
    result = find_neighbours(vectors, vectors, 10, identities=(digests, digests), exclude_equal=True)
    expected = -np.sort(-cosines, axis=1)[:, :10]
    np.testing.assert_allclose(result.similarities, expected, atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(cosines, result.rows, axis=1), expected, atol=1e-5)
