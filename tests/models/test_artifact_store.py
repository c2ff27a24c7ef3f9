"""Temporary settings are restored, whichever thread ends first."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from mlflow_interp.models.artifact_store import without_progress_bar

NAME = "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"


def test_progress_bar_is_hidden_until_the_last_thread_is_done(monkeypatch):
    monkeypatch.delenv(NAME, raising=False)
    first, second = without_progress_bar(), without_progress_bar()
    with ThreadPoolExecutor(1) as other:
        first.__enter__()
        other.submit(second.__enter__).result()
        first.__exit__(None, None, None)
        assert os.environ[NAME] == "false"
        other.submit(second.__exit__, None, None, None).result()
    assert NAME not in os.environ


def test_earlier_setting_is_restored(monkeypatch):
    monkeypatch.setenv(NAME, "true")
    with without_progress_bar():
        assert os.environ[NAME] == "false"
    assert os.environ[NAME] == "true"
