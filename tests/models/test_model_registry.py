"""Resolving URIs in a registry, and suggesting similar names; Unity Catalog without a network."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import mlflow
import pytest
from mlflow.exceptions import RestException

from mlflow_interp.exceptions import ModelError, TrackingError
from mlflow_interp.models import artifact_store
from mlflow_interp.models.model_registry import RegisteredVersion, find_version, is_unity_catalog


class Catalog:
    """A registry client with one model of two versions."""

    name = "prod.vision.classifier"
    versions: ClassVar[dict[str, tuple[str, ...]]] = {"1": ("champion",), "2": ()}
    lists = True

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get_model_version(self, name: str, version: str) -> Any:
        self.asked.append(f"{name}/{version}")
        if name != self.name or version not in self.versions:
            raise registry_error()
        return SimpleNamespace(version=int(version), aliases=list(self.versions[version]))

    def get_model_version_by_alias(self, name: str, alias: str) -> Any:
        self.asked.append(f"{name}@{alias}")
        for version, aliases in self.versions.items():
            if name == self.name and alias in aliases:
                return SimpleNamespace(version=version, aliases=list(aliases))
        raise registry_error()

    def get_registered_model(self, name: str) -> Any:
        if name != self.name:
            raise registry_error()
        return SimpleNamespace(aliases={"champion": "1"})

    def get_latest_versions(self, name: str, stages: list[str] | None) -> Any:
        raise AssertionError("Unity Catalog has no stages")

    def search_registered_models(self, max_results: int) -> list[Any]:
        assert max_results <= 1000
        if not self.lists:
            raise RestException({"error_code": "PERMISSION_DENIED", "message": "may not list"})
        return [SimpleNamespace(name=self.name), SimpleNamespace(name="prod.text.tagger")]

    def search_model_versions(self, query: str, max_results: int) -> list[Any]:
        assert query == f"name='{self.name}'"
        return [SimpleNamespace(version=version) for version in self.versions]


def registry_error(code: str = "RESOURCE_DOES_NOT_EXIST") -> RestException:
    return RestException({"error_code": code, "message": "no such thing\nin many words"})


@pytest.fixture(params=["databricks-uc", "databricks-uc://profile", "uc:http://127.0.0.1:9"])
def catalog(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    client = Catalog()
    monkeypatch.setattr(mlflow, "get_registry_uri", lambda: request.param)
    monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: "databricks")
    monkeypatch.setattr(mlflow, "MlflowClient", lambda: client)
    monkeypatch.setattr("requests.get", lambda *_, **__: None)
    return client


def test_names_with_three_parts(catalog: Catalog) -> None:
    name = "prod.vision.classifier"
    assert find_version(f"models:/{name}/1") == RegisteredVersion(name, "1", ("champion",))
    assert find_version(f"models:/{name}/2") == RegisteredVersion(name, "2")
    assert find_version(f"models:/{name}@champion") == RegisteredVersion(name, "1", ("champion",))
    assert catalog.asked == [f"{name}/1", f"{name}/2", f"{name}@champion"]


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("models:/prod.vision.classifier/7", "has no version 7; available: 1, 2;"),
        ("models:/prod.vision.classifier@champoin", "has no alias 'champoin'; nearest: champion;"),
        (
            "models:/prod.vision.clasifier/1",
            "there is no registered model 'prod.vision.clasifier'; nearest: prod.vision.classifier;",
        ),
    ],
)
def test_similar_names_are_suggested(catalog: Catalog, uri: str, expected: str) -> None:
    with pytest.raises(ModelError) as caught:
        find_version(uri)
    message = str(caught.value)
    assert message.startswith(f"nothing found at {uri!r}: ")
    assert expected in message
    assert message.endswith(f"; the model registry is {mlflow.get_registry_uri()}")


def test_registry_without_permission_to_list(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Catalog, "lists", False)
    with pytest.raises(ModelError, match=r"there is no registered model 'a.b.c'; the model registry is"):
        find_version("models:/a.b.c/1")


def test_latest_of_many_versions_is_named(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Catalog, "versions", {str(number): () for number in range(1, 40)})
    with pytest.raises(ModelError, match="has no version 40; the latest is 39;"):
        find_version("models:/prod.vision.classifier/40")


@pytest.mark.parametrize("stage", ["latest", "Production"])
def test_unity_catalog_has_no_stages(catalog: Catalog, stage: str) -> None:
    with pytest.raises(ModelError) as caught:
        find_version(f"models:/prod.vision.classifier/{stage}")
    assert str(caught.value) == (
        f"'models:/prod.vision.classifier/{stage}' names {stage!r}, but Unity Catalog has neither stages nor "
        "'latest'; give a version (models:/prod.vision.classifier/1) or an alias "
        "(models:/prod.vision.classifier@champion)"
    )
    assert not catalog.asked


def test_denied_access_is_not_reported_as_missing(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise registry_error("PERMISSION_DENIED")

    monkeypatch.setattr(Catalog, "get_model_version", refuse)
    with pytest.raises(TrackingError, match=r"MLflow could not access 'models:/a.b.c/1': PERMISSION_DENIED"):
        find_version("models:/a.b.c/1")


@pytest.mark.parametrize(
    "uri", ["models:/m-0123", "runs:/0/model", "model.keras", "s3://a/b@c", "models:/a/1/b"]
)
def test_other_uris_have_no_version(uri: str) -> None:
    assert find_version(uri) is None


def test_registries_are_distinguished() -> None:
    assert all(map(is_unity_catalog, ("databricks-uc", "databricks-uc://profile", "uc:http://host:8080")))
    others = (
        "databricks",
        "databricks://profile",
        "http://uc",
        "sqlite:///uc.db",
        "/databricks-uc",
        "mlruns",
    )
    assert not any(map(is_unity_catalog, others))


@pytest.mark.parametrize("uri", ["databricks", "databricks://profile", "databricks-uc"])
def test_databricks_is_not_checked_for_a_reachable_server(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("requests.get", lambda *_, **__: pytest.fail("asked"))
    monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: uri)
    artifact_store.check_reachable()
    assert not artifact_store.is_local(uri)


@pytest.mark.parametrize("scheme", ["http", "uc:http"])
def test_separate_registry_server_is_checked(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow, "get_registry_uri", lambda: f"{scheme}://me:secret@127.0.0.1:9")
    with pytest.raises(
        TrackingError, match=r"registry http://127\.0\.0\.1:9 does not answer .*_REGISTRY_URI"
    ):
        find_version("models:/any/1")


def test_hint_names_the_registry(catalog: Catalog) -> None:
    def refuse() -> Any:
        raise registry_error("NOT_FOUND")

    with pytest.raises(ModelError, match=r"and the registry URI \((databricks-uc|uc:)"):
        artifact_store.ask(refuse, "models:/a.b.c/1")
