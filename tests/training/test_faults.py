"""Servers that are gone or slow, disks that are full: what they cost a training, and that nothing is lost."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import keras
import mlflow
import pytest

import mlflow_interp
from mlflow_interp.training import worker_client
from tests.training.small import only_run, places


def test_an_error_of_ours_is_one_warning_and_the_run_ends_well(small, pictures, said, monkeypatch):
    from mlflow_interp.training.session import Session

    def broken(self, epoch):
        raise OSError("no space left on device")

    monkeypatch.setattr(Session, "epoch", broken)
    inputs, labels = pictures
    mlflow_interp.autolog(methods="gradcam")
    told = small.fit(inputs, labels, validation_data=(inputs, labels), epochs=3, verbose=0)
    assert len(told.history["loss"]) == 3
    assert [line for line in said() if "continues without" in line] == [
        "training continues without interpretation: OSError: no space left on device"
    ]
    assert only_run().info.status == "FINISHED"


def test_a_result_that_can_not_be_sent_costs_its_method_only(small, pictures, said, monkeypatch):
    from mlflow_interp.engine import attribution

    class Unsendable(attribution.HeatmapAccumulator):
        def __reduce__(self):
            raise TypeError("cannot be pickled")

    monkeypatch.setattr(attribution, "HeatmapAccumulator", Unsendable)
    inputs, labels = pictures
    mlflow_interp.autolog(methods=(name for name in ("gradcam", "confusion_matrix")))
    started = time.monotonic()
    small.fit(inputs, labels, validation_data=(inputs, labels), epochs=2, verbose=0)
    assert time.monotonic() - started < 45  # not the wait for what will never come
    assert [line for line in said() if "training continues without gradcam" in line]
    run = only_run()
    assert run.info.status == "FINISHED"
    assert "interpretations/confusion_matrix/accuracy" in run.data.metrics


def test_a_look_that_misses_the_training_does_not_end_it(small, pictures, monkeypatch):
    """Frames of another thread are read while they change, so that a look may find nothing."""
    from mlflow_interp.training import session

    looks = iter([True, False, False, False] * 1000)
    monkeypatch.setattr(session, "is_under_way", lambda frame, thread: next(looks))
    monkeypatch.setattr(session, "WATCH_INTERVAL", 0.05)
    slow = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: time.sleep(0.5))
    inputs, labels = pictures
    mlflow_interp.autolog(methods="confusion_matrix")
    small.fit(inputs, labels, validation_data=(inputs, labels), epochs=3, verbose=0, callbacks=[slow])
    run = only_run()
    assert run.info.status == "FINISHED"
    history = mlflow.MlflowClient().get_metric_history(
        run.info.run_id, "interpretations/confusion_matrix/accuracy"
    )
    assert [metric.step for metric in history] == [0, 1, 2]


def test_a_dead_tracking_server_costs_little_and_loses_nothing(small, pictures, said):
    inputs, labels = pictures
    small.fit(inputs, labels, validation_data=(inputs[:8], labels[:8]), epochs=1, verbose=0)
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    mlflow_interp.autolog(methods="confusion_matrix")
    started = time.perf_counter()
    small.fit(inputs, labels, validation_data=(inputs[:8], labels[:8]), epochs=2, verbose=0)
    assert time.perf_counter() - started < 20  # the training itself and a process's start among it
    (line,) = [each for each in said() if "not logged" in each]
    spool = line.rsplit(" ", 1)[1]
    deadline = time.monotonic() + 60
    while not os.path.exists(f"{spool}/confusion_matrix/manifest.json") and time.monotonic() < deadline:
        time.sleep(0.2)
    assert os.path.exists(f"{spool}/confusion_matrix/epoch-0001/arrays.npz")
    assert os.path.exists(f"{spool}/confusion_matrix/manifest.json")


def test_a_server_that_never_answers_costs_five_seconds(small, pictures, said):
    """It takes connections and says nothing; the process beside the training is there already."""
    inputs, labels = pictures
    mlflow_interp.autolog(methods="confusion_matrix")
    small.fit(inputs, labels, validation_data=(inputs[:8], labels[:8]), epochs=1, verbose=0)
    at = []
    own = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: at.append(time.monotonic()))
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        mlflow.set_tracking_uri(f"http://127.0.0.1:{silent.getsockname()[1]}")
        given = {"validation_data": (inputs[:8], labels[:8]), "callbacks": [own]}
        small.fit(inputs, labels, epochs=2, verbose=0, **given)
        assert time.monotonic() - at[-1] < 8  # five, and what else an epoch's end takes
    assert [line for line in said() if "some interpretations are not logged" in line]


@contextmanager
def small_disk(folder, size):
    """A folder on a disk of its own that holds no more than `size`."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root can mount a small disk to fill")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_artifact_store_loses_nothing(small, pictures, said, tmp_path):
    """What doesn't fit is kept where the warning says; the training and its run end well."""
    inputs, labels = pictures
    with small_disk(tmp_path / "disk", "64k") as disk:
        mlflow.create_experiment("full", artifact_location=disk.as_uri())
        mlflow.set_experiment("full")
        mlflow_interp.autolog(methods="gradcam")
        told = small.fit(inputs, labels, validation_data=(inputs, labels), epochs=2, verbose=0)
        assert len(told.history["loss"]) == 2
        (line,) = [each for each in said() if "some interpretations are not logged" in each]
        assert "No space left on device" in line
        spool = Path(line.rsplit(" ", 1)[1])
        for epoch in ("epoch-0000", "epoch-0001"):
            assert (spool / "gradcam" / epoch / "manifest.json").exists()
        logged = places(only_run(), "interpretations/gradcam/epoch-0000")
        assert "manifest.json" not in logged  # or it would say that all of it is there


def test_a_full_disk_for_what_is_not_logged_yet(small, pictures, said, tmp_path, monkeypatch):
    """Nothing can be drawn; the training goes on, one warning a method says why, the run ends well."""
    inputs, labels = pictures
    with small_disk(tmp_path / "disk", "8k") as disk:
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
        mlflow_interp.autolog(methods="gradcam")
        told = small.fit(inputs, labels, validation_data=(inputs, labels), epochs=3, verbose=0)
        monkeypatch.undo()
        assert len(told.history["loss"]) == 3
        assert [line for line in said() if "could not be drawn" in line] == [
            "gradcam could not be drawn: OSError: [Errno 28] No space left on device"
        ]
        assert only_run().info.status == "FINISHED"
        assert places(only_run()) == []


def test_no_place_to_work_at_all(small, pictures, said, monkeypatch):
    def nowhere(*_args, **_named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(worker_client.tempfile, "mkdtemp", nowhere)
    inputs, labels = pictures
    mlflow_interp.autolog(methods="gradcam,confusion_matrix")
    told = small.fit(inputs, labels, validation_data=(inputs, labels), epochs=2, verbose=0)
    assert len(told.history["loss"]) == 2
    assert said() == [
        "training continues without interpretation: OSError: [Errno 28] No space left on device"
    ]
    assert small.test_function is None or "compute_metrics" not in vars(small)
