"""Sentences about all inputs, checked against counts made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mlflow_interp.core.examples import Examples
from mlflow_interp.core.findings import find

NAMES = ("cat", "dog", "eel")


def make(labels, classes, probabilities, **more):
    count = len(labels)
    settings = {
        "indices": np.arange(count),
        "names": tuple(f"#{index}" for index in range(count)),
        "labels": np.array(labels, np.int64),
        "classes": np.array(classes, np.int64)[:, np.newaxis],
        "probabilities": np.array(probabilities, np.float32)[:, np.newaxis],
        "class_names": NAMES,
        "images": None,
    }
    return Examples(**settings | more)


def texts(examples):
    return [finding.text for finding in find(examples)]


#: cat, cat, cat, dog, dog, eel; two cats are predicted as dogs, the eel as a cat.
LABELS = [0, 0, 0, 1, 1, 2]
CLASSES = [0, 1, 1, 1, 1, 0]


def test_findings_of_a_classifier():
    found = find(make(LABELS, CLASSES, [0.5, 0.95, 0.6, 0.7, 0.99, 0.91]))
    assert [(each.text, dict(each.about)) for each in found] == [
        ("3 of 6 inputs are predicted correctly (50.0%).", {"wrong": True}),
        ("cat is predicted as dog in 2 of 3 cases.", {"label": 0, "predicted": 1}),
        (
            "2 errors have a probability of at least 90%; the most confident is #1, "
            "predicted dog with 95.0%, label cat.",
            {"wrong": True, "at_least": 0.9},
        ),
        ("The least confident prediction is #0: cat with 50.0%.", {"input": 0}),
    ]


def test_a_single_confident_error_is_named():
    found = find(make(LABELS, CLASSES, [0.5, 0.6, 0.61, 0.7, 0.99, 0.4], names=tuple("abcdef")))
    assert found[2].text == "The most confident error is c, predicted dog with 61.0%, label cat."
    assert found[2].about == {"input": 2}


def test_a_perfect_model():
    assert texts(make(LABELS, LABELS, [0.5] * 6))[0] == "All 6 labelled inputs are predicted correctly."


def test_single_confusions_are_no_finding():
    assert not any("predicted as" in text for text in texts(make([0, 1, 2], [1, 2, 2], [0.5] * 3)))


def test_unknown_labels_do_not_count():
    found = texts(make([0, -1, -1, 1], [0, 1, 1, 0], [0.9] * 4))
    assert found[0] == "1 of 2 inputs are predicted correctly (50.0%)."


def test_without_labels_only_confidence_is_known():
    assert texts(make([-1] * 3, [0, 1, 2], [0.9, 0.4, 0.8])) == [
        "The least confident prediction is #1: dog with 40.0%."
    ]


def test_logits_are_not_called_probabilities():
    found = texts(make(LABELS, CLASSES, [5.0, 9.0, 2.0, -3.0, 1.0, 7.0]))
    assert len(found) == 2
    assert not any("%" in text for text in found[1:])


def test_a_selection_says_nothing_about_all():
    assert find(make(LABELS, CLASSES, [0.9] * 6, is_selection=True)) == []
    assert find(make([], [], [])) == []


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [5, 3, 1, 0, 2, 4]])
def test_they_do_not_depend_on_the_order(order):
    whole = make(LABELS, CLASSES, [0.5, 0.95, 0.6, 0.7, 0.99, 0.91])
    shuffled = make(
        np.array(LABELS)[order], np.array(CLASSES)[order], np.array([0.5, 0.95, 0.6, 0.7, 0.99, 0.91])[order],
        indices=np.array(order), names=tuple(f"#{index}" for index in order),
    )  # fmt: skip
    assert texts(shuffled) == texts(whole)


def regression(values, labels):
    return make(
        [-1] * len(values), [0] * len(values), values, class_names=None, has_classes=False,
        true_values=None if labels is None else np.array(labels)[:, np.newaxis],
    )  # fmt: skip


def test_errors_of_a_regression():
    found = find(regression([1.0, 2.0, 4.0], [1.0, 2.5, np.nan]))
    assert [each.text for each in found] == [
        "The mean absolute error is 0.25.",
        "The largest error is 0.5, for #1: predicted 2, label 2.5.",
    ]
    assert found[1].about == {"input": 1}


def test_the_range_of_a_regression_without_labels():
    assert texts(regression([1.0, 2.0, 4.0], None)) == [
        "The lowest prediction is 1, for #0.",
        "The highest prediction is 4, for #2.",
    ]
