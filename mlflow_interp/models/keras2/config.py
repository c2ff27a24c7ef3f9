"""Models that Keras 2 saved, as HDF5 or as a .keras archive, read by Keras 3.

Keras 3 reads plain models itself and fails on most others: nested models, MobileNet, arithmetic between
layers. Only the form of the configuration differs, so it is rewritten here into the form of Keras 3; Keras
then builds the model and loads the weights. Rewriting is JSON to JSON: it runs no code, imports no module
that the file names, and leaves it to Keras' safe mode to refuse Lambda layers.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow_interp.backend import tensorflow_functions
from mlflow_interp.backend.layer_tree import walk
from mlflow_interp.models.custom_objects import registered_classes
from mlflow_interp.models.keras2 import graph
from mlflow_interp.models.keras2.graph import Config

_WEIGHTS = "model.weights.h5"  # in a .keras archive
# "Model" is how TensorFlow 2.2 and older name a functional one.
_FUNCTIONAL = ("Functional", "Model")
# Parameters that some classes lost in Keras 3, with the value that equals the behaviour without them.
_RETIRED = {
    "groups": 1,
    "noise_shape": None,
    "ragged": False,
    "softmax_robust_masking": False,
    "time_major": False,
    "trainable": True,
}
# Parameters that Keras 3 dropped and that no prediction depends on.
_IDLE = ("input_length", "rng_type", "query_shape", "key_shape", "value_shape")
# Classes that inherited the parameters of a kernel, but use their own, with other names.
_WITHOUT_KERNEL = ("DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D")
_KERNEL = ("kernel_initializer", "kernel_regularizer", "kernel_constraint")
# Where wrappers such as TimeDistributed and Bidirectional keep their layers.
_WRAPPED = ("layer", "backward_layer", "cell")


def read(path: Path, trusted: bool) -> Any:
    """Build the model in a file of Keras 2, and load its weights.

    Raises:
        ValueError: it holds only weights, or something that Keras 3 does not support. Like Keras' own
            loader, this may raise almost anything if the file is damaged.
    """
    if not zipfile.is_zipfile(path):
        return _built(_hdf5_config(path), path, trusted)
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        weights = Path(archive.extract(_WEIGHTS, folder))
        return _built(json.loads(archive.read("config.json")), weights, trusted)


def _hdf5_config(path: Path) -> Config:
    import h5py

    with h5py.File(path) as file:
        if "model_config" not in file.attrs:
            raise ValueError("it holds only weights, not a model")
        config: Config = json.loads(file.attrs["model_config"])
        return config


def _built(config: Config, weights: Path, trusted: bool) -> Any:
    import keras

    custom_objects = registered_classes() | {
        tensorflow_functions.FUNCTION: tensorflow_functions.function_class()
    }
    model = keras.saving.deserialize_keras_object(
        translated(config), custom_objects=custom_objects, safe_mode=not trusted
    )
    model.load_weights(weights)
    return model


def finalize(model: Any) -> None:
    """Make Normalization layers use what was loaded from HDF5; Keras 3 omits this in nested models."""
    import keras

    for located in walk(model):
        if isinstance(located.layer, keras.layers.Normalization):
            located.layer.finalize_state()


def translated(layer: Mapping[str, Any]) -> Config:
    """The configuration of a Keras 2 layer or model in the form of Keras 3."""
    # Keras 2.12 and newer store the name of a registered class next to the class name.
    name = _registered_name(layer.get("registered_name") or layer["class_name"])
    config = dict(layer["config"])
    if name in _FUNCTIONAL:
        name = "Model"
        config = _functional(config)
    elif name == "Sequential":
        config = _sequential(config)
    elif name in graph.FUNCTIONS:
        name = tensorflow_functions.FUNCTION
        config = graph.function(config)
    else:
        config = _layer(name, config)
    return {"module": _module(name), "class_name": name, "registered_name": name, "config": config}


def _registered_name(name: str) -> str:
    """The name of a class, without its package if it is not registered with one."""
    import keras

    return name if keras.saving.get_registered_object(name) else name.rpartition(">")[2]


def _module(name: str) -> str | None:
    """Keras' module of a class; None if the user must register the class; never the module in the file."""
    import keras

    if name in ("Model", "Sequential"):
        return "keras"
    return "keras.layers" if hasattr(keras.layers, name) else None


def _functional(config: Config) -> Config:
    """A model whose layers are nodes of a graph."""
    # Weights are stored in order, the trainable ones first, and Keras 3 would freeze all layers of a
    # frozen model, although Keras 2 let some of them be trainable again. So each layer keeps its own value.
    config.pop("trainable", None)
    layers = [
        {**translated(layer), "name": layer["name"], "inbound_nodes": layer["inbound_nodes"]}
        for layer in config["layers"]
    ]
    return graph.rewired({**config, "layers": layers})


def _sequential(config: Config) -> Config:
    layers = [translated(layer) for layer in config["layers"]]
    shape = config["layers"][0]["config"].get("batch_input_shape")
    # Keras 2.4 and older leave the input layer out.
    if shape and layers[0]["class_name"] != "InputLayer":
        layers.insert(0, translated({"class_name": "InputLayer", "config": {"batch_input_shape": shape}}))
    return {"name": graph.layer_name(config["name"]), "layers": layers}


def _layer(name: str, config: Config) -> Config:
    """A layer that is not a model: its name, and what differs in Keras 3."""
    shape = config.pop("batch_input_shape", None)
    if name == "InputLayer":
        config["batch_shape"] = shape
    if "name" in config:
        config["name"] = graph.layer_name(config["name"])
    if isinstance(config.get("dtype"), dict):  # a policy of mixed precision
        config["dtype"] = config["dtype"]["config"]["name"]
    if name == "Lambda":
        return _lambda(config)
    # The parameters of custom layers stay as they are.
    return _parameters(name, config) if _module(name) else config


def _parameters(name: str, config: Config) -> Config:
    """The parameters of one of Keras' own layers."""
    idle = _IDLE + _KERNEL if name in _WITHOUT_KERNEL else _IDLE
    config = {key: value for key, value in config.items() if key not in idle and not _is_retired(key, value)}
    if name == "BatchNormalization" and isinstance(config["axis"], list):
        (config["axis"],) = config["axis"]
    return config | {key: translated(config[key]) for key in _WRAPPED if config.get(key)}


def _is_retired(key: str, value: Any) -> bool:
    return key in _RETIRED and value == _RETIRED[key]


def _lambda(config: Config) -> Config:
    """A Lambda layer, still as marshalled code that only Keras may run, and not in its safe mode."""
    function = config["function"]
    if isinstance(function, list):
        code = dict(zip(("code", "defaults", "closure"), function, strict=True))
        function = {"class_name": "__lambda__", "config": code}
    common = {key: config[key] for key in ("name", "dtype", "arguments") if key in config}
    return common | {"function": function}
