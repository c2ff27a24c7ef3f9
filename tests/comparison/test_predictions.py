"""Numbers about the predictions of two versions, from flips that are known."""

from __future__ import annotations

import numpy as np
import pytest

from mlflow_interp.comparison.predictions import Predictions, calibration_error


def made(labels: list[int], old: list[int], new: list[int]) -> Predictions:
    count = len(labels)
    confidence = np.full((count, 2), 0.8)
    explained = np.where(np.stack([old, new], axis=1) == np.array(labels)[:, None], 0.8, 0.1)
    return Predictions(np.array(labels), np.stack([old, new], axis=1), confidence, explained)


def test_of_flips_by_hand() -> None:
    """Ten inputs: two are lost, one is gained, one error changes into another."""
    labels = [0] * 10
    old = [0, 0, 0, 0, 0, 0, 0, 1, 1, 1]
    new = [0, 0, 0, 0, 0, 1, 2, 0, 2, 1]
    numbers = made(labels, old, new).numbers()
    assert numbers["accuracy_drop"].value == pytest.approx(0.1)
    assert numbers["negative_flips"].value == pytest.approx(0.2)
    assert numbers["positive_flips"].value == pytest.approx(0.1)
    assert numbers["churn"].value == pytest.approx(0.4)
    # Yan 2021: 0.2 / ((1 - 0.3) · 0.4)
    assert numbers["relative_negative_flips"].value == pytest.approx(0.2 / 0.28)
    assert numbers["probability_shift"].value == pytest.approx(0.3 * 0.7)
    assert numbers["loss_change"].value == pytest.approx(0.1 * np.log(8))


def test_identical_versions() -> None:
    same = made([0, 1, 2, 0] * 10, [0, 1, 1, 0] * 10, [0, 1, 1, 0] * 10)
    numbers = same.numbers()
    for name, each in numbers.items():
        assert each.value == 0, name
    assert same.p_value == 1


def test_a_version_without_errors_has_no_relative_flips() -> None:
    assert "relative_negative_flips" not in made([0, 1], [0, 0], [0, 1]).numbers()


def test_without_labels() -> None:
    numbers = made([-1] * 4, [0, 1, 2, 0], [0, 1, 1, 1]).numbers()
    assert set(numbers) == {"churn", "probability_shift"}
    assert numbers["churn"].value == 0.5
    assert made([-1] * 4, [0, 1, 2, 0], [0, 1, 1, 1]).both_right.tolist() == [True, True, False, False]


def test_permuted_labels_of_a_class_are_found() -> None:
    """The new version predicts 1 for every 2; other classes are as before."""
    labels = [0, 1, 2] * 50
    found = made(labels, labels, [0, 1, 1] * 50).class_drops([0, 1, 2])
    assert found[2].value == 1
    assert found[2].least > 0.8
    assert found[0].value == found[1].value == 0
    assert made(labels, labels, [0, 1, 1] * 50).numbers()["negative_flips"].value == pytest.approx(1 / 3)


def test_small_classes_have_no_number_of_their_own() -> None:
    labels = [0] * 30 + [1] * 5
    assert set(made(labels, labels, labels).class_drops([0, 1])) == {0}


def test_the_loss_is_left_out_if_another_class_than_the_label_is_explained() -> None:
    labels, ones = np.array([0, 1] * 10), np.full((20, 2), 0.5)
    predicted = np.stack([labels, labels], axis=1)
    of_labels = Predictions(labels, predicted, ones, ones, labels)
    assert of_labels.numbers()["loss_change"].value == 0
    assert "loss_change" not in Predictions(labels, predicted, ones, ones, 0 * labels).numbers()


def test_calibration_error_by_hand() -> None:
    """Two at 0.9, of which one is right: 0.4; two at 0.5, both right: 0.5; mean 0.45."""
    confidence = np.array([0.9, 0.9, 0.5, 0.5])
    assert calibration_error(confidence, np.array([1, 0, 1, 1])) == pytest.approx(0.45)
