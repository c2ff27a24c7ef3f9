"""The MLproject file, made from the signatures of the methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from mlflow_interp.method_registry import own_method_names
from mlflow_interp.options import Option, options_of, shared_options

# `mlflow run` itself says where results go and what is shown.
_LEFT_TO_MLFLOW = "run"


def render() -> str:
    """The text of the MLproject file: an entry point a method, and `main` for several at once."""
    shared = {"methods": {"type": "string", "default": "all"}}
    points = {"main": _entry_point("interpret", shared_options(), shared)}
    points |= {method: _entry_point(method, options_of(method), {}) for method in own_method_names()}
    content = {"name": "mlflow_interp", "conda_env": "conda.yaml", "entry_points": points}
    head = "# Made by `make generated` from the signatures of the methods; empty means the default.\n"
    return head + yaml.safe_dump(content, sort_keys=False, width=1000)


def _entry_point(
    command: str, options: Mapping[str, Option], more: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    own = {
        name: {"type": "string", "default": ""}
        for name, option in options.items()
        if option.stage != _LEFT_TO_MLFLOW and not option.forwarded  # -P takes those all the same
    }
    # Of type `path`, "." becomes the folder that `mlflow run` was called from. The inputs themselves can't
    # be of that type: MLflow takes neither globs nor keras:… for one, and leaves the run RUNNING.
    place = {"relative_to": {"type": "path", "default": "."}}
    gate = {"fail_if": {"type": "string", "default": ""}}
    parameters = {"model": {"type": "string"}, "inputs": {"type": "string"}, **more, **own, **gate, **place}
    flags = [f"--{name}={{{name}}}" for name in parameters if name not in ("model", "inputs")]
    return {
        "parameters": parameters,
        "command": " ".join(["python -m mlflow_interp", command, *flags, "{model} {inputs}"]),
    }
