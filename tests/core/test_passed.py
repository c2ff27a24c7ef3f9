"""Which label of an input is compared with the most probable class."""

from __future__ import annotations

import numpy as np
import pytest

from mlflow_interp.core.annotations import annotate
from mlflow_interp.core.chunk import UNKNOWN, Chunk
from mlflow_interp.core.passed import Passed
from tests.running import gradcam

ONE_HOT = np.eye(3)
SEVERAL = np.array([[1, 1, 0], [0, 0, 0], [0, 1, 0]])
SOFT = np.array([[0.9, 0.05, 0.05], [0.2, 0.2, 0.6], [0.5, 0.9, 0.1]])


def labels_of(labels, head, classes=3):
    annotations, _ = annotate(labels, 3, None, classes)
    names = tuple("abc")
    chunk = Chunk(
        np.arange(3), names, np.zeros((3, 2)), annotations.labels, None, label_rows=annotations.rows
    )
    return Passed(np.zeros((3, classes), np.float32), head).labels_of(chunk).tolist()


@pytest.mark.parametrize(
    ("labels", "head", "classes", "expected"),
    [
        ([2, 0, 1], "softmax", 3, [2, 0, 1]),
        ([2, 0, 1], "sigmoid", 3, [2, 0, 1]),  # classes of independent probabilities, one sigmoid each
        ([2, 0, 1], "values", 3, [UNKNOWN] * 3),
        (ONE_HOT, "softmax", 3, [0, 1, 2]),
        (ONE_HOT, "sigmoid", 3, [UNKNOWN] * 3),
        (ONE_HOT, "softmax", 4, [UNKNOWN] * 3),
        (ONE_HOT[:, :2], "binary", 2, [0, 1, UNKNOWN]),
        (SEVERAL, "softmax", 3, [UNKNOWN, UNKNOWN, 1]),
        (SEVERAL, "sigmoid", 3, [UNKNOWN] * 3),
        (SOFT, "softmax", 3, [0, 2, UNKNOWN]),
    ],
)
def test_which_rows_have_a_class_label(labels, head, classes, expected):
    assert labels_of(labels, head, classes) == expected


def test_rows_without_a_class_are_unlabelled_with_a_warning(tiny_cnn, pixels, batch_of):
    rows = np.array([[1, 0, 0], [0, 1, 1], [0, 0, 0], [0, 0, 1], [0, 1, 0]])
    batch = batch_of(tiny_cnn, pixels, labels=rows)
    result = gradcam(tiny_cnn, batch)
    assert result.examples.labels.tolist() == [0, UNKNOWN, UNKNOWN, 2, 1]
    (warning,) = batch.warnings
    assert "[0, 1, 1] of input '#1' is not a distribution over the model's 3 classes" in warning
    known = np.array([0, 3, 4])
    right = result.examples.classes[known, 0] == [0, 2, 1]
    assert result.metrics()["accuracy"] == right.mean()
