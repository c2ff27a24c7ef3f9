"""Check a call before any slow import, so that wrong names are reported at once.

Cheap checks come first. None needs Keras or TensorFlow, and only those of `find_in_mlflow` need MLflow. Each
is the first half of what the call does later, or shares its code, so that no rule is stated twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlflow_interp.data.class_names import load_class_names
from mlflow_interp.data.labels import Column, Labels, column_file
from mlflow_interp.data.preprocessing import check_preprocess
from mlflow_interp.data.sources import find_inputs
from mlflow_interp.models.artifact_store import connect, is_uri
from mlflow_interp.models.custom_objects import check_imports
from mlflow_interp.models.load import experiment_of, find_model
from mlflow_interp.options import Option, options_of
from mlflow_interp.tracking.destination import find_run, save_folder
from mlflow_interp.tracking.permission import check_may_log, check_user

#: The options of each method that is called, by name.
Call = Mapping[str, Mapping[str, Any]]


def find_here(model: Any, inputs: Any, call: Call) -> tuple[Any, Any]:
    """Check what a call names on this machine.

    Returns:
        The model and the inputs, found where they are paths; see `find_model` and `find_inputs`.

    Raises:
        InterpretationError: a name is wrong; the message says which, and how to correct it.
    """
    given = _shared(call)
    save_folder(given.get("save"))
    check_imports(given.get("imports"))
    if not _is_uri(model):
        model = find_model(model, trust_model_code=bool(given.get("trust_model_code")))
    for option, value in _given(call):
        _check(option, value)
    if not _is_uri(inputs):
        inputs = find_inputs(inputs)
    return model, inputs


def find_in_mlflow(model: Any, inputs: Any, call: Call) -> tuple[Any, Any]:
    """Check what a call names in MLflow: the user, the run, registered versions and aliases, artifacts.

    Returns:
        The model and the inputs, found and downloaded where they are URIs.

    Raises:
        ModelError, InputsError: a name does not exist.
        TrackingError: the tracking server does not answer, or refuses access.
    """
    given = _shared(call)
    logs = bool(given.get("log", True))
    run_id, experiment = None, given.get("experiment")
    if logs:
        connect()
        check_user()
        run_id, _ = find_run(given.get("run_id"), experiment)
    model = find_model(model, trust_model_code=bool(given.get("trust_model_code")))
    if logs:
        check_may_log(run_id, experiment, experiment_of(model))
    return model, find_inputs(inputs)


def _is_uri(named: Any) -> bool:
    return isinstance(named, (str, Path)) and is_uri(str(named))


def _shared(call: Call) -> Mapping[str, Any]:
    """The options of a call; those of loading and logging are the same for all its methods."""
    return {name: value for options in call.values() for name, value in options.items()}


def _given(call: Call) -> Iterator[tuple[Option, Any]]:
    """Each option that is given with its value, once."""
    seen = set()
    for method, options in call.items():
        for name, value in options.items():
            if (name, str(value)) not in seen:
                seen.add((name, str(value)))
                yield options_of(method)[name], value


def _check(option: Option, value: Any) -> None:
    """Check the value of an option that is the name of something."""
    if not isinstance(value, (str, Path)):
        return
    if (option.stage, option.name) == ("inputs", "class_names"):
        load_class_names(value)
    elif (option.stage, option.name) == ("inputs", "preprocess"):
        check_preprocess(str(value))
    elif option.annotation in (Labels, Column | None):
        column_file(value, option.name)
