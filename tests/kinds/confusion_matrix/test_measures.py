"""Metrics compared with scikit-learn, including absent, weighted and never predicted classes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics

from mlflow_interp.exceptions import OptionError
from mlflow_interp.kinds.confusion_matrix import from_predictions
from mlflow_interp.kinds.confusion_matrix.measures import confused_pairs, normalized, per_class
from mlflow_interp.kinds.confusion_matrix.ordering import class_order

CLASSES = 5
PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40)


def sklearn_metrics(labels, predictions, weights=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "accuracy": metrics.accuracy_score(labels, predictions, sample_weight=weights),
            "balanced_accuracy": metrics.balanced_accuracy_score(labels, predictions, sample_weight=weights),
            "macro_f1": metrics.f1_score(
                labels, predictions, average="macro", zero_division=0, sample_weight=weights
            ),
            "kappa": metrics.cohen_kappa_score(labels, predictions, sample_weight=weights),
        }


@settings(deadline=None)
@given(PAIRS, st.none() | st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0]), min_size=40, max_size=40))
def test_metrics_equal_scikit_learn(pairs, weights):
    labels, predictions = np.array(pairs).T
    weights = None if weights is None else np.array(weights[: len(labels)])
    assume(weights is None or weights.sum() > 0)
    names = [str(index) for index in range(CLASSES)]
    result = from_predictions(labels, predictions, class_names=names, weights=weights)
    expected, found = sklearn_metrics(labels, predictions, weights), result.metrics()
    if np.isnan(expected["kappa"]):
        assert "kappa" not in found
        del expected["kappa"]
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name
    indices = list(range(CLASSES))
    matrix = metrics.confusion_matrix(labels, predictions, labels=indices, sample_weight=weights)
    np.testing.assert_allclose(result.matrix, matrix)
    np.testing.assert_array_equal(
        result.counts, metrics.confusion_matrix(labels, predictions, labels=indices)
    )


@settings(deadline=None)
@given(PAIRS)
def test_metrics_of_each_class_equal_scikit_learn(pairs):
    labels, predictions = np.array(pairs).T
    indices = list(range(CLASSES))
    each = per_class(metrics.confusion_matrix(labels, predictions, labels=indices))
    expected = metrics.precision_recall_fscore_support(labels, predictions, labels=indices, zero_division=0)
    for found, known in zip((each.precision, each.recall, each.f1, each.support), expected, strict=True):
        np.testing.assert_allclose(found, known)


@settings(deadline=None)
@given(PAIRS)
def test_shares_equal_scikit_learn(pairs):
    labels, predictions = np.array(pairs).T
    indices = list(range(CLASSES))
    counts = metrics.confusion_matrix(labels, predictions, labels=indices)
    for ours, theirs in (("none", None), ("true", "true"), ("predicted", "pred"), ("all", "all")):
        expected = metrics.confusion_matrix(labels, predictions, labels=indices, normalize=theirs)
        np.testing.assert_allclose(normalized(counts, ours), expected)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.booleans(), min_size=3, max_size=3), st.lists(st.booleans(), min_size=3, max_size=3)
        ),
        min_size=1,
        max_size=20,
    )
)
def test_several_labels_equal_scikit_learn(rows):
    labels, found = (np.array(part, int) for part in zip(*rows, strict=True))
    assume((labels.sum(axis=1) != 1).any())
    result = from_predictions(labels, found.astype(float))
    np.testing.assert_array_equal(result.counts, metrics.multilabel_confusion_matrix(labels, found))
    expected = {
        "accuracy": metrics.accuracy_score(labels, found),
        "hamming_loss": metrics.hamming_loss(labels, found),
        "macro_f1": metrics.f1_score(labels, found, average="macro", zero_division=0),
        "micro_f1": metrics.f1_score(labels, found, average="micro", zero_division=0),
    }
    assert {name: result.metrics()[name] for name in expected} == pytest.approx(expected)


def test_metrics_equal_hand_calculation():
    """Three cats, one predicted as a dog; one dog, predicted correctly; no bird is labelled or predicted."""
    result = from_predictions([0, 0, 0, 1], [0, 0, 1, 1], class_names=["cat", "dog", "bird"])
    assert result.counts.tolist() == [[2, 1, 0], [0, 1, 0], [0, 0, 0]]
    found = result.metrics()
    assert found["accuracy"] == 3 / 4
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["macro_f1"] == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert found["kappa"] == pytest.approx(1 - (1 - 3 / 4) / (1 - (3 * 2 + 1 * 2) / 16))
    assert found["confused_pair_1"] == 1
    assert found["confused_pair_2"] == 0
    assert result.table()["recall"] == [pytest.approx(2 / 3), 1, 0]
    assert result.table()["support"] == [3, 1, 0]
    assert result.highlights() == {"most_confused": [{"label": "cat", "predicted": "dog", "count": 1}]}


def test_confused_pairs_are_sorted_with_ties_in_class_order():
    counts = np.array([[9, 2, 5], [2, 9, 0], [1, 5, 9]])
    assert confused_pairs(counts, 3) == [(0, 2, 5), (2, 1, 5), (0, 1, 2)]
    assert counts[0, 0] == 9


def test_orders_of_classes():
    counts = np.array([[8, 0, 2, 0], [0, 20, 0, 0], [4, 0, 6, 0], [0, 0, 0, 0]])
    assert class_order(counts, "given").tolist() == [0, 1, 2, 3]
    assert class_order(counts, "support").tolist() == [1, 0, 2, 3]
    assert class_order(counts, "recall").tolist() == [2, 0, 1, 3]
    places = class_order(counts, "cluster").tolist()
    assert sorted(places) == [0, 1, 2, 3]
    assert abs(places.index(0) - places.index(2)) == 1
    with pytest.raises(OptionError, match="no order 'cluster' for labels"):
        class_order(np.zeros((3, 2, 2)), "cluster")


def test_clustering_recovers_shuffled_blocks():
    rng = np.random.default_rng(0)
    block = np.repeat(np.arange(30), 4)
    counts = np.where(block[:, None] == block, rng.integers(3, 9, (120, 120)), 0) + 40 * np.eye(
        120, dtype=int
    )
    shuffled = rng.permutation(120)
    order = class_order(counts[np.ix_(shuffled, shuffled)], "cluster")
    found = block[shuffled][order].reshape(30, 4)
    assert (found == found[:, :1]).all()
