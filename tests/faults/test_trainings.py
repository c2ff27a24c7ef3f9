"""Trainings beside a server that fails: they end well, in time, and the rest can be logged later."""

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
def said(caplog):
    caplog.set_level(logging.WARNING, logger="mlflow_interp")
    yield lambda: [each.getMessage() for each in caplog.records if each.name == "mlflow_interp"]
    mlflow_interp.autolog(disable=True)


def train(epochs=3, **given):
    generator, labels = np.random.default_rng(5), np.arange(40) % 2
    inputs = generator.random((40, 8, 8, 1), dtype=np.float32)
    return make_small().fit(
        inputs, labels, validation_data=(inputs, labels), epochs=epochs, verbose=0, **given
    )


class At(keras.callbacks.Callback):
    """Changes the faults after an epoch, once what came before is logged; knows when the last ended."""

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


def left_to_itself(folder):
    """Whether the process beside has given up, and not logged the rest once the server was well."""
    deadline = time.monotonic() + 90
    while folder.exists() and time.monotonic() < deadline:
        with contextlib.suppress(InputsError):  # it may just be removed
            if Spool.read(folder).process is None:
                return True
        time.sleep(0.2)
    return False


@pytest.mark.parametrize("fault", BAD.values(), ids=BAD)
def test_a_server_that_fails_in_the_middle(fault, through, said):
    mlflow_interp.autolog(methods="gradcam,confusion_matrix")
    own = At(through, {0: lambda *_: fault})
    told = train(callbacks=[own])
    # Five seconds, and drawing, which a busy machine is slow at; but not the fault's thirty seconds.
    assert time.monotonic() - own.ended < 25
    assert len(told.history["loss"]) == 3
    (line,) = [each for each in said() if "some interpretations are not logged" in each]
    through.set(fair)
    if left_to_itself(Path(re.search(r"resume (\S+)$", line)[1])):
        resumed(line)
    run_id = only_run().info.run_id
    for method in ("gradcam", "confusion_matrix"):
        assert complete(run_id, f"interpretations/{method}")
        assert all(complete(run_id, f"interpretations/{method}/epoch-000{epoch}") for epoch in range(3))
    run = only_run()
    assert run.info.status == "FINISHED"
    history = mlflow.MlflowClient().get_metric_history(run_id, "interpretations/gradcam/inputs")
    assert [each.step for each in history] == [0, 1, 2]


def test_a_server_that_is_restarted(through, said):
    """It is gone for an epoch and there at the end: everything is logged, and nobody is told anything."""
    mlflow_interp.autolog(methods="gradcam")
    train(epochs=4, callbacks=[At(through, {0: lambda *_: Fault(reset=True), 2: fair})])
    assert said() == []
    run = only_run()
    assert run.info.status == "FINISHED"
    assert all(complete(run.info.run_id, f"interpretations/gradcam/epoch-000{epoch}") for epoch in range(4))
