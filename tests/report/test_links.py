"""Links to what MLflow's UI shows."""

from __future__ import annotations

from urllib.parse import urlsplit

from mlflow_interp.report.links import artifact_link


def test_a_link_names_run_and_artifact_and_opens_the_mode_for_machine_learning():
    """The address is behind the hash sign, where MLflow's UI reads it."""
    parts = urlsplit("http://127.0.0.1:5000/" + artifact_link("3", "abc", "interpretations/a b/figure.png"))
    assert (parts.path, parts.query) == ("/", "")
    route = urlsplit(parts.fragment)
    assert route.path == "/experiments/3/runs/abc/artifacts/interpretations/a%20b/figure.png"
    assert route.query == "workflowType=machine_learning"
