"""Messages about refused requests: who was refused what, and what to do about it.

MLflow's servers answer 401 to an unknown user, and 403 to a known user without the permission.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from mlflow_interp.exceptions import first_line, without_password

READ, LOG, CREATE, TAG = "read", "log to", "create", "tag"
#: The permission that each needs, by MLflow's name.
_PERMISSIONS = {READ: "READ", LOG: "EDIT", TAG: "EDIT"}
CREDENTIALS = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"


def in_words(error: Exception, about: str, action: str = READ) -> str:
    """The message about a refused request, or the first line of any other error."""
    return refusal(error, about, action) or first_line(error)


def refusal(error: Exception, about: str, action: str = READ) -> str | None:
    """The message about a refused request, for an error that stands for one; None for any other error.

    Args:
        error: what MLflow or a client of its server raised.
        about: the object of the request, such as "run 0a1b" or "models:/name/1".
        action: `READ`, `LOG`, `CREATE` or `TAG`.
    """
    server = _server(about)
    if server is None:
        return None
    status = next((each for each in map(_status, _causes(error)) if each in (401, 403)), None)
    if status == 401:
        return unknown_user(server)
    return forbidden(server, about, action) if status == 403 else None


def unknown_user(server: str) -> str:
    """The message about a server that doesn't know the user, or was given none."""
    return f"the server {without_password(server)} {_not_accepted(server)}; set {CREDENTIALS}"


def forbidden(server: str, about: str, action: str) -> str:
    """The message about a server that knows the user, who lacks a permission."""
    permission = _PERMISSIONS.get(action)
    needed = f"{permission} permission on it" if permission else f"permission to {action} it"
    # A server doesn't reveal whether something exists to a user who may not read it.
    unless_missing = ", or it does not exist" if action == READ else ""
    ask = "check its name, or ask" if action == READ else "ask"
    refused = f"{_user(server)} may not {action} {about!r} on {without_password(server)}{unless_missing}"
    return f"{refused}; {ask} an administrator for {needed}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and its causes: MLflow reports some refusals as objects that do not exist."""
    while error is not None:
        yield error
        error = error.__cause__


def _status(error: BaseException) -> int | None:
    """The HTTP status of an error; None if it has none."""
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        return int(error.get_http_status_code())
    return getattr(getattr(error, "response", None), "status_code", None)


def _server(about: str) -> str | None:
    """The address of the server that is asked; None if it is not an MLflow server."""
    import mlflow

    if urlsplit(about).scheme not in ("", "models", "runs", "mlflow-artifacts", "http", "https"):
        return None
    registry = about.startswith("models:/") and not about.startswith("models:/m-")
    uri = str(mlflow.get_registry_uri() if registry else mlflow.get_tracking_uri())
    return uri if urlsplit(uri).scheme in ("http", "https") else None


def _not_accepted(server: str) -> str:
    given = _credentials(server)
    if given == ("", ""):
        return "requires a user and a password, but neither is given"
    name, kind = given
    if kind == "token":
        return "does not accept the token in MLFLOW_TRACKING_TOKEN"
    if kind == "password":
        return f"does not accept user {name!r} with the given password"
    return "requires a user and a password, but only one of them is given"


def _user(server: str) -> str:
    name, kind = _credentials(server)
    if kind == "token":
        return "the owner of the token in MLFLOW_TRACKING_TOKEN"
    return f"user {name!r}" if name else "this user"


def _credentials(server: str) -> tuple[str, str]:
    """The name of the user, and the kind of credentials: "password", "token", "half" or ""."""
    from mlflow.utils.credentials import get_default_host_creds

    given = get_default_host_creds(server)
    if given.username and given.password:
        return str(given.username), "password"
    if given.token:
        return "", "token"
    if given.username or given.password:
        return str(given.username or ""), "half"
    name = urlsplit(server).username
    return (name, "password") if name else ("", "")
