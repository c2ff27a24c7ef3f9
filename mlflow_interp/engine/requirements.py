"""Which methods can be used with a model, inputs or a layer: requirements matched against capabilities.

A method declares its requirements in `REQUIRES`, next to its function; without it, the method has none.
"""

from __future__ import annotations

import inspect
from typing import Annotated, Any, get_args, get_origin

import numpy as np

from mlflow_interp.backend.capabilities import FEWEST, Capability, capabilities_of
from mlflow_interp.backend.compile import compile_for
from mlflow_interp.backend.forward import forward
from mlflow_interp.backend.layer_tree import has_attention, is_channels_first
from mlflow_interp.core.batch import Batch, closed_at_end
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.method_registry import find_method, method_module, method_names, resolve

LAYER_OPTIONS = ("layer", "layers", "attention_layers")


def usable_methods(model: Any, batch: Batch) -> list[str]:
    """The methods that can be used with a model and inputs, by a trace on the first chunk."""
    with closed_at_end(batch.chunks()) as chunks:
        first = next(chunks)
    capabilities: set[Capability] = {"labels"} if batch.labelled else set()
    if batch.total is None or batch.total >= FEWEST:
        capabilities.add("five inputs")

    def inspect_pass(inputs: Any) -> Any:
        passed = forward(model, inputs, attention=True)
        capabilities.update(capabilities_of(model, passed, batch.head))
        return passed.outputs

    compile_for(inspect_pass, first.inputs)
    if not _are_images(model, first):
        capabilities.discard("images")
    return methods_with(capabilities)


def methods_with(capabilities: set[Capability]) -> list[str]:
    """The methods whose requirements are met by these capabilities."""
    return [name for name in method_names() if requirements_of(name) <= capabilities]


def suits_architecture(method: str, model: Any) -> bool:
    """Whether a model has the kinds of layers that a method is for, as far as its layers show."""
    return "attention" not in requirements_of(method) or has_attention(model)


def requirements_of(method: str) -> set[Capability]:
    """The capabilities that a method requires."""
    required: set[Capability] = set(getattr(method_module(method), "REQUIRES", ()))
    unknown = required - set(get_args(Capability))
    if unknown:
        raise ValueError(f"{method} requires unknown {unknown}; available: {get_args(Capability)}")
    return required


def needs_training(method: str) -> bool:
    """Whether a method can be used only while a model is trained."""
    return "training" in requirements_of(method)


def _are_images(model: Any, chunk: Chunk) -> bool:
    """Whether inputs are grey or colour images."""
    if chunk.images is None or not isinstance(chunk.inputs, np.ndarray) or chunk.inputs.ndim != 4:
        return False
    return chunk.inputs.shape[1 if is_channels_first(model) else -1] in (1, 3)


def layer_kind(method: str) -> str | None:
    """The kind of layer that a method accepts as one of `LAYER_OPTIONS`; None if it has no such option.

    "spatial": with a feature map; "gradient": with an output that changes smoothly with the input;
    "vector": with an output that can be pooled to a vector for each input; "attention": with attention
    weights.
    """
    function = find_method(method)
    for parameter in inspect.signature(function).parameters.values():
        annotation = resolve(parameter.annotation, function) if parameter.name in LAYER_OPTIONS else None
        if get_origin(annotation) is Annotated:
            return next((each for each in get_args(annotation)[1:] if isinstance(each, str)), None)
    return None
