"""Runs on a server that fails: complete runs are complete, and no computed result is lost."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pytest
from click.testing import CliRunner

import mlflow_interp
from mlflow_interp.cli import main
from mlflow_interp.exceptions import InputsError, TrackingError
from mlflow_interp.tracking.spool import left_behind
from tests.faults.proxy import Fault, fair


def only_run():
    experiment = mlflow.tracking.fluent._get_experiment_id()
    (run,) = mlflow.MlflowClient().search_runs([experiment])
    return run


def complete(run_id, place="interpretations/gradcam"):
    """Whether a folder claims to be complete; if so, every file it lists must exist, byte for byte."""
    client = mlflow.MlflowClient()
    names = {Path(item.path).name for item in client.list_artifacts(run_id, place)}
    if "manifest.json" not in names:
        return False
    manifest = json.loads(mlflow.artifacts.load_text(f"runs:/{run_id}/{place}/manifest.json"))
    for name, digest in manifest["files"].items():
        content = Path(client.download_artifacts(run_id, f"{place}/{name}")).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest, name
    return True


def interpret(tiny_cnn, pixels):
    return mlflow_interp.visualize_gradcam(tiny_cnn, pixels, quiet=True)


def resumed(message):
    """Run the command in a message."""
    folder = re.search(r"mlflow-interp resume (\S+)$", message)[1]
    done = CliRunner().invoke(main, ["resume", folder])
    assert done.exit_code == 0, done.output
    assert not os.path.exists(folder)
    return done.output.split("run: ")[1].strip()


#: By name: the first of about twenty write requests to fail, and how.
PERMANENT = {
    "connections are reset": (9, Fault(reset=True)),
    "500": (2, Fault(500)),
    "503": (5, Fault(503, retry_after=0)),
    "429": (12, Fault(429, retry_after=0)),
    "no space left on the server": (7, Fault(507)),
    "no answer in time": (10, Fault(stall=4)),
}


@pytest.mark.parametrize(("begins", "fault"), PERMANENT.values(), ids=PERMANENT)
def test_server_failure(begins, fault, through, tiny_cnn, pixels):
    """One error says what to do. Once the server works, the command uploads the rest and fixes the status."""
    through.set(lambda number, method, path: fault if number >= begins and "tag" not in path else None)
    with pytest.raises(TrackingError, match="They are saved locally") as error:
        interpret(tiny_cnn, pixels)
    through.set(fair)
    run = only_run()
    assert not complete(run.info.run_id)
    assert resumed(str(error.value)) == run.info.run_id
    assert complete(run.info.run_id)
    run = only_run()
    assert run.info.status == "FINISHED"
    assert "mlflow_interp.error" not in run.data.tags
    assert run.data.tags["mlflow_interp.methods"] == "gradcam"
    assert run.data.metrics["interpretations/gradcam/inputs"] == 5
    listed = {item.path for item in mlflow.MlflowClient().list_artifacts(run.info.run_id, "interpretations")}
    assert listed == {"interpretations/gradcam", "interpretations/index.html"}
    assert left_behind() == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_temporary_failure(status, through, tiny_cnn, pixels):
    """MLflow retries by its own settings; a short failure has no effect."""
    met = []

    def fail_a_few_times(number, _method, path):
        if number > 0 and path not in met and len(met) < 6:
            met.append(path)
            return Fault(status, retry_after=0)
        return None

    through.set(fail_a_few_times)
    found = interpret(tiny_cnn, pixels)
    assert len(met) == 6
    assert complete(found.run_id)
    assert only_run().info.status == "FINISHED"


def test_server_unreachable_after_computing(through, tiny_cnn, pixels, monkeypatch):
    """It is detected within seconds, not after minutes of MLflow's retries."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "7")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "2")
    gone = {}

    def leave(number, _method, path):
        gone["yes"] = gone.get("yes") or (number > 0 and path.endswith("runs/create"))
        return Fault() if gone["yes"] and not path.endswith("runs/create") else None

    through.set(leave)
    started = time.monotonic()
    monkeypatch.setattr("mlflow_interp.tracking.destination._end", lambda *_: None)  # which retries, too
    with pytest.raises(TrackingError, match="does not answer") as error:
        interpret(tiny_cnn, pixels)
    assert time.monotonic() - started < 20
    through.set(fair)
    assert complete(resumed(str(error.value)))


@pytest.mark.filterwarnings("ignore::mlflow_interp.exceptions.InterpretationWarning")
def test_server_failure_with_several_methods(through, tiny_cnn, pixels):
    through.set(lambda number, _method, path: Fault(500) if number > 1 and "tag" not in path else None)
    with pytest.raises(TrackingError) as error:
        mlflow_interp.interpret(tiny_cnn, pixels, "gradcam,saliency", quiet=True)
    (folder,) = left_behind()
    through.set(fair)
    assert str(folder) in str(error.value)
    run_id = resumed(f"mlflow-interp resume {folder}")
    assert complete(run_id)
    assert complete(run_id, "interpretations/saliency")


SCRIPT = """
import keras, numpy as np, mlflow, mlflow_interp
keras.utils.set_random_seed(7)
model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, activation="relu"),
                          keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3, activation="softmax")])
pixels = np.random.default_rng(3).random((5, 8, 8, 3), dtype=np.float32)
mlflow_interp.visualize_gradcam(model, pixels, quiet=True)
"""


@pytest.mark.parametrize(
    ("number", "at"),
    [(signal.SIGKILL, 3), (signal.SIGKILL, 12), (signal.SIGINT, 8)],
    ids=["SIGKILL early", "SIGKILL late", "Ctrl-C"],
)
def test_process_killed(number, at, through):
    """A killed process can report nothing; the results it had computed are kept."""
    through.set(lambda count, _method, _path: Fault(stall=30) if count == at else None)
    environment = os.environ | {"MLFLOW_TRACKING_URI": through.uri, "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        env=environment,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 120
    while through.writes < at and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    process.wait(60)
    through.set(fair)
    run = only_run()
    assert not complete(run.info.run_id)
    assert run.info.status == ("RUNNING" if number == signal.SIGKILL else "KILLED")
    (folder,) = left_behind()
    assert resumed(f"mlflow-interp resume {folder}") == run.info.run_id
    assert complete(run.info.run_id)
    assert only_run().info.status == "KILLED"  # its other tasks were not done


@pytest.mark.no_fault
def test_folder_without_results_cannot_be_resumed(tmp_path, through):
    done = CliRunner().invoke(main, ["resume", str(tmp_path)])
    assert done.exit_code == 2
    assert "holds no results to upload" in done.output
    assert len(done.output.strip().splitlines()) == 1
    assert CliRunner().invoke(main, ["resume"]).output == ""


@pytest.mark.no_fault
def test_folder_used_by_another_process_is_rejected(tmp_path, through, tiny_cnn, pixels):
    through.set(lambda number, _method, path: Fault(500) if number > 1 and "tag" not in path else None)
    with pytest.raises(TrackingError):
        interpret(tiny_cnn, pixels)
    (folder,) = left_behind()
    known = json.loads((folder / "spool.json").read_text())
    (folder / "spool.json").write_text(json.dumps(known | {"process": os.getppid()}))
    with pytest.raises(InputsError, match=f"process {os.getppid()} is still uploading"):
        mlflow_interp.resume(folder)
