"""A sample holds every class in its share, and is the same again."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlflow_interp.core.sampling import stratified


def test_each_label_keeps_its_share():
    labels = np.repeat([4, 0, 9], [600, 300, 100])
    taken = stratified(labels, 100, seed=0)
    assert len(taken) == 100
    assert dict(zip(*np.unique(labels[taken], return_counts=True), strict=True)) == {0: 30, 4: 60, 9: 10}


def test_all_are_taken_where_there_are_few():
    np.testing.assert_array_equal(stratified(np.zeros(5), 5, seed=0), np.arange(5))


def test_the_seed_decides_which():
    labels = np.zeros(1000, int)
    first, again, other = (stratified(labels, 50, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    # From everywhere, and not the first ones.
    assert first.max() > 800


@given(
    labels=st.lists(st.integers(-1, 5), min_size=1, max_size=200),
    count=st.integers(1, 250),
    seed=st.integers(0, 2**32),
)
def test_samples_are_sorted_distinct_and_in_share(labels, count, seed):
    labels = np.array(labels)
    taken = stratified(labels, count, seed=seed)
    assert len(taken) == min(count, len(labels))
    assert (np.diff(taken) > 0).all()
    for label in np.unique(labels):
        share = (labels == label).mean() * len(taken)
        assert abs((labels[taken] == label).sum() - share) <= 1
