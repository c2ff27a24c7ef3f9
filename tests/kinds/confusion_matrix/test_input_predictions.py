"""The prediction for each input of a confusion matrix, in memory, in files, and loaded again."""

from __future__ import annotations

import io

import mlflow
import numpy as np
import pandas as pd
import pytest

import mlflow_interp
from mlflow_interp.core.chunk import Chunk, position_names
from mlflow_interp.kinds.confusion_matrix import from_predictions, input_predictions
from mlflow_interp.kinds.confusion_matrix.accumulator import Accumulator
from mlflow_interp.kinds.confusion_matrix.predictions import decide

RNG = np.random.default_rng(0)
PROBABILITIES = RNG.dirichlet(np.ones(3), 20).astype(np.float32)
LABELS = RNG.integers(0, 3, 20)


def test_each_input_has_its_label_prediction_and_probability():
    found = from_predictions(LABELS, PROBABILITIES, class_names=["=ant", "bee", "cat"]).by_input
    np.testing.assert_array_equal(found.indices, np.arange(20))
    np.testing.assert_array_equal(found.labels, LABELS)
    np.testing.assert_array_equal(found.predicted, PROBABILITIES.argmax(axis=1))
    np.testing.assert_array_equal(found.confidences, PROBABILITIES.max(axis=1))


def test_a_binary_prediction_has_the_probability_of_its_class():
    found = from_predictions([0, 1, 0], [0.2, 0.9, 0.75], threshold=0.8).by_input
    assert found.predicted.tolist() == [0, 1, 0]
    np.testing.assert_allclose(found.confidences, [0.8, 0.9, 0.25], rtol=1e-6)


def test_given_classes_have_no_probability():
    result = from_predictions([0, 1, 1], [0, 1, 0])
    assert result.by_input.confidences is None
    assert list(result.tables()["predictions.csv"]) == ["input", "label", "predicted", "correct"]


def test_inputs_without_a_label_are_left_out():
    found = from_predictions([0, -1, 2], PROBABILITIES[:3], ignore_label=2).by_input
    assert found.indices.tolist() == [0]


@pytest.mark.parametrize(
    ("labels", "predictions"),
    [([[1, 0], [1, 1]], [[0.9, 0.8], [0.1, 0.9]]), (np.full((2, 4), 2), np.full((2, 4), 3))],
    ids=["several labels", "positions"],
)
def test_none_are_kept_of_several_labels_or_positions(labels, predictions):
    result = from_predictions(labels, predictions)
    assert result.by_input is None
    assert "predictions.csv" not in result.tables()


def accumulated(chunks):
    found = Accumulator(3, multi_label=False, class_names=None)
    for rows in chunks:
        rows = np.asarray(rows)
        chunk = Chunk(rows, position_names(rows), rows, LABELS[rows], None)
        found.add(chunk, decide(PROBABILITIES[rows], "softmax", 0.5))
    return found


def test_the_order_of_chunks_and_parts_does_not_matter():
    first, second = accumulated([[12, 13], [0, 1, 2]]), accumulated([range(3, 12), range(14, 20)])
    second.merge(first)
    found, whole = second.by_input.result(), accumulated([range(20)]).by_input.result()
    assert found.names == whole.names == position_names(np.arange(20))
    for name, array in whole.arrays().items():
        np.testing.assert_array_equal(found.arrays()[name], array)


@pytest.mark.parametrize(("most", "kept"), [(20, True), (19, False), (11, False)])
def test_none_are_kept_of_too_many_inputs(monkeypatch, most, kept):
    """Whether one part or all parts together have too many."""
    monkeypatch.setattr(input_predictions, "MOST_INPUTS", most)
    first, second = accumulated([range(12)]), accumulated([range(12, 20)])
    first.merge(second)
    assert (first.by_input.result() is not None) == kept
    assert (accumulated([range(20)]).by_input.result() is not None) == kept
    assert first.counter.counts.sum() == 20


@pytest.mark.filterwarnings("ignore::mlflow_interp.exceptions.InterpretationWarning")
def test_predictions_of_a_logged_run_are_those_of_keras(store, tiny_cnn, pixels):
    labels = np.arange(len(pixels)) % 3
    logged = mlflow_interp.visualize_confusion_matrix(
        tiny_cnn, pixels, labels=labels, class_names=["=ant", "bee", "cat"], quiet=True
    )
    probabilities = tiny_cnn.predict(pixels, verbose=0)
    path = f"runs:/{logged.run_id}/{logged.artifact_path}"
    table = pd.read_csv(io.StringIO(mlflow.artifacts.load_text(f"{path}/predictions.csv")))
    names = np.array(["'=ant", "bee", "cat"])  # no spreadsheet takes it for a formula
    predicted = probabilities.argmax(axis=1)
    assert table["input"].tolist() == [f"#{at}" for at in range(len(pixels))]
    assert table["label"].tolist() == names[labels].tolist()
    assert table["predicted"].tolist() == names[predicted].tolist()
    assert table["correct"].tolist() == (labels == predicted).tolist()
    np.testing.assert_allclose(table["probability"], probabilities.max(axis=1), rtol=1e-5)
    found = mlflow_interp.load(path).by_input
    np.testing.assert_array_equal(found.predicted, predicted)
    np.testing.assert_array_equal(found.labels, labels)
    np.testing.assert_allclose(found.confidences, probabilities.max(axis=1), rtol=1e-5)
    assert found.names == logged.by_input.names
