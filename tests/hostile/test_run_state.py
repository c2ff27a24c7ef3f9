"""What a refusal leaves in the tracking store: no run where nothing was begun, else one that says FAILED."""

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

#: What is put beside the model and inputs, and whether a run was begun when it was refused.
ROWS = {
    "no inputs": ((), "nothing", False),
    "no pictures": ((), ".", False),
    "option of no kind": (("--batch-size", "many"), "in.npy", False),
    "option out of range": (("--batch-size", "0"), "in.npy", False),
    "enormous option": (("--max-inputs", "1" + "0" * 30), "in.npy", False),
    "labels": (("--labels", "nothing"), "in.npy", False),
    "class file": (("--class-names", "nothing"), "in.npy", False),
    "damaged array": ((), "damaged.npy", False),
    "damaged picture": ((), "damaged.png", True),
    "NaN": ((), "nan.npy", True),
    "layer": (("--layer", "nothing"), "in.npy", True),
    "drawing": (("--opacity", "2"), "in.npy", False),
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str) -> MlflowClient:
    mlflow.set_tracking_uri(store)
    monkeypatch.chdir(tmp_path)
    np.save("in.npy", np.zeros((2, 8, 8, 3), np.float32))
    np.save("nan.npy", np.full((2, 8, 8, 3), np.nan, np.float32))
    for name in ("damaged.npy", "damaged.png"):
        Path(name).write_bytes(b"damaged")
    return MlflowClient()


@pytest.mark.parametrize("kind", ROWS)
def test_a_refused_call(
    kind: str, place: MlflowClient, command: Callable[..., Result], teller: str, refused: Callable[..., str],
    tmp_path: Path,
) -> None:  # fmt: skip
    options, inputs, begun = ROWS[kind]
    (tmp_path / "damaged.png").rename("damaged.png" if inputs == "damaged.png" else "damaged.dat")
    experiment = place.create_experiment(f"refused: {kind} {tmp_path}")
    name = place.get_experiment(experiment).name
    line = refused(command("gradcam", teller, inputs, "--quiet", "--experiment", name, *options))
    runs = place.search_runs([experiment])
    assert [run.info.status for run in runs] == (["FAILED"] if begun else [])
    for run in runs:
        assert run.data.tags["mlflow_interp.error"].partition(": ")[2] in line
        assert not place.list_artifacts(run.info.run_id)


@pytest.mark.parametrize("kind", ["no inputs", "option of no kind", "enormous option", "damaged picture"])
def test_the_run_that_mlflow_run_made_fails(
    kind: str, place: MlflowClient, command: Callable[..., Result], teller: str, refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    options, inputs, _ = ROWS[kind]
    run = place.create_run("0")
    monkeypatch.setenv("MLFLOW_RUN_ID", run.info.run_id)
    refused(command("gradcam", teller, inputs, "--quiet", *options))
    ended = place.get_run(run.info.run_id)
    assert ended.info.status == "FAILED"
    assert ended.data.tags["mlflow_interp.error"]


def test_in_a_process_of_its_own(place: MlflowClient, teller: str, store: str, tmp_path: Path) -> None:
    """What a shell sees, and every line that any library prints on the way."""
    command = [sys.executable, "-m", "mlflow_interp", "gradcam", teller, "damaged.png"]
    done = subprocess.run(
        command, env=os.environ | {"MLFLOW_TRACKING_URI": store}, capture_output=True, text=True, timeout=300
    )
    lines = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
    assert done.returncode == 2, done.stderr
    assert lines[:-1] == ["Loading TensorFlow…", f"Loading {teller}…"]
    assert lines[-1].startswith(
        "mlflow-interp: no input could be read from 'damaged.png' (damaged.png: is not an"
    )
