"""Trainings while the server fails: they end in time, and the rest can be uploaded later."""

from __future__ import annotations

import contextlib
import logging
import re
import time
from pathlib import Path

import keras
import mlflow
import numpy as np
import pytest

import mlflow_interp
from mlflow_interp.exceptions import InputsError
from mlflow_interp.tracking.spool import Spool
from tests.faults.proxy import Fault, fair
from tests.faults.test_runs import complete, only_run, resumed
from tests.training.small import make_small


@pytest.fixture(autouse=True)
def messages(caplog):
    caplog.set_level(logging.WARNING, logger="mlflow_interp")
    yield lambda: [each.getMessage() for each in caplog.records if each.name == "mlflow_interp"]
    mlflow_interp.autolog(disable=True)


def train(epochs=3, **given):
    generator, labels = np.random.default_rng(5), np.arange(40) % 2
    inputs = generator.random((40, 8, 8, 1), dtype=np.float32)
    return make_small().fit(
        inputs, labels, validation_data=(inputs, labels), epochs=epochs, verbose=0, **given
    )


class ChangeFaults(keras.callbacks.Callback):
    """Changes the faults after an epoch, once earlier results are logged; records when it ended."""

    def __init__(self, through, changes):
        super().__init__()
        self.through, self.changes, self.ended = through, changes, 0.0

    def on_epoch_end(self, epoch, logs=None):
        if epoch in self.changes:
            time.sleep(2)
            self.through.set(self.changes[epoch])
        self.ended = time.monotonic()


BAD = {
    "gone": Fault(reset=True),
    "busy": Fault(503, retry_after=30),
    "full": Fault(507),
    "slow": Fault(stall=30),
}


def worker_gave_up(folder):
    """Whether the worker process has given up, without uploading the rest after the server recovered."""
    deadline = time.monotonic() + 90
    while folder.exists() and time.monotonic() < deadline:
        with contextlib.suppress(InputsError):  # it may just have been removed
            if Spool.read(folder).process is None:
                return True
        time.sleep(0.2)
    return False


@pytest.mark.parametrize("fault", BAD.values(), ids=BAD)
def test_server_failure(fault, through, messages):
    mlflow_interp.autolog(methods="gradcam,confusion_matrix")
    callback = ChangeFaults(through, {0: lambda *_: fault})
    fitted = train(callbacks=[callback])
    # Five seconds, plus drawing, which is slow on a busy machine; but not the 30 seconds of the fault.
    assert time.monotonic() - callback.ended < 25
    assert len(fitted.history["loss"]) == 3
    (line,) = [each for each in messages() if "some interpretations are not logged" in each]
    through.set(fair)
    if worker_gave_up(Path(re.search(r"resume (\S+)$", line)[1])):
        resumed(line)
    run_id = only_run().info.run_id
    for method in ("gradcam", "confusion_matrix"):
        assert complete(run_id, f"interpretations/{method}")
        assert all(complete(run_id, f"interpretations/{method}/epoch-000{epoch}") for epoch in range(3))
    run = only_run()
    assert run.info.status == "FINISHED"
    history = mlflow.MlflowClient().get_metric_history(run_id, "interpretations/gradcam/inputs")
    assert [each.step for each in history] == [0, 1, 2]


def test_server_restart(through, messages):
    """The server is down for an epoch and back at the end: everything is logged, without a warning."""
    mlflow_interp.autolog(methods="gradcam")
    train(epochs=4, callbacks=[ChangeFaults(through, {0: lambda *_: Fault(reset=True), 2: fair})])
    assert messages() == []
    run = only_run()
    assert run.info.status == "FINISHED"
    assert all(complete(run.info.run_id, f"interpretations/gradcam/epoch-000{epoch}") for epoch in range(4))
