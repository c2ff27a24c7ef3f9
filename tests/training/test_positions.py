"""Training models with classes for tokens and pixels, and regressions: what the validation pass counts."""

from __future__ import annotations

import keras
import mlflow
import numpy as np
import pytest
import tensorflow as tf

import mlflow_interp
from tests.training.small import artifact_names, only_run

layers = keras.layers
RNG = np.random.default_rng(0)
TEXTS = np.concatenate([RNG.integers(1, 9, (24, 4)), RNG.integers(0, 9, (24, 3))], axis=1)
TAGS = RNG.integers(0, 4, TEXTS.shape)
IMAGES = RNG.random((24, 8, 8, 1), dtype=np.float32)
MASKS = (IMAGES[..., 0] > 0.5).astype(np.uint8)


def tagger():
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [
            keras.Input((TEXTS.shape[1],)),
            layers.Embedding(9, 5, mask_zero=True),
            layers.LSTM(5, return_sequences=True),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
    return model


def segmenter(units=1):
    keras.utils.set_random_seed(2)
    activation = "sigmoid" if units == 1 else "softmax"
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(3, 3, padding="same", activation="relu", name="conv"),
            layers.Conv2D(units, 1, activation=activation),
        ]
    )
    loss = "binary_crossentropy" if units == 1 else "sparse_categorical_crossentropy"
    model.compile("adam", loss, weighted_metrics=["accuracy"])
    return model


WEIGHTS = RNG.random(TAGS.shape).astype(np.float32)
TRAININGS = {
    "tokens": (tagger, TEXTS, TAGS, None),
    "weighted tokens": (tagger, TEXTS, TAGS, WEIGHTS),
    "pixels": (segmenter, IMAGES, MASKS[..., np.newaxis], None),
    "integer pixels": (lambda: segmenter(2), IMAGES, MASKS, None),
}


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("name", TRAININGS)
def test_accuracy_over_positions_equals_keras(name, in_memory, logged_warnings):
    make, inputs, labels, weights = TRAININGS[name]
    model = make()
    validation = (inputs, labels) if weights is None else (inputs, labels, weights)
    data = validation if in_memory else tf.data.Dataset.from_tensor_slices(validation).batch(10)
    mlflow_interp.autolog(methods="confusion_matrix")
    fitted = model.fit(inputs, labels, epochs=2, verbose=0, validation_data=data)
    metrics = only_run().data.metrics
    found = metrics["interpretations/confusion_matrix/accuracy"]
    assert found == pytest.approx(fitted.history["val_accuracy"][-1], abs=1e-6)
    expected = (TEXTS > 0).sum() if make is tagger else MASKS.size
    assert metrics["interpretations/confusion_matrix/positions"] == expected
    assert not [line for line in logged_warnings() if "without" in line or "ignored" in line]


def test_masks_do_not_affect_other_methods():
    model = segmenter(2)
    mlflow_interp.autolog(methods="gradcam,confusion_matrix", samples=8)
    model.fit(IMAGES, MASKS, epochs=1, verbose=0, validation_data=(IMAGES, MASKS))
    run = only_run()
    assert artifact_names(run) == ["confusion_matrix", "gradcam", "index.html"]
    assert run.data.metrics["interpretations/gradcam/inputs"] == 8
    assert "interpretations/gradcam/accuracy" not in run.data.metrics


def test_masks_in_memory_are_counted_if_the_pass_is_not_captured():
    model = segmenter(2)
    model.compile("adam", "sparse_categorical_crossentropy", weighted_metrics=["accuracy"], run_eagerly=True)
    mlflow_interp.autolog(methods="confusion_matrix")
    fitted = model.fit(IMAGES, MASKS, epochs=1, verbose=0, validation_data=(IMAGES, MASKS))
    found = only_run().data.metrics["interpretations/confusion_matrix/accuracy"]
    assert found == pytest.approx(fitted.history["val_accuracy"][-1], abs=1e-6)


def test_targets_of_a_regression_stay_with_their_inputs(logged_warnings):
    keras.utils.set_random_seed(2)
    features = [layers.Conv2D(3, 3, activation="relu", name="conv"), layers.GlobalAveragePooling2D()]
    model = keras.Sequential([keras.Input((8, 8, 1)), *features, layers.Dense(1)])
    model.compile("adam", "mse")
    targets = IMAGES.mean(axis=(1, 2, 3)) * 10
    mlflow_interp.autolog(methods="gradcam", samples=24)
    model.fit(IMAGES, targets, epochs=1, verbose=0, validation_data=(IMAGES, targets))
    run = only_run()
    found = mlflow_interp.load(f"runs:/{run.info.run_id}/interpretations/gradcam/epoch-0000")
    examples = found.examples
    np.testing.assert_allclose(examples.true_values[:, 0], targets[examples.indices], rtol=1e-6)
    np.testing.assert_allclose(examples.probabilities, model.predict(IMAGES, verbose=0), atol=1e-5)
    assert (
        mlflow.MlflowClient()
        .get_run(run.info.run_id)
        .data.metrics.keys()
        .isdisjoint({"interpretations/gradcam/accuracy", "interpretations/gradcam/target_probability"})
    )
    assert not logged_warnings()
