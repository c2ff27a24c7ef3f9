"""Inputs followed over the epochs of a training: wrong labels are found, whatever the order of the data."""

from __future__ import annotations

import keras
import mlflow
import numpy as np
import pytest
import tensorflow as tf

import mlflow_interp
from examples import train_digits
from mlflow_interp import InterpretationCallback
from tests.training.small import artifact_names, only_run


def loaded(folder="training_dynamics"):
    return mlflow_interp.load(f"runs:/{only_run().info.run_id}/interpretations/{folder}")


def test_wrong_labels_of_training_data_are_listed_first():
    pixels, labels = train_digits.digits()
    pixels, labels = pixels[:1000], labels[:1000]
    rng = np.random.default_rng(1)
    flipped = rng.choice(1000, 50, replace=False)
    noisy = labels.copy()
    noisy[flipped] = (labels[flipped] + rng.integers(1, 10, 50)) % 10
    keras.utils.set_random_seed(0)
    callback = InterpretationCallback("training_dynamics", data=(pixels, noisy), samples=1000)
    with mlflow.start_run():
        train_digits.network().fit(pixels, noisy, epochs=4, verbose=0, callbacks=[callback])
    result = loaded().result
    first = set(result.examples.indices[:100].tolist())
    found = np.mean([index in first for index in flipped.tolist()])
    assert found >= 0.8
    assert result.epochs == (0, 1, 2, 3)
    assert result.history.seen.tolist() == [4] * len(result.examples)
    names = artifact_names(only_run(), "interpretations/training_dynamics")
    assert {"figure.html", "figure.png", "figure.svg", "epoch-0000", "epoch-0003", "manifest.json"} <= {
        *names
    }
    epoch = artifact_names(only_run(), "interpretations/training_dynamics/epoch-0003")
    assert {"arrays.npz", "class_accuracy.csv", "predictions.json", "figure.png"} <= {*epoch}
    assert only_run().data.metrics["interpretations/training_dynamics/inputs"] == 1000
    earlier = loaded("training_dynamics/epoch-0000").result
    assert earlier.epochs == (0,)


@pytest.mark.parametrize("augmented", [False, True])
def test_a_shuffled_validation_dataset_is_followed_and_an_augmented_one_is_not(
    small, images, logged_warnings, augmented
):
    inputs, labels = images
    data = tf.data.Dataset.from_tensor_slices(images).shuffle(40).batch(16)
    if augmented:
        data = data.map(lambda pixels, labels: (pixels + tf.random.uniform(tf.shape(pixels)), labels))
    probabilities = []
    after_epoch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: probabilities.append(small.predict(inputs, verbose=0))
    )
    callbacks = [InterpretationCallback("training_dynamics"), after_epoch]
    with mlflow.start_run():
        small.fit(inputs, labels, epochs=3, verbose=0, validation_data=data, callbacks=callbacks)
    result = loaded().result
    warnings = [text for text in logged_warnings() if "followed" in text]
    assert len(warnings) == (1 if augmented else 0)
    assert set(result.history.seen.tolist()) == ({1} if augmented else {3})
    accuracy = (probabilities[-1].argmax(axis=1) == labels).mean()
    if not augmented:
        assert result.metrics()["accuracy"] == pytest.approx(accuracy)
        of_label = np.stack(probabilities)[:, np.arange(40), labels]
        expected = np.sort(of_label.mean(axis=0))
        np.testing.assert_allclose(result.history.means, expected, atol=1e-4)


def test_images_are_not_logged_if_they_are_private(small, images):
    callback = InterpretationCallback("training_dynamics", log_images=False)
    with mlflow.start_run():
        small.fit(*images, epochs=1, verbose=0, validation_data=images, callbacks=[callback])
    result = loaded().result
    assert result.pictures is None
    assert result.examples.images is None
    assert len(result.examples) == 40
