"""What layers a model has, and which method can use which."""

from __future__ import annotations

from typing import Annotated, Any, get_args, get_origin

from mlflow_interp.applicability import OF_INPUTS, Trait, methods_with, traits_of
from mlflow_interp.exceptions import ModelError
from mlflow_interp.featuremaps import dependencies, find_places
from mlflow_interp.layers import Forward, forward, walk
from mlflow_interp.loading.models import LoadedModel, load_model
from mlflow_interp.loading.sources import input_shape
from mlflow_interp.options import options_of
from mlflow_interp.registry import method_names
from mlflow_interp.scores import class_scores

HEADER = ("index", "layer", "type", "output shape", "methods")


def describe_layers(model: Any, **options: Any) -> list[tuple[str, ...]]:
    """A header, a row a layer, and one for the whole model: index, path, type, shape, methods for it.

    The whole model's are the methods that take no layer, given enough inputs that fit it, with labels.

    Args:
        model: A Keras model, or where to find one.
        **options: Of loading it; see `load_model`.

    Raises:
        ModelError: the model can't be loaded, or its input shape is not known.
    """
    loaded = load_model(model, **options)
    traced, used, traits = _trace(loaded)
    whole = [name for name in methods_with(traits | OF_INPUTS) if not _takes_layers(name)]
    shape = str(tuple(traced.outputs.shape))
    rows = []
    for place in walk(loaded.keras):
        tensor = traced.tapped.get(place.path)
        shape = "" if tensor is None else str(tuple(tensor.shape))
        usable = [method for method in method_names() if _can_use(method, loaded.keras, traced, tensor, used)]
        rows.append((place.index, place.path, type(place.layer).__name__, shape, ", ".join(usable)))
    return [HEADER, *rows, ("", loaded.keras.name, type(loaded.keras).__name__, shape, ", ".join(whole))]


def _trace(loaded: LoadedModel) -> tuple[Forward, set[str], set[Trait]]:
    """A forward pass, the names of the operations that the class scores depend on, what the model offers."""
    import tensorflow as tf

    model, shape = loaded.keras, input_shape(loaded)
    if shape is None and not getattr(model, "inputs", None):
        raise ModelError(
            f"the input shape of model {model.name!r} is not known; log it with a signature, or call it once"
        )
    inputs = (
        tf.nest.map_structure(lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), model.inputs)
        if shape is None
        else tf.TensorSpec([None, *shape[1:]], tf.float32)
    )
    found: list[Forward] = []
    used: set[str] = set()
    traits: set[Trait] = set()

    def look(values: Any) -> Any:
        passed = forward(model, values)
        found.append(passed)
        used.update(dependencies(class_scores(passed.outputs).scores))
        traits.update(traits_of(model, passed))
        return passed.outputs

    tf.function(look, autograph=False).get_concrete_function(inputs)
    return found[-1], used, traits


def _takes_layers(method: str) -> bool:
    return not {"layer", "layers"}.isdisjoint(options_of(method))


def _can_use(method: str, model: Any, traced: Forward, tensor: Any, used: set[str]) -> bool:
    """Whether a method that takes a layer can take this one, by the kind its signature asks for."""
    options = options_of(method)
    layer = options.get("layer") or options.get("layers")
    if layer is None or tensor is None or get_origin(layer.annotation) is not Annotated:
        return False
    if get_args(layer.annotation)[1] == "spatial":
        return tensor.op.name in used and find_places(model, traced, tensor) is not None
    return bool(tensor.dtype.is_floating and (tensor.shape.rank or 0) >= 2)
