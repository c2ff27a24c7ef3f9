"""If the server rejects the results, a training continues with a warning, and nothing is lost."""

from __future__ import annotations

import mlflow
import numpy as np
import pytest

import mlflow_interp
from tests.access.conftest import ADMIN, READER
from tests.training.small import make_small


@pytest.fixture(autouse=True)
def disable_autolog_afterwards():
    yield
    mlflow_interp.autolog(disable=True)


@pytest.mark.parametrize(
    ("user", "why"),
    [
        (None, "requires a user and a password, but neither is given; set MLFLOW_TRACKING_USERNAME"),
        (READER, "user 'reader' may not log to 'the current experiment' on "),
    ],
)
def test_rejected_training_continues_and_is_logged_later(user, why, as_user, pixels, caplog):
    labels = np.array([0, 1, 0, 1, 0])
    as_user(user)
    mlflow_interp.autolog(methods="confusion_matrix")
    model = make_small()
    inputs = pixels[..., :1]
    trained = model.fit(inputs, labels, validation_data=(inputs, labels), epochs=2, verbose=0)
    assert len(trained.history["val_loss"]) == 2
    messages = [each.getMessage() for each in caplog.records if each.name == "mlflow_interp"]
    first, last = messages
    assert first.startswith("nothing is logged during training: ")
    assert why in first
    assert "They are saved locally; upload them with: mlflow-interp resume " in last
    as_user(ADMIN)
    run = mlflow.get_run(mlflow_interp.resume(last.rsplit(" ", 1)[1], quiet=True))
    accuracy = run.data.metrics["interpretations/confusion_matrix/accuracy"]
    assert accuracy == pytest.approx(trained.history["val_accuracy"][-1])
