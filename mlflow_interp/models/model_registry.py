"""MLflow's model registry: the version behind models:/name@alias, its aliases, the experiment of its run."""

from __future__ import annotations

import re
import warnings

from mlflow_interp.models.artifact_store import ask


def registered_version(uri: str) -> tuple[str | None, str | None]:
    """The registered name and version of models:/name/3, models:/name@alias or models:/name/latest."""
    from mlflow import MlflowClient

    match = re.fullmatch(r"models:/+(?P<name>[^/@]+)(?:@(?P<alias>[^/]+)|/(?P<version>[^/]+))", uri)
    if not match:
        return None, None
    name = match["name"]
    alias = match["alias"]
    version = match["version"]
    client = MlflowClient()
    if alias:
        return name, str(ask(lambda: client.get_model_version_by_alias(name, alias), uri).version)
    if version.isdigit():
        return name, version
    stage = None if version.lower() == "latest" else [version]
    with warnings.catch_warnings():  # deprecated, but MLflow itself resolves such a URI with it
        warnings.simplefilter("ignore", FutureWarning)
        versions = ask(lambda: client.get_latest_versions(name, stage), uri)
    return name, str(max((each.version for each in versions), key=int, default="")) or None


def aliases(name: str, version: str, uri: str) -> tuple[str, ...]:
    """The aliases of a registered version, which `uri` names."""
    from mlflow import MlflowClient

    return tuple(ask(lambda: MlflowClient().get_model_version(name, version), uri).aliases)


def experiment_of(run_id: str) -> str:
    """The experiment of a run."""
    from mlflow import MlflowClient

    return str(ask(lambda: MlflowClient().get_run(run_id), f"runs:/{run_id}").info.experiment_id)
