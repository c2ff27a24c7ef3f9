"""Quality metrics compared with hand calculation and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.manifold import trustworthiness
from sklearn.metrics import silhouette_score

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.kinds.embedding.quality import judge, label_agreement


def agreement(rows, labels, metric="euclidean"):
    rows, labels = np.asarray(rows, np.float32), np.asarray(labels)
    known = np.flatnonzero(labels != UNKNOWN)
    return label_agreement(rows.reshape(len(rows), -1), labels, known, metric=metric)


def by_hand(rows, labels):
    """The same calculation, one input at a time."""
    shares = []
    for at, row in enumerate(rows):
        possible = min(10, int((labels == labels[at]).sum()) - 1)
        apart = ((rows - row) ** 2).sum(axis=1)
        apart[at] = np.inf
        nearest = np.argsort(apart)[:possible]
        shares.append((labels[nearest] == labels[at]).mean())
    return np.mean(shares)


@pytest.fixture(scope="module")
def cloud():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 200)
    rows = rng.normal(size=(4, 6))[labels] + rng.normal(0, 0.7, (200, 6))
    return rows.astype(np.float32), labels


def test_agreement_is_the_share_of_neighbours_with_the_same_label(cloud):
    assert agreement(*cloud) == pytest.approx(by_hand(*cloud))


def test_agreement_of_small_classes_can_reach_one():
    assert agreement([0, 1, 2, 50, 51], [7, 7, 7, 8, 8]) == 1.0


def test_agreement_of_five_points_by_hand():
    # The nearest of 0 is 1 (same label), that of 1 is 0; 10's two are 11 (other) and 1 (other).
    assert agreement([0, 1, 10, 11], [0, 0, 1, 1]) == 1.0
    assert agreement([0, 1, 10, 11], [0, 1, 0, 1]) == 0.0


def test_identical_inputs_do_not_count_themselves():
    """An input need not be the first among equals, and is never its own neighbour."""
    assert agreement([3, 3, 3, 3], [0, 1, 0, 1]) <= 0.5
    assert agreement([3] * 30, [0] * 30) == 1.0


def test_unknown_labels_and_single_members_of_a_class_are_ignored():
    assert agreement([0, 0.1, 1, 9], [2, UNKNOWN, 2, 3]) == 1.0
    assert agreement([0, 1], [2, 3]) == 0.0


def test_metric_determines_the_neighbours():
    rows, labels = [[1, 0], [10, 0], [0, 1], [0, 10]], [0, 0, 1, 1]
    assert agreement(np.reshape(rows, (4, 2)), labels, "cosine") == 1.0
    assert agreement(np.reshape(rows, (4, 2)), labels) == 0.5


def measure(rows, points, labels, *, metric):
    return judge(rows, points, labels, sample=np.arange(len(rows)), metric=metric)


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "correlation", "manhattan"])
def test_other_metrics_equal_scikit_learn(cloud, metric):
    rows, labels = cloud
    points = rows[:, :2]
    found = measure(rows, points, labels, metric=metric)
    assert set(found) == {"trustworthiness", "knn_agreement", "silhouette"}
    assert found["trustworthiness"] == pytest.approx(
        trustworthiness(rows, points, n_neighbors=10, metric=metric)
    )
    assert found["silhouette"] == pytest.approx(silhouette_score(rows, labels, metric=metric), abs=1e-6)


def test_trustworthiness_is_high_for_faithful_and_low_for_shuffled_layouts(cloud):
    rows, labels = cloud
    shuffled = np.random.default_rng(1).permutation(rows)
    assert measure(rows, rows, labels, metric="euclidean")["trustworthiness"] == 1.0
    assert measure(rows, shuffled, labels, metric="euclidean")["trustworthiness"] < 0.7


def test_metrics_missing_in_scikit_learn_fall_back_to_euclidean(cloud):
    rows, labels = cloud
    points = rows[:, :2]
    plain = measure(rows, points, labels, metric="euclidean")
    assert measure(rows, points, labels, metric="ll_dirichlet") == plain


@pytest.mark.parametrize("labels", [np.full(20, UNKNOWN), np.zeros(20, int), np.arange(20)])
def test_without_two_classes_only_the_layout_is_measured(labels):
    rows = np.random.default_rng(0).random((20, 3), np.float32)
    assert set(measure(rows, rows, labels, metric="euclidean")) == {"trustworthiness"}


def test_many_inputs_are_measured_by_a_sample():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 5000)
    rows = (labels[:, np.newaxis] + rng.normal(0, 0.3, (5000, 2))).astype(np.float32)
    sample = np.sort(np.random.default_rng(1).permutation(5000)[:1000])
    found = judge(rows, rows, labels, sample=sample, metric="euclidean")
    assert found["trustworthiness"] == 1.0
    assert found["knn_agreement"] == pytest.approx(by_hand(rows[:1500], labels[:1500]), abs=0.03)
