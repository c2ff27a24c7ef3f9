"""Tags that link a run to its model and back, and the tag that shows a file as a table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mlflow_interp.exceptions import first_line, warn
from mlflow_interp.models.refusals import TAG, refusal
from mlflow_interp.tracking.destination import LONGEST_TAG, mlflow_client


def tag_all(client: Any, run_id: str, method: str, manifest: Mapping[str, Any]) -> None:
    """Set tags that link the run to the model, and the model and its version to the run."""
    model = manifest["model"]
    tags = {
        "model_uri": model["uri"],
        "model_id": model["model_id"],
        "model_version": model["version"],
        "method": method,
        "source_run_id": model["run_id"],
    }
    for name, value in tags.items():
        if value is not None:
            client.set_tag(run_id, f"mlflow_interp.{name}", str(value))
    try:
        _tag_model(client, model, f"mlflow_interp.{method}.run_id", run_id)
    except Exception as error:
        refused = refusal(error, f"model {model['name']}", TAG)
        if refused is None:
            raise
        warn(f"the model could not be tagged with run {run_id}: {refused}")


def _tag_model(client: Any, model: Mapping[str, Any], name: str, run_id: str) -> None:
    if model["model_id"]:
        client.set_logged_model_tags(model["model_id"], {name: run_id})
    if model["version"]:
        client.set_model_version_tag(model["name"], model["version"], name, run_id)


def tag_gate(run_id: str, verdict: str) -> None:
    """Tag a run with the verdict of the conditions that its metrics were tested against."""
    try:
        mlflow_client().set_tag(run_id, "mlflow_interp.gate", verdict[:LONGEST_TAG])
    # The verdict is also the exit code, which holds whether the tag is set or not.
    except Exception as error:
        warn(f"run {run_id} could not be tagged with the verdict of fail_if: {first_line(error)}")


def log_table_tag(client: Any, run_id: str, path: str) -> None:
    """Mark a file as a table for MLflow's UI, as `log_table` does.

    `log_table` itself appends to an existing file, so that a repeated upload would double its rows.
    """
    name = "mlflow.loggedArtifacts"
    known = json.loads(client.get_run(run_id).data.tags.get(name, "[]"))
    if all(item.get("path") != path for item in known):
        client.set_tag(run_id, name, json.dumps([*known, {"path": path, "type": "table"}]))
