"""The graph of a functional Keras 2 model in the form of Keras 3: which layer is called on what.

Keras 2 writes a call as a list of [layer, call of that layer, output, keyword arguments], and counts
the calls of a nested model from 1, as building it was the first. It also makes a layer of each
TensorFlow function called between layers, such as the division in `preprocess_input`.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any

from mlflow_interp.backend.tensorflow_functions import ALLOWED

Config = dict[str, Any]

# The classes of such layers in Keras 2.
FUNCTIONS = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")
_CONSTANT = "_CONSTANT_VALUE"


def layer_name(name: str) -> str:
    """The name in Keras 3, which does not allow "/": DenseNet's "conv1/bn" becomes "conv1_bn"."""
    return name.replace("/", "_")


def function(config: Config) -> Config:
    """The configuration of our layer for a TensorFlow function.

    Raises:
        ValueError: a function that is not in `ALLOWED`.
    """
    named = config.get("function")
    if named not in ALLOWED:
        called = f"tf.{named}" if named else "a TensorFlow operation (written by TensorFlow 2.3 or older)"
        raise ValueError(f"its layer {config['name']!r} calls {called}, which is not supported")
    return {"name": layer_name(config["name"]), "function": named}


def rewired(config: Config) -> Config:
    """A functional model with its calls in the form of Keras 3; its layers have that form already."""
    first = _first_calls(config)
    layers = [
        {
            **layer,
            "name": layer_name(layer["name"]),
            "inbound_nodes": [_call(node, first) for node in layer["inbound_nodes"]],
        }
        for layer in config["layers"]
    ]
    # For the inputs and outputs of a model only, Keras 3 still counts the building of a functional model.
    functional = {layer["name"] for layer in config["layers"] if layer["class_name"] == "Model"}
    first_at_ends = {name: 0 if name in functional else number for name, number in first.items()}
    ends = {key: _end(config[key], first_at_ends) for key in ("input_layers", "output_layers")}
    return {**config, "name": layer_name(config["name"]), "layers": layers, **ends}


def _first_calls(config: Config) -> dict[str, int]:
    """By layer, the number of its first call in this graph: 1 where building it counts as one, else 0.

    Every call is used, so a layer counted from 1 is the one whose last call has the number of calls.
    """
    calls = {layer["name"]: layer["inbound_nodes"] for layer in config["layers"]}
    last = dict.fromkeys(calls, 0)
    for name, call, _ in _references([*calls.values(), config["output_layers"]], calls):
        last[name] = max(last[name], call)
    # An input layer has no calls, and its tensor has number 0.
    return {name: int(last[name] >= max(1, len(calls[name]))) for name in calls}


def _references(value: Any, names: Container[str]) -> Iterator[Any]:
    """Every [layer, call, output] within a value."""
    if _is_reference(value, names):
        yield value[:3]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from _references(each, names)


def _is_reference(value: Any, names: Container[str]) -> bool:
    return (
        isinstance(value, list) and len(value) in (3, 4) and isinstance(value[0], str) and value[0] in names
    )


def _call(node: list[Any], first: dict[str, int]) -> Config:
    """One call of a layer: its inputs, and its keyword arguments, which Keras 2 repeats by input."""
    inputs = [node] if isinstance(node[0], str) else node
    keywords = inputs[0][3] if len(inputs[0]) > 3 else {}
    tensors = [_argument(each[:3], first) for each in inputs]
    return {
        "args": tensors if len(tensors) == 1 else [tensors],
        "kwargs": {key: _argument(value, first) for key, value in keywords.items()},
    }


def _argument(value: Any, first: dict[str, int]) -> Any:
    """An argument of a call: a tensor, a constant, part of a slice, or any of these in a structure."""
    if _is_reference(value, first):
        return _tensor(value, first)
    if isinstance(value, list):
        return value[2] if value[:1] == [_CONSTANT] else [_argument(each, first) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"start", "stop", "step"}:
        return {"class_name": "__slice__", "config": value}
    if value.get("class_name") == "__ellipsis__":
        return {"class_name": "__ellipsis__", "config": {}}
    return {key: _argument(each, first) for key, each in value.items()}


def _tensor(reference: list[Any], first: dict[str, int]) -> Config:
    name, call, output = reference[:3]
    history = [layer_name(name), call - first[name], output]
    # Keras replaces it by the output of the layer, so that shape and dtype do not matter.
    return {
        "class_name": "__keras_tensor__",
        "config": {"shape": [], "dtype": "float32", "keras_history": history},
    }


def _end(value: Any, first: dict[str, int]) -> Any:
    """The inputs or outputs of a model; a single one without a list, as Keras 2 takes and gives it."""
    if _is_reference(value, first):
        name, call, output = value[:3]
        return [layer_name(name), call - first[name], output]
    if isinstance(value, dict):
        return {key: _end(each, first) for key, each in value.items()}
    ends = [_end(each, first) for each in value]
    return ends[0] if len(ends) == 1 else ends
