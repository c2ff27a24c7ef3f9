"""Read from MLflow's stores: artifacts and registered versions, with errors a user can act on."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from mlflow_interp import progress
from mlflow_interp.core.paths import local_path
from mlflow_interp.core.process_switch import ProcessSwitch
from mlflow_interp.exceptions import ModelError, TrackingError, first_line, without_password
from mlflow_interp.models.refusals import READ, refusal

T = TypeVar("T")
SECONDS_TO_ANSWER = 10
_URI = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:/")  # models:/name/1, runs:/id/path, s3://bucket/path


def is_uri(name: str) -> bool:
    """Whether a text is an artifact URI rather than a path."""
    return bool(_URI.match(name))


def is_local(uri: str) -> bool:
    """Whether a tracking or artifact URI names a disk of this machine."""
    # "databricks" and "databricks-uc" look like relative paths.
    return not uri.startswith("databricks") and urlsplit(uri).scheme in ("", "file", "sqlite")


def check_reachable() -> None:
    """Check that the tracking server answers, as MLflow itself retries for minutes.

    Raises:
        TrackingError: no answer in 10 seconds.
    """
    import mlflow

    uri = mlflow.get_tracking_uri()
    _check_answers(uri, "tracking server", "--tracking-uri or MLFLOW_TRACKING_URI")


def _check_answers(uri: str, what: str, named_by: str) -> None:
    """Check that a server with an HTTP address answers; others, such as databricks-uc, are left to MLflow."""
    import requests

    if urlsplit(uri).scheme not in ("http", "https"):
        return
    try:
        requests.get(uri.rstrip("/") + "/health", timeout=SECONDS_TO_ANSWER)
    except requests.RequestException as error:
        raise TrackingError(
            f"the {what} {without_password(uri)} does not answer ({type(error).__name__}); start it, or set "
            f"another with {named_by}"
        ) from error


def connect() -> Any:
    """MLflow's client for the current tracking and registry URIs.

    Raises:
        TrackingError: a server does not answer, or MLflow does not support the URI.
    """
    import mlflow

    check_reachable()
    if mlflow.get_registry_uri() != mlflow.get_tracking_uri():
        # Unity Catalog has addresses such as uc:http://host.
        _check_answers(mlflow.get_registry_uri().removeprefix("uc:"), "model registry", "MLFLOW_REGISTRY_URI")
    try:
        return mlflow.MlflowClient()
    # Each kind of store has errors of its own.
    except Exception as error:
        reason = first_line(error).partition(". ")[0]
        raise TrackingError(
            f"the tracking URI {mlflow.get_tracking_uri()} can't be used: {reason}; set another "
            "with --tracking-uri or MLFLOW_TRACKING_URI"
        ) from error


def fetch(uri: str) -> Path:
    """The local path of an artifact URI, downloaded if it is not on this machine.

    Raises:
        ModelError: there is nothing at the URI.
        TrackingError: the server or the artifact store does not answer, or refuses access.
    """
    import mlflow

    check_reachable()
    if _is_elsewhere(uri):
        progress.say(f"Downloading {without_password(uri)}…")
    with without_progress_bar():
        return Path(ask(lambda: mlflow.artifacts.download_artifacts(artifact_uri=uri), uri))


def fetched(path: str | Path) -> Path:
    """A path on this machine, downloaded if it is an artifact.

    Raises:
        ModelError: the artifact does not exist.
    """
    return fetch(str(path)) if is_uri(str(path)) else local_path(path)


def _is_elsewhere(uri: str) -> bool:
    """Whether an artifact is on another machine, as far as its URI or the tracking URI shows that."""
    import mlflow

    in_mlflow = urlsplit(uri).scheme in ("models", "runs", "mlflow-artifacts")
    return not is_local(mlflow.get_tracking_uri() if in_mlflow else uri)


def ask(question: Callable[[], T], about: str, action: str = READ) -> T:
    """Call MLflow and turn its errors into ours.

    Args:
        question: calls MLflow.
        about: names the object in messages.
        action: what the call does with the object, as `refusals` names it.

    Raises:
        ModelError: the object does not exist.
        TrackingError: the server does not answer, or refuses access.
    """
    try:
        return question()
    except Exception as error:
        refused = refusal(error, about, action)
        if refused is not None:
            raise TrackingError(refused) from error
        raise _as_ours(error, about) from error


def _as_ours(error: Exception, about: str) -> ModelError | TrackingError:
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        reason = first_line(error)
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND"):
            return ModelError(f"nothing found at {about!r}: {reason}{_hint(about)}")
        return TrackingError(
            f"MLflow could not access {about!r}: {reason}; check its name and your permissions"
        )
    if isinstance(error, (OSError, ValueError)):
        return ModelError(f"nothing found at {about!r}: {first_line(error)}{_hint(about)}")
    # Each artifact store has a client of its own, with errors of its own.
    return TrackingError(
        f"MLflow could not access {about!r}: {first_line(error)}; check its name and your permissions"
    )


def _hint(about: str) -> str:
    """What to check if nothing was found: most often, the tracking URI is not the one the user expects."""
    import mlflow

    if about.startswith("models:") and mlflow.get_registry_uri() != mlflow.get_tracking_uri():
        return f"; check its name and the registry URI ({mlflow.get_registry_uri()})"
    if about.startswith(("models:", "runs:", "run ")):
        return f"; check its name and the tracking URI ({mlflow.get_tracking_uri()})"
    return "; check its address"


def load_with_mlflow(folder: Path) -> Any:
    """The model in a folder, loaded by MLflow, which runs the code that the model contains."""
    import mlflow

    return mlflow.pyfunc.load_model(str(folder)).get_raw_model()


@contextmanager
def _hidden_progress_bar() -> Iterator[None]:
    name = "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"
    previous = os.environ.get(name)
    os.environ[name] = "false"
    try:
        yield
    finally:
        if previous is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = previous


#: Hides MLflow's download progress bar, which would mix with ours.
without_progress_bar = ProcessSwitch(_hidden_progress_bar)
