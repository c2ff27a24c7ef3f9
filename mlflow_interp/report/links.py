"""Links to what MLflow's UI shows."""

from __future__ import annotations

from urllib.parse import quote

# Else MLflow opens an experiment in its mode for GenAI, in which such runs are not listed.
_MODE = "workflowType=machine_learning"


def artifact_link(experiment_id: str, run_id: str, path: str) -> str:
    """The address of an artifact within MLflow's UI, to be appended to the address of the server."""
    return f"#/experiments/{quote(experiment_id)}/runs/{quote(run_id)}/artifacts/{quote(path)}?{_MODE}"
