"""Missing permissions: reported in one line before anything is loaded, and the suggested remedy works."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import mlflow
import numpy as np
import pytest

import mlflow_interp
from mlflow_interp.exceptions import InterpretationWarning, TrackingError
from tests.access.conftest import ADMIN, READER, credentials

#: Runs commands in a new interpreter, each with its own environment, and prints after each what was
#: imported.
SCRIPT = """
import json, os, sys
from click.testing import CliRunner
from mlflow_interp.cli import main
for environment, args in json.loads(sys.stdin.read()):
    done = CliRunner(env=environment).invoke(main, args)
    loaded = [name for name in ("tensorflow", "keras") if name in sys.modules]
    print(json.dumps([done.exit_code, done.stdout, done.stderr, loaded]))
"""
VARIABLES = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
WRONG = ("admin", "not-the-password")
LOCAL = ["gradcam", "here.keras", "PHOTOS"]
PROXIED = "mlflow-artifacts:/ID/SECRET/artifacts/inputs.npy"
CASES = [
    (None, LOCAL, f"requires a user and a password, but neither is given; {VARIABLES}"),
    (WRONG, LOCAL, f"does not accept user 'admin' with the given password; {VARIABLES}"),
    (("admin",), LOCAL, f"but only one of them is given; {VARIABLES}"),
    (None, ["gradcam", "models:/team/1", "PHOTOS", "--no-log", "--json"], "but neither is given"),
    (None, ["gradcam", "here.keras", "runs:/TEAM/inputs.npy", "--no-log", "--json"], "but neither is given"),
    (None, ["layers", "models:/team/1"], "but neither is given"),
    (READER, LOCAL, "user 'reader' may not log to 'experiment Default' on "),
    (READER, [*LOCAL, "--experiment", "team"],
     "; ask an administrator for EDIT permission on it (now READ), or name another experiment"),
    (READER, ["gradcam", "models:/team/1", "PHOTOS"], "may not log to 'experiment team' on "),
    (READER, [*LOCAL, "--run-id", "TEAM"], "may not log to 'experiment team' on "),
    (READER, [*LOCAL, "--experiment", "secret"], "may not read 'experiment secret' on "),
    (READER, ["gradcam", "models:/secret/1", "PHOTOS", "--experiment", "own"],
     "; check its name, or ask an administrator for READ permission on it"),
    (READER, ["gradcam", "here.keras", "runs:/SECRET/inputs.npy", "--experiment", "own"],
     "user 'reader' may not read 'runs:/SECRET/inputs.npy' on "),
    (READER, ["gradcam", "here.keras", PROXIED, "--experiment", "own"], f"may not read '{PROXIED}' on "),
    (READER, ["layers", "models:/secret/1"], "user 'reader' may not read 'models:/secret/1' on "),
]  # fmt: skip


def environment_of(user, uri):
    return {"MLFLOW_TRACKING_URI": uri} | dict.fromkeys(credentials(("", ""))) | credentials(user)


def test_missing_permission_is_reported_before_tensorflow_is_imported(auth_server, photos, monkeypatch):
    monkeypatch.chdir(photos.parent)
    (photos.parent / "here.keras").write_bytes(b"never read")
    names = {
        "PHOTOS": str(photos),
        "TEAM": auth_server.runs["team"],
        "SECRET": auth_server.runs["secret"],
        "ID": auth_server.experiments["secret"],
    }

    def filled(text):
        for name, value in names.items():
            text = text.replace(name, value)
        return text

    commands = [(environment_of(user, auth_server.uri), list(map(filled, args))) for user, args, _ in CASES]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], input=json.dumps(commands), capture_output=True, text=True, check=True
    )
    answers = map(json.loads, done.stdout.splitlines())
    for (_, args, message), (code, _, stderr, loaded) in zip(CASES, answers, strict=True):
        assert code == 2, (args, stderr)
        (line,) = [each for each in stderr.splitlines() if not each.startswith("Downloading")]
        assert filled(message) in line, args
        assert auth_server.uri in line, args
        assert loaded == [], args


def test_credentials_in_the_suggested_variables_work(auth_server, photos):
    """For a user who may read the model and write to her own experiment."""
    command = [sys.executable, "-m", "mlflow_interp", "gradcam", "models:/team/1", str(photos), "--json"]
    done = subprocess.run(
        [*command, "--experiment", "own"],
        env=os.environ | {"MLFLOW_TRACKING_URI": auth_server.uri} | credentials(READER),
        capture_output=True,
        text=True,
        check=False,
    )
    outcome = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert outcome["model"]["uri"] == "models:/team/1"
    assert [each for each in outcome["warnings"] if "the model could not be tagged" in each]


@pytest.fixture
def forbid_loading(monkeypatch):
    """Fail if a model is loaded."""
    monkeypatch.setattr("mlflow_interp.models.keras_files.read", lambda *_, **__: pytest.fail("loaded"))


def test_python_call_is_rejected_before_the_model_is_loaded(auth_server, as_user, forbid_loading, pixels):
    as_user(None)
    with pytest.raises(TrackingError, match="neither is given; set MLFLOW_TRACKING_USERNAME"):
        mlflow_interp.visualize_gradcam("models:/team/1", pixels, log=False)
    as_user(WRONG)
    with pytest.raises(TrackingError, match="user 'admin' with the given password"):
        mlflow_interp.visualize_gradcam("models:/team/1", pixels, experiment="own")
    as_user(READER)
    with pytest.raises(TrackingError, match=r"may not log to 'experiment team' .* EDIT permission on it"):
        mlflow_interp.visualize_gradcam("models:/team/1", pixels)
    with pytest.raises(TrackingError, match="may not log to 'experiment team'"):
        mlflow_interp.visualize_gradcam("models:/team/1", pixels, run_id=auth_server.runs["team"])


def test_suggested_permission_is_sufficient(auth_server, as_user, tiny_cnn, pixels):
    """With EDIT permission on the experiment, as the message suggests, results are logged there."""
    as_user(ADMIN)
    experiment = mlflow.create_experiment("asked for")
    as_user(READER)
    with pytest.raises(TrackingError, match=r"EDIT permission on it \(now READ\)"):
        mlflow_interp.visualize_gradcam(tiny_cnn, pixels, experiment="asked for")
    as_user(ADMIN)
    auth_server.users.grant_user_permission("reader", "experiment", experiment, "EDIT")
    as_user(READER)
    logged = mlflow_interp.visualize_gradcam(tiny_cnn, pixels, experiment="asked for")
    run = mlflow.get_run(logged.run_id)
    assert (run.info.experiment_id, run.info.status) == (experiment, "FINISHED")


def test_every_user_can_create_an_experiment(as_user, tiny_cnn, pixels):
    as_user(READER)
    logged = mlflow_interp.visualize_gradcam(tiny_cnn, pixels, experiment="mine alone")
    assert mlflow.get_run(logged.run_id).info.status == "FINISHED"


def test_read_only_model_is_interpreted_without_links(auth_server, as_user, pixels):
    """Everything is logged except what is written to the model, with one warning."""
    as_user(READER)
    with pytest.warns(InterpretationWarning, match="the model could not be tagged with run .* may not tag"):
        logged = mlflow_interp.visualize_gradcam("models:/team/1", pixels, experiment="own")
    run = mlflow.get_run(logged.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["interpretations/gradcam/inputs"] == len(pixels)
    assert run.data.tags["mlflow_interp.model_uri"] == "models:/team/1"
    assert [each.dataset.source_type for each in run.inputs.dataset_inputs] == ["mlflow_interp"]
    again = mlflow_interp.load(f"runs:/{logged.run_id}/interpretations/gradcam")
    np.testing.assert_array_equal(again.heatmaps, logged.result.heatmaps)


def test_model_is_linked_with_write_permission(auth_server, as_user, pixels):
    as_user(ADMIN)
    logged = mlflow_interp.visualize_gradcam("models:/team/1", pixels)
    version = mlflow.MlflowClient().get_model_version("team", "1")
    assert version.tags["mlflow_interp.gradcam.run_id"] == logged.run_id
    assert len(mlflow.get_run(logged.run_id).inputs.model_inputs) == 1
