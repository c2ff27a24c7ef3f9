"""Tags that link a run to its model and back, and the tag that shows a file as a table."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from mlflow_interp.exceptions import first_line, warn, without_password
from mlflow_interp.models.refusals import TAG, refusal
from mlflow_interp.report.links import artifact_link
from mlflow_interp.tracking.destination import LONGEST_TAG, mlflow_client, tracking_uri
from mlflow_interp.tracking.log import ROOT

METHODS = "mlflow_interp.methods"
PAGE = "mlflow_interp.page"


def tag_all(client: Any, run_id: str, method: str, manifest: Mapping[str, Any]) -> None:
    """Set tags that link the run to the model, and the model and its versions to the run."""
    model = manifest["model"]
    earlier = client.get_run(run_id).data.tags.get(METHODS, "")
    tags = {
        "mlflow_interp.model_uri": model["uri"],
        "mlflow_interp.model_id": model["model_id"],
        "mlflow_interp.model_version": model["version"],
        METHODS: ",".join(dict.fromkeys([*filter(None, earlier.split(",")), method]))[:LONGEST_TAG],
        "mlflow_interp.source_run_id": model["run_id"],
    }
    for name, value in tags.items():
        if value is not None:
            client.set_tag(run_id, name, str(value))
    try:
        _tag_model(client, manifest, f"mlflow_interp.{method}.run_id", run_id)
    except Exception as error:
        refused = refusal(error, f"model {model['name']}", TAG)
        if refused is None:
            raise
        warn(f"the model could not be tagged with run {run_id}: {refused}")


def _tag_model(client: Any, manifest: Mapping[str, Any], name: str, run_id: str) -> None:
    model = manifest["model"]
    tags = {name: run_id, PAGE: _page(client, run_id), **manifest.get("version_tags", {})}
    if model["model_id"]:
        client.set_logged_model_tags(model["model_id"], tags)
    if not model["version"]:
        # While a model trains, the run that will have logged it is the one with the results.
        source = model["run_id"] or (run_id if "steps" in manifest else None)
        for each in _versions_from(client, source, model["model_id"]):
            _tag_version(client, each.name, each.version, tags)
        return
    _tag_version(client, model["name"], model["version"], tags)
    _tag_with_training(client, model)


def _tag_version(client: Any, name: str, version: str, tags: Mapping[str, str]) -> None:
    for tag, value in tags.items():
        client.set_model_version_tag(name, version, tag, value)


def _page(client: Any, run_id: str) -> str:
    """The address of the page of a run; without that of the server if the store has no server."""
    experiment = client.get_run(run_id).info.experiment_id
    link = artifact_link(experiment, run_id, f"{ROOT}/index.html")
    server = without_password(tracking_uri()).rstrip("/")
    return f"{server}/{link}" if server.startswith(("http://", "https://")) else link


def _versions_from(client: Any, source: str | None, model_id: str | None) -> list[Any]:
    """The versions that are registered from a model which a run logged."""
    found: list[Any] = []
    if source is not None:
        # Unity Catalog refuses to search by run.
        with contextlib.suppress(Exception):
            found = list(client.search_model_versions(f"run_id='{source}'"))
    return [each for each in found if model_id is None or model_id in str(each.source)]


def _tag_with_training(client: Any, model: Mapping[str, Any]) -> None:
    """Also link a version to the interpretations that its own run holds, such as those of its training.

    `mlflow.*.autolog` registers a version only after the training, when these are complete.
    """
    source = None
    if model["run_id"]:
        with contextlib.suppress(Exception):  # the run may be deleted, or not be readable
            source = client.get_run(model["run_id"])
    if source is None or METHODS not in source.data.tags:
        return
    known = client.get_model_version(model["name"], model["version"]).tags
    for method in source.data.tags[METHODS].split(","):
        name = f"mlflow_interp.{method}.run_id"
        if name not in known:
            client.set_model_version_tag(model["name"], model["version"], name, model["run_id"])


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
