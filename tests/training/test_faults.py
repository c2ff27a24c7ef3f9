"""Failed or slow servers and full disks: the delay of the training, and that no results are lost."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import keras
import mlflow
import pytest

import mlflow_interp
from mlflow_interp.training import worker_client
from mlflow_interp.training.fit_data import is_under_way
from tests.training.small import artifact_names, only_run


def test_internal_error_gives_one_warning_and_the_run_finishes(small, images, logged_warnings, monkeypatch):
    from mlflow_interp.training.session import Session

    def broken(self, epoch):
        raise OSError("no space left on device")

    monkeypatch.setattr(Session, "epoch", broken)
    inputs, labels = images
    mlflow_interp.autolog(methods="gradcam")
    fitted = small.fit(inputs, labels, validation_data=(inputs, labels), epochs=3, verbose=0)
    assert len(fitted.history["loss"]) == 3
    assert [line for line in logged_warnings() if "continues without" in line] == [
        "training continues without interpretation: OSError: no space left on device"
    ]
    assert only_run().info.status == "FINISHED"


def test_result_that_cannot_be_sent_affects_its_method_only(small, images, logged_warnings, monkeypatch):
    from mlflow_interp.engine import attribution

    class Unsendable(attribution.HeatmapAccumulator):
        def __reduce__(self):
            raise TypeError("cannot be pickled")

    monkeypatch.setattr(attribution, "HeatmapAccumulator", Unsendable)
    inputs, labels = images
    mlflow_interp.autolog(methods=(name for name in ("gradcam", "confusion_matrix")))
    started = time.monotonic()
    small.fit(inputs, labels, validation_data=(inputs, labels), epochs=2, verbose=0)
    assert time.monotonic() - started < 45  # excluding the wait for results that never arrive
    assert [line for line in logged_warnings() if "training continues without gradcam" in line]
    run = only_run()
    assert run.info.status == "FINISHED"
    assert "interpretations/confusion_matrix/accuracy" in run.data.metrics


class Fitting:
    """Runs like a training until it is told how to end."""

    def __init__(self):
        self.frame = None
        self.ending = threading.Event()

    def fit(self, error=None):
        self.frame = sys._getframe()
        assert self.ending.wait(60)
        if error is not None:
            raise error


class FittingWithClosure(Fitting):
    """Has a function inside `fit` that uses the model, so that the variable is shared with it."""

    def fit(self, error=None):
        self.frame = sys._getframe()

        def wait():
            assert self.ending.wait(60)

        wait()
        if error is not None:
            raise error


@pytest.mark.parametrize("is_cleared", [False, True])
@pytest.mark.parametrize("error", [None, ValueError("diverged")])
@pytest.mark.parametrize("kind", [Fitting, FittingWithClosure])
def test_running_training_is_told_from_ended_one(kind, error, is_cleared):
    """A watcher that takes a running training for an ended one would end its run."""
    model = kind()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(model.fit, error)
        while model.frame is None:
            time.sleep(0.01)
        for _ in range(1000):  # also while garbage is collected and local variables are read
            assert is_under_way(model.frame, model)
            assert model.frame.f_locals["self"] is model
            gc.collect(0)
        model.ending.set()
        assert type(call.exception()) is type(error)
        if is_cleared:  # as traceback.clear_frames does
            model.frame.clear()
        deadline = time.monotonic() + 10
        while is_under_way(model.frame, model) and time.monotonic() < deadline:
            time.sleep(0.01)
    assert not is_under_way(model.frame, model)
    if not is_cleared:  # a debugger can still show the variables of what failed
        assert model.frame.f_locals["error"] is error


def test_unreachable_server_delays_little_and_loses_nothing(small, images, logged_warnings):
    inputs, labels = images
    small.fit(inputs, labels, validation_data=(inputs[:8], labels[:8]), epochs=1, verbose=0)
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    mlflow_interp.autolog(methods="confusion_matrix")
    started = time.perf_counter()
    small.fit(inputs, labels, validation_data=(inputs[:8], labels[:8]), epochs=2, verbose=0)
    assert time.perf_counter() - started < 20  # including the training and the start of a process
    (line,) = [each for each in logged_warnings() if "not logged" in each]
    spool = line.rsplit(" ", 1)[1]
    deadline = time.monotonic() + 60
    while not os.path.exists(f"{spool}/confusion_matrix/manifest.json") and time.monotonic() < deadline:
        time.sleep(0.2)
    assert os.path.exists(f"{spool}/confusion_matrix/epoch-0001/arrays.npz")
    assert os.path.exists(f"{spool}/confusion_matrix/manifest.json")


def test_unresponsive_server_delays_five_seconds(small, images, logged_warnings):
    """It accepts connections but does not respond; the worker process has been started already."""
    inputs, labels = images
    mlflow_interp.autolog(methods="confusion_matrix")
    small.fit(inputs, labels, validation_data=(inputs[:8], labels[:8]), epochs=1, verbose=0)
    at = []
    own = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: at.append(time.monotonic()))
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        mlflow.set_tracking_uri(f"http://127.0.0.1:{silent.getsockname()[1]}")
        given = {"validation_data": (inputs[:8], labels[:8]), "callbacks": [own]}
        small.fit(inputs, labels, epochs=2, verbose=0, **given)
        assert time.monotonic() - at[-1] < 8  # five seconds, plus other work at the end of an epoch
    assert [line for line in logged_warnings() if "some interpretations are not logged" in line]


@contextmanager
def small_disk(folder, size):
    """A folder on a separate disk that holds at most `size`."""
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


def test_full_artifact_store_loses_nothing(small, images, logged_warnings, tmp_path):
    """What does not fit is kept in the folder named by the warning; the training and its run end normally."""
    inputs, labels = images
    with small_disk(tmp_path / "disk", "64k") as disk:
        mlflow.create_experiment("full", artifact_location=disk.as_uri())
        mlflow.set_experiment("full")
        mlflow_interp.autolog(methods="gradcam")
        fitted = small.fit(inputs, labels, validation_data=(inputs, labels), epochs=2, verbose=0)
        assert len(fitted.history["loss"]) == 2
        (line,) = [each for each in logged_warnings() if "some interpretations are not logged" in each]
        assert "No space left on device" in line
        spool = Path(line.rsplit(" ", 1)[1])
        for epoch in ("epoch-0000", "epoch-0001"):
            assert (spool / "gradcam" / epoch / "manifest.json").exists()
        logged = artifact_names(only_run(), "interpretations/gradcam/epoch-0000")
        assert "manifest.json" not in logged  # otherwise it would claim to be complete


def test_full_disk_for_pending_results(small, images, logged_warnings, tmp_path, monkeypatch):
    """Nothing can be drawn; the training continues, with one warning per method; the run ends normally."""
    inputs, labels = images
    with small_disk(tmp_path / "disk", "8k") as disk:
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
        mlflow_interp.autolog(methods="gradcam")
        fitted = small.fit(inputs, labels, validation_data=(inputs, labels), epochs=3, verbose=0)
        monkeypatch.undo()
        assert len(fitted.history["loss"]) == 3
        assert [line for line in logged_warnings() if "could not be drawn" in line] == [
            "gradcam could not be drawn: OSError: [Errno 28] No space left on device"
        ]
        assert only_run().info.status == "FINISHED"
        assert artifact_names(only_run()) == []


def test_no_writable_temporary_folder(small, images, logged_warnings, monkeypatch):
    def nowhere(*_args, **_named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(worker_client.tempfile, "mkdtemp", nowhere)
    inputs, labels = images
    mlflow_interp.autolog(methods="gradcam,confusion_matrix")
    fitted = small.fit(inputs, labels, validation_data=(inputs, labels), epochs=2, verbose=0)
    assert len(fitted.history["loss"]) == 2
    assert logged_warnings() == [
        "training continues without interpretation: OSError: [Errno 28] No space left on device"
    ]
    assert small.test_function is None or "compute_metrics" not in vars(small)
