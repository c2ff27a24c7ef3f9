"""Messages about responses 401 and 403: which user, and what to set or request."""

from __future__ import annotations

import mlflow
import pytest
import requests
from mlflow.exceptions import MlflowException, RestException

from mlflow_interp.exceptions import TrackingError
from mlflow_interp.models.artifact_store import ask
from mlflow_interp.models.refusals import CREATE, LOG, in_words, refusal

SERVER = "https://me:secret@mlflow.example.org"
UNKNOWN = RestException({"error_code": "UNAUTHENTICATED", "message": "no"})
FORBIDDEN = RestException({"error_code": "PERMISSION_DENIED", "message": "no"})


@pytest.fixture
def given(monkeypatch):
    """A function that sets the address of the server and the credentials."""
    for name in ("USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)

    def give(uri="https://mlflow.example.org", **credentials):
        monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: uri)
        monkeypatch.setattr(mlflow, "get_registry_uri", lambda: uri)
        for name, value in credentials.items():
            monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", value)

    return give


def http_error(status):
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError("refused", response=response)


@pytest.mark.parametrize(
    ("uri", "credentials", "who"),
    [
        ("https://mlflow.example.org", {}, "requires a user and a password, but neither is given"),
        ("https://mlflow.example.org", {"USERNAME": "bob"}, "but only one of them is given"),
        ("https://mlflow.example.org", {"PASSWORD": "hidden"}, "but only one of them is given"),
        ("https://mlflow.example.org", {"TOKEN": "hidden"}, "the token in MLFLOW_TRACKING_TOKEN"),
        (
            "https://mlflow.example.org",
            {"USERNAME": "bob", "PASSWORD": "hidden", "TOKEN": "hidden"},  # MLflow sends the password
            "user 'bob' with the given password",
        ),
        (SERVER, {}, "user 'me' with the given password"),
    ],
)
@pytest.mark.parametrize("error", [UNKNOWN, http_error(401)])
def test_unknown_user(given, error, uri, credentials, who):
    given(uri, **credentials)
    said = refusal(error, "runs:/0/model")
    assert said.startswith("the server https://mlflow.example.org ")
    assert who in said
    assert said.endswith(
        "; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
    )
    assert "hidden" not in said
    assert "secret" not in said


@pytest.mark.parametrize("error", [FORBIDDEN, http_error(403)])
def test_user_without_permission(given, error):
    given(USERNAME="bob", PASSWORD="hidden")
    assert refusal(error, "models:/m/1") == (
        "user 'bob' may not read 'models:/m/1' on https://mlflow.example.org, or it does not exist; check "
        "its name, or ask an administrator for READ permission on it"
    )
    assert refusal(error, "run 0", LOG) == (
        "user 'bob' may not log to 'run 0' on https://mlflow.example.org; ask an administrator for "
        "EDIT permission on it"
    )
    assert refusal(error, "experiment e", CREATE).endswith("administrator for permission to create it")


def test_token_without_permission(given):
    given(TOKEN="hidden")
    assert refusal(FORBIDDEN, "run 0").startswith(
        "the owner of the token in MLFLOW_TRACKING_TOKEN may not read"
    )


def test_missing_permission_hidden_by_mlflow(given):
    """Such as for the current experiment, which MLflow reports as missing."""
    given(USERNAME="bob", PASSWORD="hidden")
    hidden = MlflowException("does not exist", error_code=1000)
    hidden.__cause__ = FORBIDDEN

    def question():
        raise hidden

    with pytest.raises(TrackingError, match="user 'bob' may not read 'the current experiment'"):
        ask(question, "the current experiment")


@pytest.mark.parametrize("status", [400, 404, 500])
def test_other_errors_are_not_permission_errors(given, status):
    given()
    assert refusal(http_error(status), "runs:/0/model") is None
    assert in_words(http_error(status), "runs:/0/model") == "refused"


@pytest.mark.parametrize("about", ["s3://bucket/model", "gs://bucket/model"])
def test_bucket_has_other_users(given, about):
    given()
    assert refusal(http_error(403), about) is None


@pytest.mark.parametrize("uri", ["sqlite:///mlflow.db", "databricks", "./mlruns"])
def test_variables_apply_to_mlflow_servers_only(given, uri):
    given(uri)
    assert refusal(FORBIDDEN, "run 0") is None
