"""Counting chunk by chunk compared with counting at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_interp.exceptions import InputsError
from mlflow_interp.kinds.confusion_matrix import counters
from mlflow_interp.kinds.confusion_matrix.counters import Counter, LabelCounter


@settings(deadline=None)
@given(st.integers(2, 9), st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=60), st.data())
def test_counts_do_not_depend_on_chunks(classes, pairs, data):
    labels, predictions = np.array(pairs or [(0, 0)]).T % classes
    expected = np.zeros((classes, classes), int)
    np.add.at(expected, (labels, predictions), 1)
    counter, start = Counter(classes), 0
    while start < len(labels):
        step = data.draw(st.integers(1, 20))
        counter.add(labels[start : start + step], predictions[start : start + step])
        start += step
    assert counter.counts.dtype == np.int64
    assert counter.weighted is None
    np.testing.assert_array_equal(counter.counts, expected)


def test_full_buffers_lose_no_counts(monkeypatch):
    monkeypatch.setattr(counters, "_SMALLEST_BUFFER", 7)
    monkeypatch.setattr(counters, "_LARGEST_BUFFER", 11)
    rng = np.random.default_rng(0)
    labels, predictions, weights = rng.integers(0, 6, 500), rng.integers(0, 6, 500), rng.random(500)
    counter = Counter(6)
    for part in np.array_split(np.arange(500), 13):
        counter.add(labels[part], predictions[part], weights[part])
    expected = np.zeros((6, 6))
    np.add.at(expected, (labels, predictions), weights)
    np.testing.assert_allclose(counter.weighted, expected)
    assert counter.counts.sum() == 500


def test_counts_can_be_read_at_any_time_and_weights_can_start_later():
    counter = Counter(2)
    counter.add(np.array([0, 1]), np.array([0, 0]))
    assert counter.counts.tolist() == [[1, 0], [1, 0]]
    counter.add(np.array([1]), np.array([1]), np.array([0.25]))
    counter.add(np.array([1]), np.array([1]))
    assert counter.counts.tolist() == [[1, 0], [1, 2]]
    assert counter.weighted.tolist() == [[1, 0], [1, 1.25]]


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.uint64, np.int64])
def test_any_integer_type_is_counted(kind):
    counter = Counter(3)
    counter.add(np.array([2, 2, 0], kind), np.array([1, 1, 0], kind))
    assert counter.counts.tolist() == [[1, 0, 0], [0, 0, 0], [0, 2, 0]]


@pytest.mark.parametrize(
    ("labels", "predictions", "weights", "says"),
    [
        ([0, 3], [0, 0], None, "labels contain class 3, but the classes are 0–2"),
        ([0, 1], [-1, 0], None, "predictions contain class -1"),
        ([0, 1], [0], None, "2 labels and 1 predictions don't match"),
        ([0, 1], [0, 1], [1.0], "2 labels and 2 predictions and 1 weights don't match"),
    ],
)
def test_values_out_of_range_are_rejected_and_not_counted(labels, predictions, weights, says):
    counter = Counter(3)
    with pytest.raises(InputsError, match=says):
        counter.add(np.array(labels), np.array(predictions), weights)
    assert counter.counts.sum() == 0


def test_several_labels_are_counted_separately():
    counter = LabelCounter(2)
    rows, found = np.array([[1, 0], [1, 1], [0, 0]], bool), np.array([[1, 1], [0, 1], [0, 0]], bool)
    counter.add(rows, found)
    assert counter.counts.tolist() == [[[1, 0], [1, 1]], [[1, 1], [0, 1]]]
    counter.add(rows[:1], found[:1], np.array([0.5]))
    assert counter.counts[0, 1, 1] == 2
    assert counter.weighted[0, 1, 1] == 1.5
