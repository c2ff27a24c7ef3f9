"""Keras with another backend is rejected in one line, before it is imported."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

REFUSAL = "Keras uses the backend 'jax', but only TensorFlow is supported; set KERAS_BACKEND=tensorflow"


def run(*arguments, folder=None, **environment):
    """A new Python process, because Keras chooses its backend once per process."""
    return subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )


@pytest.mark.parametrize(
    "arguments", [["gradcam", "m.keras", "x.npy"], ["interpret", "models:/m/1", "x.npy"]], ids=str
)
def test_command_line_rejects_other_backends(arguments, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((1, 2)))
    done = run("-m", "mlflow_interp", *arguments, KERAS_BACKEND="jax", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"mlflow-interp: {REFUSAL} before Keras is imported"]


@pytest.mark.parametrize(
    "call",
    [
        "load_model('m.keras')",
        "visualize_gradcam('m.keras', 'x.npy')",
        "autolog()",
        "InterpretationCallback()",
    ],
)
def test_python_rejects_other_backends(call):
    code = f"import mlflow_interp\ntry: mlflow_interp.{call}\nexcept ValueError as error: print(error)"
    done = run("-c", code, KERAS_BACKEND="jax")
    assert done.stdout.strip() == f"{REFUSAL} before Keras is imported", done.stderr


def test_keras_config_file_applies_without_the_environment_variable(tmp_path):
    (tmp_path / "keras.json").write_text('{"backend": "jax"}')
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-m", "mlflow_interp", "gradcam", "m.keras", "x.npy"],
        env=environment | {"KERAS_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert REFUSAL in done.stderr


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"backend": "tensorflow"}'])
def test_config_file_without_another_backend_is_accepted(tmp_path, content):
    (tmp_path / "keras.json").write_text(content)
    code = "from mlflow_interp.backend.startup import check_backend; check_backend()"
    assert run("-c", code, KERAS_HOME=str(tmp_path), KERAS_BACKEND="").returncode == 0
