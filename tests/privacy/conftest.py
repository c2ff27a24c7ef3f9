"""Images that nothing else looks like, and a store for each test's runs."""

from __future__ import annotations

import os

import mlflow
import numpy as np
import pytest

from tests.privacy.leaks import patterns
from tests.privacy.small import make_model


@pytest.fixture(scope="session")
def model():
    return make_model()


@pytest.fixture(scope="session")
def model_file(model, tmp_path_factory):
    file = tmp_path_factory.mktemp("model") / "private.keras"
    model.save(file)
    return file


@pytest.fixture(scope="session")
def images():
    """Eight images of noise in two colours, (8, 32, 32, 3) uint8."""
    return patterns(8)


@pytest.fixture(scope="session")
def labels():
    return np.array([0, 1] * 4)


@pytest.fixture(scope="session")
def photos(images, labels, tmp_path_factory):
    """The same images as files, in a folder for each class."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("photos")
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = folder / "ab"[label]
        place.mkdir(exist_ok=True)
        Image.fromarray(image).save(place / f"{index}.png")
    return folder


@pytest.fixture
def logged(tmp_path, store):
    """The folder of the artifacts of an experiment of the test's own."""
    mlflow.set_tracking_uri(store)
    folder = tmp_path / "artifacts"
    mlflow.create_experiment(tmp_path.name, artifact_location=folder.as_uri())
    mlflow.set_experiment(tmp_path.name)
    yield folder
    mlflow.tracking.fluent._active_experiment_id = None
    os.environ.pop("MLFLOW_EXPERIMENT_ID", None)
