"""Randomly built models in training: logged values after an epoch equal those measured by Keras."""

from __future__ import annotations

import mlflow
import numpy as np
import pytest
import tensorflow as tf

from mlflow_interp import InterpretationCallback
from tests.training.small import artifact_names, only_run
from tests.walked_models import Recipe, build

RECIPES = [
    Recipe("colour", "softmax", 1),
    Recipe("pair", "one logit", 2, "nested"),
    Recipe("tokens", "several labels", 3),
    Recipe("signal", "values", 4, "subclassed"),
    Recipe("image and table", "logits", 5),
    Recipe("table", "sigmoid, then reshaped", 6),
    Recipe("volume", "softmax, then reshaped", 7, form="one-hot"),
    Recipe("recurrent", "value", 8),
]


@pytest.mark.parametrize("container", ["arrays", "dataset"])
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: f"{recipe.body}, {recipe.head}")
def test_logged_values_after_an_epoch_equal_keras(recipe, container):
    walked = build(recipe)
    inputs, labels = walked.body.arrays, walked.truth
    if recipe.form == "one-hot":
        labels = np.eye(walked.kind.outputs, dtype=np.float32)[walked.truth]
        walked.model.compile(loss="categorical_crossentropy", metrics=["accuracy"])
    labels = labels.reshape(len(labels), -1) if walked.kind.outputs == 1 else labels
    data = (inputs, labels)
    validation = tf.data.Dataset.from_tensor_slices(data).batch(4) if container == "dataset" else data
    callback = InterpretationCallback(
        {"gradcam": {}, "umap": {"n_neighbors": 3, "n_epochs": 10}, "confusion_matrix": {}}
    )
    with mlflow.start_run():
        walked.model.fit(
            inputs, labels, epochs=1, verbose=0, validation_data=validation, callbacks=[callback]
        )
    run = only_run()
    found = {name.removeprefix("interpretations/"): value for name, value in run.data.metrics.items()}
    methods = set(artifact_names(run))
    has_classes = walked.kind.labels != "value"
    assert "umap" in methods
    assert ("gradcam" in methods) == bool(walked.body.features)
    assert ("confusion_matrix" in methods) == has_classes
    probabilities = walked.probabilities  # of the weights after the epoch, since the layers are the same
    if "gradcam" in methods:
        name = "target_probability" if has_classes else "target_value"
        assert found[f"gradcam/{name}"] == pytest.approx(probabilities.max(axis=1).mean(), abs=1e-5)
    measured = {name.partition("/")[0]: value for name, value in found.items() if name.endswith("/accuracy")}
    if walked.kind.labels == "class":
        metrics = walked.model.evaluate(*data, verbose=0, return_dict=True)
        assert set(measured) == methods & {"gradcam", "umap", "confusion_matrix"}
        assert all(value == pytest.approx(metrics["accuracy"], abs=1e-6) for value in measured.values())
    elif has_classes:
        right = ((probabilities >= 0.5) == walked.truth).all(axis=1).mean()
        assert measured == {"confusion_matrix": pytest.approx(right, abs=1e-6)}
    else:
        assert measured == {}
