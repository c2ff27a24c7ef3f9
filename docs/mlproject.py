"""The MLproject file, made from the methods: an entry point for each, and `main` for several at once."""

from __future__ import annotations

from typing import Any

import yaml

from mlflow_interp.cli.options import MLFLOW_PARAMETERS
from mlflow_interp.method_registry import own_method_names

_HEAD = """\
# Made by `make generated`. All options of a method are parameters: -P target=cup, for example. Those that are
# declared here always have a value. MLflow would log the others even if empty, and show them on its cards.
"""


def render() -> str:
    """The text of the MLproject file."""
    points = {"main": _entry_point("interpret", {"methods": {"type": "string", "default": "all"}})}
    points |= {method: _entry_point(method, {}) for method in own_method_names()}
    points["compare"] = _entry_point("compare", {}, ("old", "new", "inputs"))
    content = {"name": "mlflow_interp", "conda_env": "conda.yaml", "entry_points": points}
    return _HEAD + yaml.safe_dump(content, sort_keys=False, width=1000)


def _entry_point(
    command: str, more: dict[str, dict[str, Any]], arguments: tuple[str, ...] = ("model", "inputs")
) -> dict[str, Any]:
    # Of type `path`, "." becomes the folder that `mlflow run` was called from. The inputs themselves can't
    # be of that type: MLflow takes neither globs nor keras:… for one, and leaves the run RUNNING.
    place = {"relative_to": {"type": "path", "default": "."}}
    parameters = {name: {"type": "string"} for name in arguments} | more | place
    flags = [f"--{name}={{{name}}}" for name in parameters if name not in arguments]
    given = " ".join(f"{{{name}}}" for name in arguments)
    # MLflow appends all other parameters as `--name value`.
    parts = ["python -m mlflow_interp", command, *flags, given, MLFLOW_PARAMETERS]
    return {"parameters": parameters, "command": " ".join(parts)}
