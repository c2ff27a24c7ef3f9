"""Check, before anything is loaded, whether the user may log to the destination.

Only a server that knows its users answers such requests, as MLflow's basic-auth app does. Otherwise, a
missing permission shows when the run is created.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any
from urllib.parse import urlsplit

from mlflow_interp.exceptions import TrackingError
from mlflow_interp.models.artifact_store import SECONDS_TO_ANSWER, ask, check_reachable
from mlflow_interp.models.refusals import LOG, forbidden, unknown_user
from mlflow_interp.tracking.destination import mlflow_client, tracking_uri

_CURRENT_USER = "/api/2.0/mlflow/users/current"
_PERMISSION = "/api/3.0/mlflow/users/permissions/get"
_TOO_LITTLE = ("READ", "USE", "DENY", "NO_PERMISSIONS")  # not enough to log; any other is left to the server


def check_user() -> str | None:
    """Check that the tracking server knows the user; returns the user's name if the server reports it.

    Raises:
        TrackingError: the server does not know the user, no user is given, or it does not answer.
    """
    if urlsplit(tracking_uri()).scheme not in ("http", "https"):
        return None
    check_reachable()
    answer = _get(_CURRENT_USER)
    if getattr(answer, "status_code", None) == 401:
        raise TrackingError(unknown_user(tracking_uri()))
    user = _json(answer).get("user")
    return str(user["username"]) if isinstance(user, dict) and user.get("username") else None


def check_may_log(run_id: str | None, experiment: str | None, own: str | None) -> None:
    """Check that the user may log to a run, or create one, if the server reports permissions.

    Args:
        run_id: the run to log to, None for a new one.
        experiment: the name of the experiment that the user named.
        own: the id of the experiment of the model's own run.

    Raises:
        TrackingError: the user is unknown, or may not log there.
    """
    user = check_user()
    if user is None:
        return
    if run_id is not None:
        experiment_id = ask(lambda: mlflow_client().get_run(run_id), f"run {run_id}").info.experiment_id
    else:
        experiment_id = _existing_experiment(experiment, own)
    if experiment_id is None:
        return
    about = {"username": user, "resource_type": "experiment", "resource_id": experiment_id}
    permission = _json(_get(_PERMISSION, about)).get("permission")
    if permission in _TOO_LITTLE:
        refused = forbidden(tracking_uri(), f"experiment {experiment or _name(experiment_id)}", LOG)
        instead = "" if run_id is not None else ", or name another experiment"
        raise TrackingError(f"{refused} (now {permission}){instead}")


def _existing_experiment(experiment: str | None, own: str | None) -> str | None:
    """The id of the experiment that a new run will be in; None if it does not exist yet."""
    name = experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME")
    if name:
        found = ask(lambda: mlflow_client().get_experiment_by_name(name), f"experiment {name}")
        return None if found is None else str(found.experiment_id)
    return os.environ.get("MLFLOW_EXPERIMENT_ID") or own or _current_experiment()


def _name(experiment_id: str) -> str:
    """The name of an experiment; its id if the user may not read it."""
    with contextlib.suppress(Exception):
        return str(mlflow_client().get_experiment(experiment_id).name)
    return experiment_id


def _current_experiment() -> str:
    from mlflow.tracking.fluent import _get_experiment_id

    return str(ask(_get_experiment_id, "the current experiment"))


def _get(endpoint: str, params: dict[str, Any] | None = None) -> Any:
    """The answer to a request; None if it fails, as these requests are optional."""
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    creds = get_default_host_creds(tracking_uri())
    try:
        return http_request(creds, endpoint, "GET", params=params, max_retries=0, timeout=SECONDS_TO_ANSWER)
    # A server that doesn't answer this request may still answer the following ones.
    except Exception:
        return None


def _json(answer: Any) -> dict[str, Any]:
    """The object in an answer; empty for a refusal, or for a page of another server."""
    try:
        content = answer.json() if answer is not None and answer.status_code == 200 else {}
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
