"""Counts of a validation pass, batch by batch, compared with counts by hand."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from mlflow_interp.backend.validation_tap import ValidationBatch
from mlflow_interp.models.load import load_model
from mlflow_interp.training.validation_pass import ValidationPass

PREDICTED = np.array([0, 1, 1, 0, 1, 1, 0])
LABELS = np.array([0, 1, 0, -1, 1, 0, 1])


@pytest.fixture
def counted(small):
    """A function that passes seven inputs in batches of three; returns the part, and what was given up."""

    def count(options=(), *, in_order=True, labels=LABELS, weights=None, passes=1):
        failures = []
        loaded = load_model(small)
        validation = ValidationPass(
            {"confusion_matrix": dict(options)},
            None,
            lambda: loaded,
            lambda names, error: failures.append((list(names), str(error))),
            in_order=in_order,
        )
        for _ in range(passes):
            validation.begin()
            for start in range(0, 7, 3):
                rows = slice(start, start + 3)
                probabilities = np.eye(2, dtype=np.float32)[PREDICTED[rows]]
                inputs = np.full((len(probabilities), 8, 8, 1), start, np.float32)
                batch_weights = None if weights is None else weights[rows]
                validation.add(ValidationBatch(inputs, labels[rows], probabilities, batch_weights), "softmax")
        parts, provenance = validation.parts(loaded)
        assert validation.parts(loaded) is None
        return parts, provenance, failures

    return count


def test_inputs_without_a_label_are_left_out(counted):
    parts, provenance, failures = counted()
    result = pickle.loads(pickle.dumps(parts["confusion_matrix"])).result()
    assert not failures
    assert result.counts.tolist() == [[1, 2], [1, 2]]
    assert result.unlabelled == 1
    assert (provenance.inputs["count"], provenance.inputs["names"]) == (
        7,
        [f"#{index}" for index in range(7)],
    )


def test_errors_have_their_position_in_the_whole_pass(counted):
    parts, _, _ = counted()
    examples = parts["confusion_matrix"].result().examples
    assert sorted(examples.indices.tolist()) == [2, 5, 6]
    assert sorted(examples.names) == ["#2", "#5", "#6"]


def test_sample_weight_is_matched_by_order(counted):
    weights = np.arange(1.0, 8.0)
    parts, _, failures = counted({"sample_weight": weights})
    assert not failures
    assert parts["confusion_matrix"].result().weighted.tolist() == [[1, 3 + 6], [7, 2 + 5]]


def test_predictions_replace_those_of_the_model(counted):
    parts, _, _ = counted({"predictions": np.zeros(7, int)})
    assert parts["confusion_matrix"].result().counts.tolist() == [[3, 0], [3, 0]]


def test_weights_of_the_validation_data_are_used(counted):
    parts, _, _ = counted(weights=np.arange(1.0, 8.0))
    assert parts["confusion_matrix"].result().weighted.tolist() == [[1, 9], [7, 7]]


def test_values_for_each_input_need_an_order(counted):
    parts, _, failures = counted({"sample_weight": np.ones(7)}, in_order=False)
    assert not parts
    ((names, reason),) = failures
    assert names == ["confusion_matrix"]
    assert "the order of a validation dataset is not known" in reason


def test_too_few_weights_are_rejected(counted):
    _, _, failures = counted({"sample_weight": np.ones(4)})
    assert "there are 4 weights for 6 or more inputs of the validation data" in failures[0][1]


def test_each_pass_starts_again(counted):
    once, twice = (counted(passes=passes)[0]["confusion_matrix"].result() for passes in (1, 2))
    assert once.counts.tolist() == twice.counts.tolist()
