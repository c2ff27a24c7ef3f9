"""The tracking store after an error: no run if no work was begun, otherwise a FAILED run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pytest
from click.testing import Result
from mlflow import MlflowClient

#: Options and inputs, and whether a run was begun before the error.
ROWS = {
    "no inputs": ((), "nothing", False),
    "no images": ((), ".", False),
    "option of the wrong type": (("--batch-size", "many"), "in.npy", False),
    "option out of range": (("--batch-size", "0"), "in.npy", False),
    "enormous option": (("--max-inputs", "1" + "0" * 30), "in.npy", False),
    "labels": (("--labels", "nothing"), "in.npy", False),
    "class file": (("--class-names", "nothing"), "in.npy", False),
    "damaged array": ((), "damaged.npy", False),
    "damaged image": ((), "damaged.png", True),
    "NaN": ((), "nan.npy", True),
    "layer": (("--layer", "nothing"), "in.npy", True),
    "drawing": (("--opacity", "2"), "in.npy", False),
}


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str) -> MlflowClient:
    mlflow.set_tracking_uri(store)
    monkeypatch.chdir(tmp_path)
    np.save("in.npy", np.zeros((2, 8, 8, 3), np.float32))
    np.save("nan.npy", np.full((2, 8, 8, 3), np.nan, np.float32))
    for name in ("damaged.npy", "damaged.png"):
        Path(name).write_bytes(b"damaged")
    return MlflowClient()


@pytest.mark.parametrize("kind", ROWS)
def test_state_after_a_rejected_call(
    kind: str,
    client: MlflowClient,
    command: Callable[..., Result],
    rgb_model: str,
    assert_error: Callable[..., str],
    tmp_path: Path,
) -> None:
    options, inputs, begun = ROWS[kind]
    (tmp_path / "damaged.png").rename("damaged.png" if inputs == "damaged.png" else "damaged.dat")
    experiment = client.create_experiment(f"refused: {kind} {tmp_path}")
    name = client.get_experiment(experiment).name
    line = assert_error(command("gradcam", rgb_model, inputs, "--quiet", "--experiment", name, *options))
    runs = client.search_runs([experiment])
    assert [run.info.status for run in runs] == (["FAILED"] if begun else [])
    for run in runs:
        assert run.data.tags["mlflow_interp.error"].partition(": ")[2] in line
        assert not client.list_artifacts(run.info.run_id)


@pytest.mark.parametrize(
    "kind", ["no inputs", "option of the wrong type", "enormous option", "damaged image"]
)
def test_run_created_by_mlflow_run_fails(
    kind: str,
    client: MlflowClient,
    command: Callable[..., Result],
    rgb_model: str,
    assert_error: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options, inputs, _ = ROWS[kind]
    run = client.create_run("0")
    monkeypatch.setenv("MLFLOW_RUN_ID", run.info.run_id)
    assert_error(command("gradcam", rgb_model, inputs, "--quiet", *options))
    ended = client.get_run(run.info.run_id)
    assert ended.info.status == "FAILED"
    assert ended.data.tags["mlflow_interp.error"]


def test_output_of_a_separate_process(
    client: MlflowClient, rgb_model: str, store: str, tmp_path: Path
) -> None:
    """The exit code, and every line that any library prints."""
    command = [sys.executable, "-m", "mlflow_interp", "gradcam", rgb_model, "damaged.png"]
    done = subprocess.run(
        command, env=os.environ | {"MLFLOW_TRACKING_URI": store}, capture_output=True, text=True, timeout=300
    )
    lines = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
    assert done.returncode == 2, done.stderr
    assert lines[:-1] == ["Loading TensorFlow…", f"Loading {rgb_model}…"]
    assert lines[-1].startswith(
        "mlflow-interp: no input could be read from 'damaged.png' (damaged.png: is not an"
    )
