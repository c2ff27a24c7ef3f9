"""Load a Keras model, with its origin, from a URI, a path or an object.

Loading runs no code of the model unless the user allows it. MLflow's own loaders import modules that an
MLmodel names and unpickle custom objects, so a model folder is read here: the MLmodel as plain YAML, and the
Keras file inside the folder with Keras' safe mode.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlflow_interp.core.paths import local_path
from mlflow_interp.exceptions import ModelError, OptionError, nearest, without_password
from mlflow_interp.models import artifact_store, keras_files, model_registry
from mlflow_interp.models.custom_objects import import_modules
from mlflow_interp.models.mlmodel import keras_file, read_mlmodel, signature_shape
from mlflow_interp.models.origin import LoadedModel, Origin


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
    local = artifact_store.fetch(named) if artifact_store.is_uri(named) else local_path(named)
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
    mlmodel = read_mlmodel(folder, named)
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
        keras_model = keras_files.read(keras_file(folder, flavor, named), trusted)
    metadata = mlmodel.get("metadata")
    return LoadedModel(
        keras_model,
        _origin(named, mlmodel, keras_model),
        metadata if isinstance(metadata, dict) else {},
        signature_shape(mlmodel),
    )


def _load_trusted(folder: Path, named: str) -> Any:
    import keras

    try:
        model = artifact_store.load_with_mlflow(folder)
    # Code that the model brings may raise anything.
    except Exception as error:
        raise ModelError(f"{named!r} can't be loaded by MLflow: {keras_files.shortened(error)}") from error
    if not isinstance(model, keras.Model):
        raise ModelError(f"{named!r} loads as a {type(model).__name__}, which has no layers to look into")
    return model


def _origin(named: str, mlmodel: Mapping[str, Any], keras_model: Any) -> Origin:
    run_id = mlmodel.get("run_id")
    name, version = model_registry.registered_version(named)
    aliases = model_registry.aliases(name, version, named) if name and version else ()
    experiment = None
    if run_id and artifact_store.is_uri(named):
        experiment = model_registry.experiment_of(run_id)
    return Origin(
        uri=without_password(named),
        name=name or keras_model.name,
        version=version,
        model_id=mlmodel.get("model_id"),
        run_id=run_id,
        experiment_id=experiment,
        aliases=aliases,
    )


def only_output(model: Any, output: str | int | None) -> Any:
    """The model with one of its outputs, by name or position; unchanged for None.

    Raises:
        ModelError: the model's outputs have no names, as it is subclassed.
        OptionError: there is no such output.
    """
    import keras

    if output is None:
        return model
    names = list(getattr(model, "output_names", ()))
    if not names or not getattr(model, "outputs", None):
        raise ModelError(
            f"output is {output!r}, and the outputs of model {model.name!r}, which is subclassed, can't be "
            "told apart; leave output out, or wrap it in a model that gives one"
        )
    positions = {str(index): index for index in range(len(names))} | {
        name: index for index, name in enumerate(names)
    }
    if str(output) not in positions:
        raise OptionError(f"model {model.name!r} has no output {output!r}{nearest(output, names)}")
    return keras.Model(model.input, model.outputs[positions[str(output)]], name=model.name)
