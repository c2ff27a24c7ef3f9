"""An MLflow server behind a proxy that simulates faults, and a separate experiment for each test."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import mlflow
import pytest

from docs.pictures import served
from tests.faults.proxy import Proxy, fair


@pytest.fixture(scope="package")
def proxy(tmp_path_factory):
    """The proxy, in front of a server that stores its artifacts itself."""
    folder, before = tmp_path_factory.mktemp("server"), os.getcwd()
    os.chdir(folder)  # where the server stores artifacts
    try:
        with served(f"sqlite:///{folder / 'mlflow.db'}") as server, Proxy(server).running() as proxy:
            os.chdir(before)
            yield proxy
    finally:
        os.chdir(before)


@pytest.fixture(autouse=True)
def through(proxy, tmp_path, monkeypatch):
    """Send everything through the proxy, initially without faults; reduce the number of MLflow's retries."""
    before = mlflow.get_tracking_uri()
    proxy.set(fair)
    for name, value in {"REQUEST_MAX_RETRIES": 2, "REQUEST_BACKOFF_FACTOR": 0, "REQUEST_TIMEOUT": 3}.items():
        monkeypatch.setenv(f"MLFLOW_HTTP_{name}", str(value))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mlflow.set_tracking_uri(proxy.uri)
    mlflow.set_experiment(tmp_path.name)
    yield proxy
    proxy.set(fair)
    mlflow.set_tracking_uri(before)
    mlflow.tracking.fluent._active_experiment_id = None
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)


def pytest_terminal_summary(terminalreporter):
    """Print the table of faults and outcomes of docs/reliability.md, if only these tests were run."""
    here = Path(__file__).parent.name
    reports = [
        report
        for outcome in ("passed", "failed", "error")
        for report in terminalreporter.stats.get(outcome, ())
        if getattr(report, "when", "") == "call" or outcome == "error"
    ]
    if not reports or any(f"tests/{here}/" not in report.nodeid for report in reports):
        return
    outcomes = {each.nodeid: each.outcome for each in reports if "no_fault" not in each.keywords}
    terminalreporter.write_line("\n| in a | fault | outcome |\n|---|---|---|")
    for name, outcome in sorted(outcomes.items()):
        file, _, what = name.partition("::test_")
        where = "training" if "trainings" in file else "call"
        result = "nothing lost" if outcome == "passed" else "LOST, or not as documented"
        what = what.replace("_", " ").replace("[", ": ").rstrip("]")
        terminalreporter.write_line(f"| {where} | {what} | {result} |")
    lost = len(outcomes) - Counter(outcomes.values())["passed"]
    terminalreporter.write_line(f"\nfaults tried: {len(outcomes)}, lost results: {lost}")
