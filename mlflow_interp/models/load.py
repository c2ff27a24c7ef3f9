"""Load a Keras model, with its origin, from a URI, a path or an object.

Loading has two steps. The first finds the files; it needs neither Keras nor TensorFlow, and MLflow only for
URIs, so wrong names are reported at once. The second reads the files.

Loading runs no code from the model unless the user allows it. MLflow's own loaders import modules that an
MLmodel names and unpickle custom objects, so model folders are read here: the MLmodel as plain YAML, and the
Keras file inside the folder in Keras' safe mode.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlflow_interp import progress
from mlflow_interp.backend.heads import Head
from mlflow_interp.backend.startup import check_backend
from mlflow_interp.core.paths import local_path
from mlflow_interp.exceptions import MissingModelError, ModelError, without_password
from mlflow_interp.models import artifact_store, keras_files, model_registry
from mlflow_interp.models.custom_objects import import_modules
from mlflow_interp.models.mlmodel import (
    keras_file,
    keras_flavor,
    read_mlmodel,
    signature_inputs,
    signature_shape,
)
from mlflow_interp.models.model_registry import RegisteredVersion
from mlflow_interp.models.origin import LoadedModel, Origin
from mlflow_interp.models.output_head import compiled_loss, loss_of, output_facts, stored_loss
from mlflow_interp.models.outputs import find_output, only_output


def load_model(
    model: Any,
    *,
    trust_model_code: bool = False,
    imports: str | Sequence[str] | None = None,
    output: str | int | None = None,
    head: Head = "auto",
) -> LoadedModel:
    """Load a Keras model from a URI, a path or an object, running none of its code unless allowed.

    Args:
        model: A Keras model; an MLflow URI such as models:/name/3, models:/name@alias,
            models:/name/latest, models:/m-…, runs:/id/path; a local MLflow model folder; or a `.keras`
            or `.h5` file.
        trust_model_code: Allow code contained in the model to run: Lambda layers, pickled custom objects,
            modules named in its MLmodel.
        imports: Modules to import first, separated by commas, e.g. those that register custom layers and
            functions with keras.saving.register_keras_serializable.
        output: Output to interpret, if the model has several: its name or position.
        head: What the output represents: probabilities (of mutually exclusive classes), sigmoid (independent
            probabilities), logits, binary_logit (one logit per label) or values (no classes). By default
            (auto), this is determined from the model's metadata, its loss or its last operations.

    Raises:
        ModelError: the model does not exist, is not a Keras model, is damaged, or needs its own code to run.
        OptionError: a module can't be imported, or there is no such output.
        TrackingError: the tracking server does not answer.
    """
    check_backend()
    import_modules(imports)
    loaded = _load(model, trust_model_code, head, output)
    if output is None:
        return loaded
    found = find_output(loaded.keras, output)
    return replace(loaded, keras=only_output(loaded.keras, output), output=found)


@dataclass(frozen=True)
class FoundModel:
    """A model that is found but not read yet.

    Attributes:
        named: the URI or path that the user gave.
        path: the Keras file, or the folder if the model's code is trusted and MLflow itself loads it.
        mlmodel: the content of its MLmodel file, None for a Keras file.
        registered: its registered version, None if the user did not name one.
        experiment_id: the experiment of the run that logged it, None if it is not known.
    """

    named: str
    path: Path
    mlmodel: Mapping[str, Any] | None = None
    registered: RegisteredVersion | None = None
    experiment_id: str | None = None


def experiment_of(model: Any) -> str | None:
    """The experiment of the run that logged a found or loaded model; None if it is not known."""
    return (
        model.origin.experiment_id
        if isinstance(model, LoadedModel)
        else getattr(model, "experiment_id", None)
    )


def find_model(model: Any, *, trust_model_code: bool = False) -> Any:
    """The `FoundModel` that a URI or a path names, downloaded if it is elsewhere; any other model as it is.

    Args:
        model: as in `load_model`.
        trust_model_code: as in `load_model`.

    Raises:
        ModelError: it does not exist, or is not a Keras model.
        TrackingError: the tracking server does not answer.
    """
    check_backend()
    if not isinstance(model, (str, Path)):
        return model
    named = str(model)
    registered = model_registry.find_version(named)
    local = artifact_store.fetch(named) if artifact_store.is_uri(named) else local_path(named)
    if not local.exists():
        raise MissingModelError(
            f"no model at {named!r}; give models:/name/version, runs:/id/path, an MLflow model folder, "
            "or a .keras or .h5 file"
        )
    if not local.is_dir():
        keras_files.check_name(local)
        return FoundModel(named, local)
    mlmodel = read_mlmodel(local, named)
    flavor = keras_flavor(mlmodel, named)
    path = local if trust_model_code else keras_file(local, flavor, named)
    run_id = mlmodel.get("run_id")
    experiment_id = model_registry.experiment_of(run_id) if run_id and artifact_store.is_uri(named) else None
    return FoundModel(named, path, mlmodel, registered, experiment_id)


def _load(model: Any, trusted: bool, head: str, output: str | int | None) -> LoadedModel:
    if isinstance(model, LoadedModel):
        return model if head == "auto" else replace(model, head=head, head_source="head=")
    found = find_model(model, trust_model_code=trusted)
    if not isinstance(found, FoundModel):
        return _in_memory(model, head, output)
    progress.say(f"Loading {without_password(found.named)}…")
    if found.mlmodel is None:
        keras_model = keras_files.read(found.path, trusted)
        origin = Origin(uri=without_password(found.named), name=keras_model.name)
        return LoadedModel(keras_model, origin, **_facts(head, {}, keras_model, found.path, output))
    if trusted and found.path.is_dir():
        keras_model = _load_trusted(found.path, found.named)
    else:
        keras_model = keras_files.read(found.path, trusted)
    stored = found.mlmodel.get("metadata")
    metadata = stored if isinstance(stored, dict) else {}
    return LoadedModel(
        keras_model,
        _origin(found, keras_model),
        metadata,
        signature_shape(found.mlmodel),
        signature=signature_inputs(found.mlmodel),
        **_facts(head, metadata, keras_model, found.path, output),
    )


def _facts(
    stated: str, metadata: Mapping[str, Any], keras_model: Any, path: Path | None, output: str | int | None
) -> dict[str, Any]:
    """What a model's output represents, as stated or by its loss; of several outputs, the chosen one."""
    loss = None
    if output is not None or len(getattr(keras_model, "outputs", None) or (1,)) == 1:
        loss = compiled_loss(keras_model) if path is None or path.is_dir() else stored_loss(path)
        loss = loss_of(loss, find_output(keras_model, output))
    return output_facts(stated, metadata, loss)


def _in_memory(model: Any, head: str, output: str | int | None) -> LoadedModel:
    import keras

    if not isinstance(model, keras.Model):
        raise ModelError(
            f"model is a {type(model).__name__}; give a keras.Model, a URI such as models:/name/1, or a path"
        )
    origin = Origin(uri="keras.Model", name=model.name)
    return LoadedModel(model, origin, **_facts(head, {}, model, None, output))


def _load_trusted(folder: Path, named: str) -> Any:
    import keras

    try:
        model = artifact_store.load_with_mlflow(folder)
    # The model's own code may raise anything.
    except Exception as error:
        raise ModelError(f"{named!r} can't be loaded by MLflow: {keras_files.shortened(error)}") from error
    if not isinstance(model, keras.Model):
        raise ModelError(
            f"{named!r} loads as a {type(model).__name__}, which has no layers; log a keras.Model"
        )
    return model


def _origin(found: FoundModel, keras_model: Any) -> Origin:
    mlmodel = found.mlmodel or {}
    registered = found.registered
    return Origin(
        uri=without_password(found.named),
        name=registered.name if registered else keras_model.name,
        version=registered.version if registered else None,
        model_id=mlmodel.get("model_id"),
        run_id=mlmodel.get("run_id"),
        experiment_id=found.experiment_id,
        aliases=registered.aliases if registered else (),
    )
