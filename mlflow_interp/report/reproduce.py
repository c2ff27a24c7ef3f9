"""How to reproduce an interpretation: the call for MLflow projects, for the shell and for Python."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from mlflow_interp.method_registry import DISTRIBUTION

# What a manifest holds if model or inputs were objects in the caller's program.
_MODEL_IN_MEMORY = "keras.Model"
_INPUTS_IN_MEMORY = ("array", "arrays", "dataset", "data", "tf.data.Dataset", "keras.utils.PyDataset")
_FIT_SUFFIX = "data of fit"
_MLFLOW_OPTION = "experiment"  # which `mlflow run` takes as its own flag
# Options that manifests of schema version 1 hold under earlier names.
_RENAMED = {
    "caricature": {"steps": "ascent_steps", "learning_rate": "ascent_rate"},
    "saliency": {"samples": "noise_samples", "steps": "path_steps"},
}


def mlflow_run(manifest: Mapping[str, Any]) -> str:
    """The `mlflow run` command, to be run in a checkout of mlflow_interp and its environment."""
    given = _given(manifest)
    flags = [f"--experiment-name={quote(str(given.pop(_MLFLOW_OPTION)))}"] if _MLFLOW_OPTION in given else []
    values = {"model": _model(manifest), "inputs": _inputs(manifest)} | {
        name: _text(value) for name, value in given.items()
    }
    parameters = [f"-P {quote(f'{name}={value}')}" for name, value in values.items()]
    method = str(manifest["method"])
    # MLproject has an entry point for each method of this package; `main` takes all.
    is_own = manifest.get("package", {}).get("name", DISTRIBUTION) == DISTRIBUTION
    entry = ["-e", method] if is_own else ["-P", quote(f"methods={method}")]
    return " ".join(["mlflow run . --env-manager local", *entry, *parameters, *flags])


def command(manifest: Mapping[str, Any]) -> str:
    """The command line."""
    arguments = [quote(_as_argument(each)) for each in (_model(manifest), _inputs(manifest))]
    return " ".join(["mlflow-interp", str(manifest["method"]), *arguments, *flags_of(_given(manifest))])


def flags_of(given: Mapping[str, Any]) -> Iterator[str]:
    """Options as flags of a command."""
    for name, value in given.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            yield flag if value else flag.replace("--", "--no-", 1)
        else:
            yield quote(f"{flag}={_text(value)}")


def python(manifest: Mapping[str, Any]) -> str:
    """The Python call, with variables for objects that were in memory and can't be written as text."""
    model = manifest["model"]["uri"]
    inputs = str(manifest["inputs"]["source"])
    arguments = [
        "model" if model == _MODEL_IN_MEMORY else repr(model),
        "inputs" if _is_in_memory(inputs) else repr(inputs),
        *(f"{name}={_literal(value)}" for name, value in _given(manifest).items()),
        *(f"{name}={name}" for name in manifest.get("at_hand", ())),
    ]
    call = f"mlflow_interp.visualize_{manifest['method']}({', '.join(arguments)})"
    return f"import mlflow_interp\n\nfound = {call}"


def missing(manifest: Mapping[str, Any]) -> list[str]:
    """The arguments that were objects in the caller's program, and must be in memory again."""
    names = ["model"] if manifest["model"]["uri"] == _MODEL_IN_MEMORY else []
    names += ["inputs"] if _is_in_memory(str(manifest["inputs"]["source"])) else []
    return [*names, *map(str, manifest.get("at_hand", ()))]


def _given(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, under their current names."""
    is_earlier = manifest.get("schema_version") == 1
    renamed = _RENAMED.get(str(manifest["method"]), {}) if is_earlier else {}
    return {renamed.get(name, name): value for name, value in manifest["given"].items()}


def _is_in_memory(source: str) -> bool:
    return source in _INPUTS_IN_MEMORY or source.endswith(_FIT_SUFFIX)


def _model(manifest: Mapping[str, Any]) -> str:
    uri = str(manifest["model"]["uri"])
    return "MODEL" if uri == _MODEL_IN_MEMORY else uri


def _inputs(manifest: Mapping[str, Any]) -> str:
    source = str(manifest["inputs"]["source"])
    return "INPUTS" if _is_in_memory(source) else source


def _as_argument(text: str) -> str:
    return f"./{text}" if text.startswith("-") else text


def _text(value: Any) -> str:
    """A value as the command line takes it: lists separated by commas, mappings as JSON."""
    if isinstance(value, Mapping):
        return json.dumps(value)
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _literal(value: Any) -> str:
    return repr(str(value) if isinstance(value, Path) else value)
