"""Read an MLmodel file as plain YAML: its flavors, the Keras file that it names, its signature."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mlflow_interp.exceptions import ModelError
from mlflow_interp.models import keras_files


def read_mlmodel(folder: Path, named: str) -> dict[str, Any]:
    """The content of a model folder's MLmodel file.

    Raises:
        ModelError: it is missing or can't be read.
    """
    path = folder / "MLmodel"
    if not path.is_file():
        raise ModelError(f"{named!r} is a folder without an MLmodel file; give a folder that log_model wrote")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(
            f"the MLmodel file of {named!r} can't be read ({type(error).__name__}); log the model again"
        ) from error
    if not isinstance(content, dict):
        raise ModelError(f"the MLmodel file of {named!r} is not a mapping; log the model again")
    return content


def keras_flavor(mlmodel: Mapping[str, Any], named: str) -> Mapping[str, Any]:
    """The flavor of a Keras model in the content of an MLmodel file.

    Raises:
        ModelError: there is none.
    """
    flavors = mlmodel.get("flavors")
    flavors = flavors if isinstance(flavors, dict) else {}
    flavor = flavors.get("keras") or flavors.get("tensorflow")
    if not isinstance(flavor, dict):
        raise ModelError(
            f"{named!r} is not a Keras model: its flavors are {', '.join(map(str, flavors)) or 'none'}; "
            "log it with mlflow.keras.log_model or mlflow.tensorflow.log_model"
        )
    return flavor


def keras_file(folder: Path, flavor: Mapping[str, Any], named: str) -> Path:
    """The Keras file that a flavor names, which must be inside the folder."""
    data = folder / str(flavor.get("data") or "data").replace("\0", "")
    contents = [data] if data.is_file() else sorted(data.glob("*")) if data.is_dir() else []
    if not all(path.resolve().is_relative_to(folder.resolve()) for path in (data, *contents)):
        raise ModelError(
            f"the MLmodel file of {named!r} names a file outside the model folder; log the model again"
        )
    files = [path for path in contents if path.suffix in keras_files.SUFFIXES]
    pickled = [path for path in contents if path.name.endswith(".cloudpickle")]
    if files and not pickled:
        return files[0]
    if pickled:
        raise ModelError(
            f"{named!r} contains pickled custom objects, which run code when loaded; {keras_files.TRUST}"
        )
    if not any(data.rglob("saved_model.pb")):
        raise ModelError(
            f"{named!r} has no Keras file in {data.name!r}, which its MLmodel names; log the model again"
        )
    raise ModelError(
        f"{named!r} contains a SavedModel, which has no layers to interpret; log the model with "
        "mlflow.keras.log_model(model, …) without save_exported_model"
    )


def signature_inputs(mlmodel: Mapping[str, Any]) -> dict[str, tuple[int | None, ...]]:
    """The shapes of the named tensors in an MLflow signature, -1 as None; empty if it names none."""
    try:
        tensors = yaml.safe_load(mlmodel["signature"]["inputs"])
        return {str(each["name"]): _shape(each) for each in tensors}
    except (KeyError, TypeError, ValueError, AttributeError, yaml.YAMLError):
        return {}


def signature_shape(mlmodel: Mapping[str, Any]) -> tuple[int | None, ...] | None:
    """The shape of the only input tensor in an MLflow signature, -1 as None."""
    try:
        (tensor,) = yaml.safe_load(mlmodel["signature"]["inputs"])
        return _shape(tensor)
    except (KeyError, TypeError, ValueError, AttributeError, yaml.YAMLError):
        return None


def _shape(tensor: Mapping[str, Any]) -> tuple[int | None, ...]:
    return tuple(None if size < 0 else int(size) for size in tensor["tensor-spec"]["shape"])
