"""An MLflow server with user accounts, and what one of its users may read, log to, or not even see."""

from __future__ import annotations

import os
import tempfile
from types import SimpleNamespace
from unittest import mock

import keras
import mlflow
import numpy as np
import pytest

from docs.pictures import served

ADMIN = ("admin", "the-password-of-admin")
READER = ("reader", "the-password-of-reader")  # this user may read everything by default unless denied
_VARIABLES = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")


def credentials(user):
    """The environment variables of a user; those without credentials for None."""
    return {} if user is None else dict(zip(_VARIABLES, user, strict=False))


@pytest.fixture(scope="package")
def auth_server(tmp_path_factory):
    """The server: `uri`, ids of `experiments` (team, own, secret) and of `runs` (in team and secret)."""
    folder = tmp_path_factory.mktemp("auth_server")
    (folder / "auth.ini").write_text(
        "[mlflow]\n"
        "default_permission = READ\n"
        f"database_uri = sqlite:///{folder / 'auth.db'}\n"
        f"admin_username = {ADMIN[0]}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        "auth_cache_ttl_seconds = 600\n"  # avoids hashing the password on every request
    )
    settings = {
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
        "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN[1],
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "of the tests",
    }
    store = f"sqlite:///{folder / 'mlflow.db'}"
    before = mlflow.get_tracking_uri()
    with served(store, artifacts=folder / "artifacts", app="basic-auth", settings=settings) as uri:
        with mock.patch.dict(os.environ, credentials(ADMIN)):
            mlflow.set_tracking_uri(uri)
            filled = _fill(uri)
        mlflow.set_tracking_uri(before)
        yield filled


def _fill(uri):
    from mlflow.server import get_app_client

    users = get_app_client("basic-auth", uri)
    users.create_user(*READER)
    ids = {name: mlflow.create_experiment(name) for name in ("team", "own", "secret")}
    runs = {name: _log(name, ids[name]) for name in ("team", "secret")}
    users.grant_user_permission("reader", "experiment", ids["own"], "EDIT")
    users.grant_user_permission("reader", "experiment", ids["secret"], "DENY")
    users.grant_user_permission("reader", "registered_model", "secret", "DENY")
    return SimpleNamespace(uri=uri, users=users, experiments=ids, runs=runs)


def _log(name, experiment):
    """Log a run with a registered model and an array as artifacts; return its id."""
    keras.utils.set_random_seed(7)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, activation="relu", bias_initializer="ones", name="conv"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    with mlflow.start_run(experiment_id=experiment) as run:
        mlflow.keras.log_model(
            model,
            name="model",
            registered_model_name=name,
            pip_requirements=["keras"],
            metadata={"preprocess": "0..1"},
        )
        with tempfile.TemporaryDirectory() as folder:
            np.save(f"{folder}/inputs.npy", np.zeros((2, 8, 8, 3), np.float32))
            mlflow.log_artifact(f"{folder}/inputs.npy")
    return run.info.run_id


@pytest.fixture
def as_user(auth_server, monkeypatch):
    """A function that sets this process's credentials to those of a user, or removes them."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(auth_server.uri)

    def become(user):
        for name in _VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name, value in credentials(user).items():
            monkeypatch.setenv(name, value)

    yield become
    mlflow.set_tracking_uri(before)
