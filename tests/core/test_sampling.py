"""Samples: proportional to the classes and reproducible."""

from __future__ import annotations

import hashlib
import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_interp.core.sampling import position_digests, sample_rows, stratified_rows

many_labels = st.lists(st.integers(-1, 5), min_size=1, max_size=200)


def digests_of(ids):
    rows = [hashlib.blake2b(str(each).encode(), digest_size=16).digest() for each in ids]
    return np.frombuffer(b"".join(rows), np.uint8).reshape(-1, 16)


def test_sample_is_proportional_to_labels():
    labels = np.repeat([4, 0, 9], [600, 300, 100])
    taken = stratified_rows(digests_of(range(1000)), labels, 100, seed=0)
    assert len(taken) == 100
    assert dict(zip(*np.unique(labels[taken], return_counts=True), strict=True)) == {0: 30, 4: 60, 9: 10}


def test_few_inputs_are_all_selected():
    np.testing.assert_array_equal(stratified_rows(digests_of(range(5)), np.zeros(5), 5, seed=0), np.arange(5))


def test_sample_depends_on_the_seed():
    labels, digests = np.zeros(1000, int), position_digests(np.arange(1000))
    first, again, other = (stratified_rows(digests, labels, 50, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    # From the whole range, not just the first ones.
    assert first.max() > 800


@given(labels=many_labels, count=st.integers(1, 250), seed=st.integers(0, 2**32))
def test_samples_are_sorted_distinct_and_proportional(labels, count, seed):
    labels = np.array(labels)
    taken = stratified_rows(position_digests(np.arange(len(labels))), labels, count, seed=seed)
    assert len(taken) == min(count, len(labels))
    assert (np.diff(taken) > 0).all()
    for label in np.unique(labels):
        share = (labels == label).mean() * len(taken)
        assert abs((labels[taken] == label).sum() - share) <= 1


@given(labels=many_labels, count=st.integers(1, 250), order=st.integers(0, 9))
def test_proportional_sample_does_not_depend_on_the_order(labels, count, order):
    labels, digests = np.array(labels), digests_of(range(len(labels)))
    permuted = np.random.default_rng(order).permutation(len(labels))
    taken = stratified_rows(digests, labels, count, seed=0)
    again = stratified_rows(digests[permuted], labels[permuted], count, seed=0)
    assert sorted(permuted[again]) == taken.tolist()


def by_definition(digests, cells, count, seed):
    """A literal implementation of the rule."""
    keys = [
        hashlib.blake2b(seed.to_bytes(8, "little") + bytes(digest), digest_size=16).digest()
        for digest in digests
    ]
    ranked, ranks = Counter(), {}
    for row in sorted(range(len(keys)), key=lambda row: keys[row]):
        ranks[row] = ranked[tuple(cells[row])]
        ranked[tuple(cells[row])] += 1
    return sorted(sorted(ranks, key=lambda row: (ranks[row], keys[row]))[:count])


cells_of_inputs = st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 3)), min_size=1, max_size=60)
sizes = st.integers(1, 70)
seeds = st.integers(0, 2**63)


@given(cells=cells_of_inputs, count=sizes, seed=seeds)
def test_sample_follows_the_rule(cells, count, seed):
    digests = digests_of(range(len(cells)))
    taken = sample_rows(digests, np.array(cells), count, seed=seed)
    assert taken.dtype == np.int64
    assert taken.tolist() == by_definition(digests, cells, count, seed)


@given(cells=cells_of_inputs, count=sizes, seed=seeds, order=st.integers(0, 9))
def test_sample_does_not_depend_on_the_order(cells, count, seed, order):
    digests, cells = digests_of(range(len(cells))), np.array(cells)
    permuted = np.random.default_rng(order).permutation(len(cells))
    taken = sample_rows(digests, cells, count, seed=seed)
    again = sample_rows(digests[permuted], cells[permuted], count, seed=seed)
    assert sorted(permuted[again]) == taken.tolist()


@given(ids=st.lists(st.integers(0, 5), min_size=1, max_size=30), count=sizes, order=st.integers(0, 9))
def test_number_of_duplicates_does_not_depend_on_the_order(ids, count, order):
    digests = digests_of(ids)
    cells = np.array(ids) % 2
    permuted = np.random.default_rng(order).permutation(len(ids))
    taken = sample_rows(digests, cells, count, seed=0)
    again = permuted[sample_rows(digests[permuted], cells[permuted], count, seed=0)]
    assert sorted(ids[row] for row in taken) == sorted(ids[row] for row in again)


@given(cells=cells_of_inputs, count=sizes, more=st.integers(0, 30), seed=seeds)
def test_smaller_sample_is_a_subset_of_a_larger_one(cells, count, more, seed):
    digests, cells = digests_of(range(len(cells))), np.array(cells)
    larger = sample_rows(digests, cells, count + more, seed=seed)
    assert set(sample_rows(digests, cells, count, seed=seed)) <= set(larger)


@given(cells=cells_of_inputs, count=sizes, seed=seeds)
def test_every_cell_gets_one_before_any_gets_two(cells, count, seed):
    taken = sample_rows(digests_of(range(len(cells))), np.array(cells), count, seed=seed)
    assert len(taken) == min(count, len(cells))
    have, there_are = Counter(cells[row] for row in taken), Counter(cells)
    most = max(have.values())
    assert all(have[cell] >= min(most - 1, size) for cell, size in there_are.items())


def test_another_seed_selects_other_inputs():
    digests = digests_of(range(1000))
    first, again, other = (sample_rows(digests, np.zeros(1000, int), 50, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert len(set(first) & set(other)) < 15
    assert first.max() > 800


@pytest.mark.parametrize("count", [0, -1])
def test_sample_of_size_zero_is_empty(count):
    assert sample_rows(digests_of(range(3)), np.zeros(3), count, seed=0).tolist() == []
    assert sample_rows(digests_of([]), np.zeros((0, 2)), 5, seed=0).tolist() == []


def test_sampling_many_rows_is_fast():
    digests = np.random.default_rng(0).integers(0, 256, (200_000, 16), dtype=np.uint8)
    start = time.perf_counter()
    assert len(sample_rows(digests, np.arange(200_000) % 1000, 64, seed=0)) == 64
    assert time.perf_counter() - start < 5
