"""How to make an interpretation again: the same call for MLflow projects, for the shell and for Python."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from shlex import quote
from typing import Any

# What a manifest says where model or inputs were objects of the caller's own program.
_MODEL_AT_HAND = "keras.Model"
_INPUTS_AT_HAND = ("array", "arrays", "dataset", "data")
_OF_FIT = "data of fit"
_MLFLOWS_OWN = "experiment"  # which `mlflow run` takes as a flag of its own


def mlflow_run(manifest: Mapping[str, Any]) -> str:
    """The `mlflow run` command, to be given in a checkout of mlflow_interp."""
    given = dict(manifest["given"])
    flags = [f"--experiment-name={quote(str(given.pop(_MLFLOWS_OWN)))}"] if _MLFLOWS_OWN in given else []
    values = {"model": _model(manifest), "inputs": _inputs(manifest)} | {
        name: _text(value) for name, value in given.items()
    }
    passed = [f"-P {quote(f'{name}={value}')}" for name, value in values.items()]
    return " ".join(["mlflow run . -e", str(manifest["method"]), *passed, *flags])


def command(manifest: Mapping[str, Any]) -> str:
    """The command line."""
    places = [quote(_not_an_option(each)) for each in (_model(manifest), _inputs(manifest))]
    return " ".join(["mlflow-interp", str(manifest["method"]), *places, *_flags(manifest["given"])])


def _flags(given: Mapping[str, Any]) -> Iterator[str]:
    for name, value in given.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            yield flag if value else flag.replace("--", "--no-", 1)
        else:
            yield quote(f"{flag}={_text(value)}")


def python(manifest: Mapping[str, Any]) -> str:
    """The Python call, with names standing for what was at hand and can't be written down."""
    model = manifest["model"]["uri"]
    inputs = str(manifest["inputs"]["source"])
    arguments = [
        "model" if model == _MODEL_AT_HAND else repr(model),
        "inputs" if _is_at_hand(inputs) else repr(inputs),
        *(f"{name}={_literal(value)}" for name, value in manifest["given"].items()),
        *(f"{name}={name}" for name in manifest.get("at_hand", ())),
    ]
    call = f"mlflow_interp.visualize_{manifest['method']}({', '.join(arguments)})"
    return f"import mlflow_interp\n\nfound = {call}"


def missing(manifest: Mapping[str, Any]) -> list[str]:
    """What of the call was an object of the caller's own program, and has to be at hand again."""
    names = ["model"] if manifest["model"]["uri"] == _MODEL_AT_HAND else []
    names += ["inputs"] if _is_at_hand(str(manifest["inputs"]["source"])) else []
    return [*names, *map(str, manifest.get("at_hand", ()))]


def _is_at_hand(source: str) -> bool:
    return source in _INPUTS_AT_HAND or source.endswith(_OF_FIT)


def _model(manifest: Mapping[str, Any]) -> str:
    uri = str(manifest["model"]["uri"])
    return "MODEL" if uri == _MODEL_AT_HAND else uri


def _inputs(manifest: Mapping[str, Any]) -> str:
    source = str(manifest["inputs"]["source"])
    return "INPUTS" if _is_at_hand(source) else source


def _not_an_option(place: str) -> str:
    return f"./{place}" if place.startswith("-") else place


def _text(value: Any) -> str:
    """A value as the command line takes it: lists with commas between."""
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _literal(value: Any) -> str:
    return repr(str(value) if isinstance(value, Path) else value)
