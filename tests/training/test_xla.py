"""Trainings that XLA compiles, as Keras does by itself where there is a GPU: captured, and left unchanged."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import mlflow_interp
from tests.training.small import artifact_names, only_run
from tests.training.test_uncaptured import classifier, dataset

BATCHES = 3  # of 16, 16 and 8 inputs


def history(model, images, validation):
    return model.fit(dataset(images), validation_data=validation, epochs=2, verbose=0, shuffle=False).history


@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_training_is_the_same_bit_for_bit(steps_per_execution, images, logged_warnings):
    bare, tapped = (classifier(jit_compile=True, steps_per_execution=steps_per_execution) for _ in range(2))
    expected = history(bare, images, dataset(images))
    mlflow_interp.autolog(methods="confusion_matrix")
    assert history(tapped, images, dataset(images)) == expected
    pairs = zip(bare.get_weights(), tapped.get_weights(), strict=True)
    assert all(np.array_equal(mine, other) for mine, other in pairs)
    metrics = only_run().data.metrics
    assert metrics["interpretations/confusion_matrix/inputs"] == len(images[0])
    assert metrics["interpretations/confusion_matrix/accuracy"] == pytest.approx(expected["val_accuracy"][-1])
    assert not logged_warnings()


def test_labels_weights_and_probabilities_are_those_of_the_pass(images):
    from mlflow_interp.backend.validation_tap import ValidationTap

    model, captured = classifier(jit_compile=True), []
    tap = ValidationTap(model, lambda batch: captured.append((*map(np.array, _columns(batch)),)))
    weights = np.linspace(0.5, 1.5, len(images[0]), dtype=np.float32)
    weighted = tf.data.Dataset.from_tensor_slices((*images, weights)).batch(16)
    model.evaluate(weighted, verbose=0, callbacks=[_Opens(tap)])
    compiled = model.test_function
    inputs, labels, probabilities, given = map(np.concatenate, zip(*captured, strict=True))
    assert len(captured) == BATCHES
    assert np.array_equal(inputs, images[0])
    assert np.array_equal(labels, images[1])
    assert np.array_equal(given, weights)
    assert np.allclose(probabilities, model.predict(images[0], verbose=0), atol=1e-6)
    tap.restore()
    model.evaluate(weighted, verbose=0)
    assert len(captured) == BATCHES
    assert model.test_function is compiled  # nothing has to be compiled again


def test_pass_of_which_a_part_failed_is_not_counted(images, logged_warnings, monkeypatch):
    """A GPU may have memory for the validation, but not for one more pass."""
    from mlflow_interp.backend.validation_tap import ValidationTap

    calls, predict = [], ValidationTap._predict

    def failing(self, batch):
        calls.append(len(batch[0]))
        if len(calls) == 2:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")
        predict(self, batch)

    monkeypatch.setattr(ValidationTap, "_predict", failing)
    bare, tapped = classifier(jit_compile=True), classifier(jit_compile=True)
    expected = bare.fit(*images, validation_data=dataset(images), epochs=1, verbose=0).history
    mlflow_interp.autolog(methods="confusion_matrix")
    assert tapped.fit(*images, validation_data=dataset(images), epochs=1, verbose=0).history == expected
    assert calls == [16, 16]
    assert not artifact_names(only_run())
    assert any("OOM when allocating" in line and line.endswith("pass data=") for line in logged_warnings())


def test_errors_of_the_data_are_those_of_keras(images):
    def broken():
        yield images[0][:16], images[1][:16]
        raise ValueError("file 17 is damaged")

    spec = tf.TensorSpec([None, 8, 8, 1], tf.float32), tf.TensorSpec([None], tf.int64)
    data = tf.data.Dataset.from_generator(broken, output_signature=spec)
    errors = []
    for options in ({"disable": True}, {"methods": "confusion_matrix"}):
        mlflow_interp.autolog(**options)
        with pytest.raises(tf.errors.OpError, match="file 17 is damaged") as caught:
            classifier(jit_compile=True).fit(*images, validation_data=data, verbose=0)
        errors.append(type(caught.value))
    assert errors[0] is errors[1]


def _columns(batch):
    return batch.inputs, batch.labels, batch.probabilities, batch.weights


class _Opens(keras.callbacks.Callback):
    """Opens a tap for a validation pass, as a session does."""

    def __init__(self, tap):
        super().__init__()
        self.tap = tap

    def on_test_begin(self, logs=None):
        self.tap.open()

    def on_test_end(self, logs=None):
        self.tap.close()
