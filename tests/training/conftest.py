"""A model that trains in a second, and a separate store for each test's runs."""

from __future__ import annotations

import contextlib
import logging
from unittest import mock

import mlflow
import numpy as np
import pytest
from mlflow.utils.autologging_utils import AUTOLOGGING_INTEGRATIONS

from tests.training.small import make_small


@pytest.fixture(autouse=True)
def separate_experiment(tmp_path, store):
    """Each test uses a separate experiment, with autologging off before and after."""
    mlflow.set_tracking_uri(store)
    name = tmp_path.name
    mlflow.create_experiment(name, artifact_location=(tmp_path / "artifacts").as_uri())
    mlflow.set_experiment(name)
    with mock.patch.dict(AUTOLOGGING_INTEGRATIONS):  # any test may call `mlflow.autolog(disable=True)`
        yield
    import mlflow_interp

    mlflow_interp.autolog(disable=True)
    mlflow.tensorflow.autolog(disable=True)
    mlflow.keras.autolog(disable=True)
    while mlflow.active_run() is not None:
        mlflow.end_run()
    mlflow.tracking.fluent._active_experiment_id = None
    with contextlib.suppress(KeyError):
        import os

        del os.environ["MLFLOW_EXPERIMENT_ID"]


@pytest.fixture
def images():
    """Forty bright and dark 8×8 images, and their labels."""
    generator = np.random.default_rng(5)
    labels = np.arange(40) % 2
    inputs = generator.random((40, 8, 8, 1), dtype=np.float32) * 0.5 + labels[:, None, None, None] * 0.5
    return inputs.astype(np.float32), labels


@pytest.fixture
def small():
    """A compiled network with dropout and the same weights each time."""
    return make_small()


@pytest.fixture
def logged_warnings(caplog):
    """A function that returns the package's warnings."""
    caplog.set_level(logging.WARNING, logger="mlflow_interp")
    return lambda: [each.getMessage() for each in caplog.records if each.name == "mlflow_interp"]
