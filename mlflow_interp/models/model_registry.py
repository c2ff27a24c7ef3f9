"""MLflow's model registry: the version that a URI names, and similar names for one that does not exist.

The registry may be Unity Catalog, where names have three parts, models:/catalog.schema.model/3, and versions
have aliases but no stages.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mlflow_interp.exceptions import MissingModelError, ModelError, near, nearest, without_password
from mlflow_interp.models.artifact_store import ask, connect

_URI = re.compile(r"models:/+(?P<name>[^/@]+)(?:@(?P<alias>[^/]+)|/(?P<version>[^/]+))")
_MOST_NAMES = 1000  # registered models that are searched for similar names
_FEW_VERSIONS = 12


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a registered model.

    Attributes:
        name: of the registered model; in Unity Catalog catalog.schema.model.
        version: its number.
        aliases: its aliases.
    """

    name: str
    version: str
    aliases: tuple[str, ...] = ()


def is_unity_catalog(registry_uri: str) -> bool:
    """Whether a registry URI is of Unity Catalog: databricks-uc, databricks-uc://profile or uc:http://host."""
    return registry_uri == "databricks-uc" or urlsplit(registry_uri).scheme in ("databricks-uc", "uc")


def find_version(uri: str) -> RegisteredVersion | None:
    """The registered version that models:/name/3, models:/name@alias or models:/name/latest names.

    Returns:
        None for any other URI.

    Raises:
        MissingModelError: there is no such model, version or alias.
        ModelError: the URI names a stage in Unity Catalog.
        TrackingError: the registry does not answer.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        return None
    import mlflow

    name, alias, version = match["name"], match["alias"], match["version"]
    registry_uri = str(mlflow.get_registry_uri())
    stage = version if version and not version.isdigit() else None
    if stage and is_unity_catalog(registry_uri):
        raise ModelError(
            f"{uri!r} names {stage!r}, but Unity Catalog has neither stages nor 'latest'; give a version "
            f"(models:/{name}/1) or an alias (models:/{name}@champion)"
        )
    client = connect()
    try:
        if stage:
            version = ask(lambda: _latest(client, name, stage), uri)
        if alias:
            found = ask(lambda: client.get_model_version_by_alias(name, alias), uri)
        else:
            found = ask(lambda: client.get_model_version(name, version), uri)
    except ModelError as error:
        missing = _missing(client, name, None if stage else version, alias)
        if missing is None:
            raise
        registry = f"the model registry is {without_password(registry_uri)}"
        raise MissingModelError(f"nothing found at {uri!r}: {missing}; {registry}") from error
    return RegisteredVersion(name, str(found.version), tuple(found.aliases))


def _latest(client: Any, name: str, stage: str) -> str:
    """The number of the latest version, of all versions or of those in a stage."""
    stages = None if stage.lower() == "latest" else [stage]
    with warnings.catch_warnings():  # deprecated, but MLflow itself resolves such a URI with it
        warnings.simplefilter("ignore", FutureWarning)
        versions = client.get_latest_versions(name, stages)
    if not versions:
        raise ValueError(f"no version of {name!r} in stage {stage!r}")
    return str(max(int(each.version) for each in versions))


def _missing(client: Any, name: str, version: str | None, alias: str | None) -> str | None:
    """Which part of a name does not exist, and similar names; None if that can't be determined.

    If the registry refuses a request here, only the similar names are missing: the error itself is known.
    """
    try:
        aliases = client.get_registered_model(name).aliases
    except Exception:
        return f"there is no registered model {name!r}{near(name, _registered_names(client), most=3)}"
    if alias:
        return f"registered model {name!r} has no alias {alias!r}{nearest(alias, sorted(aliases))}"
    return f"registered model {name!r} has no version {version}{_versions(client, name)}" if version else None


def _registered_names(client: Any) -> list[str]:
    with contextlib.suppress(Exception):
        return [each.name for each in client.search_registered_models(max_results=_MOST_NAMES)]
    return []


def _versions(client: Any, name: str) -> str:
    """The versions of a model, as the tail of a message: all if they are few, otherwise the latest."""
    quoted = name.replace("'", "\\'")
    with contextlib.suppress(Exception):
        found = client.search_model_versions(f"name='{quoted}'", max_results=_MOST_NAMES)
        numbers = sorted(int(each.version) for each in found)
        if len(numbers) > _FEW_VERSIONS:
            return f"; the latest is {numbers[-1]}"
        return f"; available: {', '.join(map(str, numbers))}" if numbers else ""
    return ""


def experiment_of(run_id: str) -> str:
    """The experiment of a run."""
    from mlflow import MlflowClient

    return str(ask(lambda: MlflowClient().get_run(run_id), f"runs:/{run_id}").info.experiment_id)
