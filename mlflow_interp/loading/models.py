"""From a URI, a path or a Keras model to a Keras model and where it came from.

Loading runs no code out of the model unless the user says so. MLflow's own loaders import modules
that an MLmodel names and unpickle custom objects, so a model folder is read here: the MLmodel as
plain YAML, and the Keras file inside the folder with Keras' safe mode.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from mlflow_interp.core import weights_digest
from mlflow_interp.exceptions import ModelError, without_password
from mlflow_interp.loading import keras_files, store
from mlflow_interp.loading.choosing import import_modules, only_output
from mlflow_interp.paths import local_path


@dataclass(frozen=True)
class Origin:
    """Where a model came from; None where that is not known.

    Attributes:
        uri: what the user gave: a URI, a path, or "keras.Model" for a model in memory.
        name: its registered name, or the Keras model's own.
        version: its registered version.
        model_id: its LoggedModel id.
        run_id: the run that logged it.
        experiment_id: that run's experiment.
        weights_sha256: digest of all weights in order.
        aliases: those of the registered version, when it was loaded.
        input_shape: of each input without the batch, None where an axis is free.
        parameters: how many numbers the weights are.
    """

    uri: str
    name: str | None = None
    version: str | None = None
    model_id: str | None = None
    run_id: str | None = None
    experiment_id: str | None = None
    weights_sha256: str | None = None
    aliases: tuple[str, ...] = ()
    input_shape: tuple[tuple[int | None, ...], ...] | None = None
    parameters: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, for a manifest."""
        return asdict(self)


@dataclass(frozen=True)
class LoadedModel:
    """A Keras model, where it came from, and what was said about it when it was logged.

    Attributes:
        keras: the model.
        origin: where it came from.
        metadata: the `metadata` given to `log_model`; "class_names" and "preprocess" are read from it.
        input_shape: (None, …) by the MLflow signature, where the model itself has none.
    """

    keras: Any
    origin: Origin
    metadata: Mapping[str, Any] = field(default_factory=dict)
    input_shape: tuple[int | None, ...] | None = None


def digested(loaded: LoadedModel) -> LoadedModel:
    """The model with its size, and the digest of its weights as they are now, which costs a pass."""
    origin = replace(
        loaded.origin,
        weights_sha256=weights_digest(loaded.keras),
        input_shape=_input_shapes(loaded),
        parameters=int(loaded.keras.count_params()) if loaded.keras.built else None,
    )
    return replace(loaded, origin=origin)


def _input_shapes(loaded: LoadedModel) -> tuple[tuple[int | None, ...], ...] | None:
    """The shape of each input, by the model or else by its signature; a subclassed model may tell neither."""
    import keras

    given = getattr(loaded.keras, "inputs", None) or ()
    shapes = [each.shape for each in keras.tree.flatten(given)] or [loaded.input_shape]
    return tuple(tuple(shape[1:]) for shape in shapes if shape is not None) or None


def load_model(
    model: Any,
    *,
    trust_model_code: bool = False,
    imports: str | Sequence[str] | None = None,
    output: str | int | None = None,
) -> LoadedModel:
    """Load a Keras model from wherever it is, running none of its code unless told to.

    Args:
        model: A Keras model; an MLflow URI such as models:/name/3, models:/name@alias,
            models:/name/latest, models:/m-…, runs:/id/path; a local MLflow model folder; a `.keras`
            or `.h5` file.
        trust_model_code: Allow code that the model carries to run: Lambda layers, pickled custom
            objects, modules that its MLmodel names.
        imports: Modules to import before, separated by commas, which register the model's own layers and
            functions with keras.saving.register_keras_serializable.
        output: Which output of a model with several to look at: its name, or its position.

    Raises:
        ModelError: nothing there, not a Keras model, damaged, or in need of its code.
        OptionError: a module that can't be imported, or no such output.
        TrackingError: the tracking server does not answer.
    """
    import_modules(imports)
    loaded = _load(model, trust_model_code)
    return loaded if output is None else replace(loaded, keras=only_output(loaded.keras, output))


def _load(model: Any, trust_model_code: bool) -> LoadedModel:
    if isinstance(model, LoadedModel):
        return model
    if not isinstance(model, (str, Path)):
        return _in_memory(model)
    named = str(model)
    local = store.fetch(named) if store.is_uri(named) else local_path(named)
    if not local.exists():
        raise ModelError(
            f"no model at {named!r}; give models:/name/version, runs:/id/path, an MLflow model folder, "
            "or a .keras or .h5 file"
        )
    if local.is_dir():
        return _from_folder(local, named, trust_model_code)
    keras_model = keras_files.read(local, trust_model_code)
    return LoadedModel(keras_model, Origin(uri=without_password(named), name=keras_model.name))


def _in_memory(model: Any) -> LoadedModel:
    import keras

    if not isinstance(model, keras.Model):
        raise ModelError(
            f"model is a {type(model).__name__}; give a keras.Model, a URI such as models:/name/1, or a path"
        )
    return LoadedModel(model, Origin(uri="keras.Model", name=model.name))


def _from_folder(folder: Path, named: str, trusted: bool) -> LoadedModel:
    mlmodel = _read_mlmodel(folder, named)
    flavors = mlmodel.get("flavors")
    flavors = flavors if isinstance(flavors, dict) else {}
    flavor = flavors.get("keras") or flavors.get("tensorflow")
    if not isinstance(flavor, dict):
        raise ModelError(
            f"{named!r} is no Keras model: its flavors are {', '.join(map(str, flavors)) or 'none'}; "
            "log it with mlflow.keras.log_model or mlflow.tensorflow.log_model"
        )
    if trusted:
        keras_model = _load_trusted(folder, named)
    else:
        keras_model = keras_files.read(_keras_file(folder, flavor, named), trusted)
    metadata = mlmodel.get("metadata")
    return LoadedModel(
        keras_model,
        _origin(named, mlmodel, keras_model),
        metadata if isinstance(metadata, dict) else {},
        _signature_shape(mlmodel),
    )


def _read_mlmodel(folder: Path, named: str) -> dict[str, Any]:
    path = folder / "MLmodel"
    if not path.is_file():
        raise ModelError(f"{named!r} is a folder without an MLmodel file; give the folder log_model made")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(f"the MLmodel file of {named!r} can't be read: {type(error).__name__}") from error
    if not isinstance(content, dict):
        raise ModelError(f"the MLmodel file of {named!r} holds no mapping; log the model anew")
    return content


def _keras_file(folder: Path, flavor: Mapping[str, Any], named: str) -> Path:
    """The Keras file that a flavor names, which must lie inside the folder."""
    data = folder / str(flavor.get("data") or "data").replace("\0", "")
    found = [data] if data.is_file() else sorted(data.glob("*")) if data.is_dir() else []
    if not all(path.resolve().is_relative_to(folder.resolve()) for path in (data, *found)):
        raise ModelError(f"the MLmodel file of {named!r} points outside its own folder; it is not loaded")
    files = [path for path in found if path.suffix in keras_files.SUFFIXES]
    pickled = [path for path in found if path.name.endswith(".cloudpickle")]
    if files and not pickled:
        return files[0]
    if pickled:
        raise ModelError(
            f"{named!r} brings pickled custom objects, which run code when loaded; {keras_files.TRUST}"
        )
    if not any(data.rglob("saved_model.pb")):
        raise ModelError(f"{named!r} holds no Keras file in {data.name!r}, where its MLmodel has it")
    raise ModelError(
        f"{named!r} holds a SavedModel, which has no layers to look into; log the model with "
        "mlflow.keras.log_model(model, …) without save_exported_model"
    )


def _load_trusted(folder: Path, named: str) -> Any:
    import keras
    import mlflow

    try:
        model = mlflow.pyfunc.load_model(str(folder)).get_raw_model()
    # Code that the model brings may raise anything.
    except Exception as error:
        raise ModelError(f"{named!r} can't be loaded by MLflow: {keras_files.shortened(error)}") from error
    if not isinstance(model, keras.Model):
        raise ModelError(f"{named!r} loads as a {type(model).__name__}, which has no layers to look into")
    return model


def _origin(named: str, mlmodel: Mapping[str, Any], keras_model: Any) -> Origin:
    from mlflow import MlflowClient

    run_id = mlmodel.get("run_id")
    name, version = store.registered_version(named)
    aliases = store.aliases(name, version, named) if name and version else ()
    experiment = None
    if run_id and store.is_uri(named):
        run = store.ask(lambda: MlflowClient().get_run(run_id), f"runs:/{run_id}")
        experiment = run.info.experiment_id
    return Origin(
        uri=without_password(named),
        name=name or keras_model.name,
        version=version,
        model_id=mlmodel.get("model_id"),
        run_id=run_id,
        experiment_id=experiment,
        aliases=aliases,
    )


def _signature_shape(mlmodel: Mapping[str, Any]) -> tuple[int | None, ...] | None:
    """The shape of the only input tensor in an MLflow signature, -1 as None."""
    try:
        (tensor,) = yaml.safe_load(mlmodel["signature"]["inputs"])
        return tuple(None if size < 0 else int(size) for size in tensor["tensor-spec"]["shape"])
    except (KeyError, TypeError, ValueError, AttributeError, yaml.YAMLError):
        return None
