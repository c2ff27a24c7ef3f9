"""Rows and medians of classes against what is written out for each class."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_interp.comparison.agreement import Agreement, Anchors
from mlflow_interp.comparison.by_class import Complements, rows_by_class

LABELS = st.lists(st.integers(-1, 4), min_size=1, max_size=40)


@given(LABELS, st.data())
def test_rows_are_those_of_the_class_that_count(labels, data):
    labels = np.array(labels)
    size = len(labels)
    counted = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)), bool)
    found = rows_by_class(labels, counted)
    assert sorted(found) == sorted(set(labels[counted].tolist()) - {-1})
    for label, rows in found.items():
        np.testing.assert_array_equal(rows, np.flatnonzero((labels == label) & counted))


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0]), min_size=1, max_size=30), st.data())
def test_a_median_of_all_others(values, data):
    values = np.array(values)
    rows = data.draw(st.sets(st.integers(0, len(values) - 1)))
    found = Complements(values).median_without(np.array(sorted(rows), np.int64))
    others = np.delete(values, sorted(rows))
    if len(others):
        assert found == np.median(others)
    else:
        assert np.isnan(found)


def test_a_class_below_the_others_by_hand():
    """Class 0 agrees to 0.2, the other two to 0.8 and 0.6: their median is 0.7, of a scale from 0 to 1."""
    labels = np.repeat([0, 1, 2], 20)
    correlation = np.repeat([0.2, 0.8, 0.6], 20)
    ones = np.ones(40)
    agreement = Agreement(
        correlation, correlation, correlation, np.zeros((60, 2), bool), Anchors(ones, 0 * ones)
    )
    counted = np.ones(60, bool)
    found = agreement.of_classes(labels, counted, 0.3, below_others=True)
    assert {label: each.number.value for label, each in found.items()} == pytest.approx(
        {0: 0.5, 1: -0.4, 2: -0.1}
    )
    assert found[0].p_value < 0.01 < found[2].p_value
    shortfalls = agreement.shortfalls(labels, counted, below_others=True)
    assert shortfalls == pytest.approx({0: 0.5, 1: -0.4, 2: -0.1})
    assert agreement.shortfalls(labels, counted) == pytest.approx({0: 0.2, 1: 0.8, 2: 0.6})
