"""A folder of images as data=: prepared as stated by the options, which the manifest records."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import mlflow
import numpy as np
import pytest
from PIL import Image

from mlflow_interp import InterpretationCallback
from tests.training.small import only_run

AS_KERAS_LOADS = {"preprocess": "0..1", "resize": "stretch", "interpolation": "tf-bilinear"}


@pytest.fixture
def folder(tmp_path):
    """Forty noisy images of another size than the model's input, half of them bright, in class folders."""
    rng = np.random.default_rng(0)
    for index in range(40):
        name = ("bright", "dark")[index % 2]
        (tmp_path / "photos" / name).mkdir(parents=True, exist_ok=True)
        level = 70 + 60 * (index % 2 == 0)
        pixels = np.clip(rng.normal(level, 60, (11, 14)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{index}.png")
    return tmp_path / "photos"


def dataset_of(folder):
    data = keras.utils.image_dataset_from_directory(
        folder, color_mode="grayscale", image_size=(8, 8), batch_size=8, verbose=0, shuffle=False
    )
    return data.map(lambda images, labels: (images / 255, labels))


@pytest.mark.parametrize("given_for", ["the training", "a method"])
def test_images_are_prepared_as_stated(small, folder, logged_warnings, given_for):
    methods = {"gradcam": AS_KERAS_LOADS if given_for == "a method" else {}, "confusion_matrix": {}}
    options = AS_KERAS_LOADS if given_for == "the training" else {}
    callback = InterpretationCallback(methods, data=str(folder), **options)
    data = dataset_of(folder)
    small.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"])
    with mlflow.start_run():
        small.fit(data, epochs=4, verbose=0, shuffle=False, callbacks=[callback])
    assert not [text for text in logged_warnings() if "resize" in text or "preprocess" in text]
    run = only_run()
    _, accuracy = small.evaluate(data, verbose=0)
    assert 0.5 < accuracy <= 1
    assert run.data.metrics["interpretations/gradcam/accuracy"] == pytest.approx(accuracy)
    probabilities = small.predict(data, verbose=0).max(axis=1)
    shown = run.data.metrics["interpretations/gradcam/target_probability"]
    assert shown == pytest.approx(probabilities.mean(), abs=1e-5)
    path = mlflow.artifacts.download_artifacts(
        run_id=run.info.run_id, artifact_path="interpretations/gradcam/epoch-0003/manifest.json"
    )
    parameters = json.loads(Path(path).read_text())["parameters"]
    assert {name: parameters[name] for name in AS_KERAS_LOADS} == AS_KERAS_LOADS


def test_without_options_a_guess_gives_a_warning(small, folder, logged_warnings):
    data = dataset_of(folder)
    with mlflow.start_run():
        callbacks = [InterpretationCallback(["gradcam"], data=str(folder))]
        small.fit(data, epochs=1, verbose=0, shuffle=False, callbacks=callbacks)
    (warning,) = [text for text in logged_warnings() if "interpolation" in text]
    assert "Pass resize=" in warning
