"""The layers of a model, and the methods that can be used with each."""

from __future__ import annotations

from typing import Any

from mlflow_interp.backend.attention import attention_weights
from mlflow_interp.backend.capabilities import OF_INPUTS, Capability, capabilities_of
from mlflow_interp.backend.compile import input_specs, trace
from mlflow_interp.backend.forward import Forward, forward
from mlflow_interp.backend.graph import dependencies
from mlflow_interp.backend.heads import VALUES_BY_LOSS, ClassScores, class_scores
from mlflow_interp.backend.layer_tree import walk
from mlflow_interp.backend.layouts import find_layout
from mlflow_interp.engine.requirements import layer_kind, methods_with
from mlflow_interp.exceptions import ModelError
from mlflow_interp.models.load import load_model
from mlflow_interp.models.origin import LoadedModel
from mlflow_interp.models.signature import input_shape

HEADER = ("index", "layer", "type", "output shape", "methods")


def describe_layers(model: Any, **options: Any) -> list[tuple[str, ...]]:
    """A header, one row per layer, and one for the model itself: index, path, type, shape, methods.

    The model's row lists the methods that take no layer; it assumes enough inputs with labels.

    Args:
        model: A Keras model, or where to find one.
        **options: Options for loading it; see `load_model`.

    Raises:
        ModelError: the model can't be loaded, or its input shape is not known.
    """
    return describe_model(model, **options)[1]


def describe_model(model: Any, **options: Any) -> tuple[str, list[tuple[str, ...]]]:
    """How the model's output is read and why, as text; and the table of `describe_layers`."""
    loaded = load_model(model, **options)
    traced, used, capabilities, scores = _traced(loaded)
    possible = methods_with(capabilities | OF_INPUTS)
    model_methods = [name for name in possible if layer_kind(name) is None]
    shape = str(tuple(traced.outputs.shape))
    rows = []
    for located in walk(loaded.keras):
        tensor = traced.tapped.get(located.path)
        calls = len(traced.calls.get(located.path, ()))
        layer_shape = (
            "" if tensor is None else str(tuple(tensor.shape)) + (f" × {calls}" if calls > 1 else "")
        )
        usable = [name for name in possible if _can_use(name, loaded.keras, traced, located.path, used)]
        rows.append(
            (located.index, located.path, type(located.layer).__name__, layer_shape, ", ".join(usable))
        )
    whole = ("", loaded.keras.name, type(loaded.keras).__name__, shape, ", ".join(model_methods))
    return _output_in_words(loaded, scores), [HEADER, *rows, whole]


def _output_in_words(loaded: LoadedModel, scores: ClassScores) -> str:
    """How the output is read, and why."""
    count = int(scores.probabilities.shape[-1])
    is_logits = loaded.head in ("logits", "binary_logit") and not scores.is_contradicted
    what = {
        "binary": f"{'the logit' if is_logits else 'the probability'} of the second of 2 classes",
        "sigmoid": f"{count} {'logits' if is_logits else 'probabilities'}, one for each label",
        "linear": f"logits of {count} classes",
        "values": f"{count} value{'' if count == 1 else 's'}",
    }.get(scores.head, f"{'logits' if is_logits else 'probabilities'} of {count} classes")
    at = " at each position" if scores.positions is not None else ""
    return f"{what}{at} ({_reason(loaded, scores)})"


def _reason(loaded: LoadedModel, scores: ClassScores) -> str:
    is_stated = loaded.head != "auto" and not scores.is_contradicted
    if is_stated and not (loaded.head == VALUES_BY_LOSS and scores.head != "values"):
        return {"head=": "stated by head=", "metadata": "stated by its metadata"}.get(
            loaded.head_source, "from its loss"
        )
    names = loaded.metadata.get("class_names")
    if scores.head == "linear" and names and len(names) == scores.probabilities.shape[-1]:
        return "as its metadata names the classes"
    if scores.head in ("linear", "values"):
        return "a guess; pass head= to be sure"
    return "from its last operations"


def _traced(loaded: LoadedModel) -> tuple[Forward, set[str], set[Capability], ClassScores]:
    """A forward pass, the names of operations that the class scores depend on, capabilities, and scores."""
    model = loaded.keras
    shape = input_shape(loaded)
    if shape is None and not getattr(model, "inputs", None):
        raise ModelError(
            f"the input shape of model {model.name!r} is not known; log it with a signature, or call it once"
        )
    passes: list[tuple[Forward, ClassScores]] = []
    used: set[str] = set()
    capabilities: set[Capability] = set()

    def inspect(values: Any) -> Any:
        passed = forward(model, values, attention=True)
        scores = class_scores(passed.outputs, model, loaded.head)
        passes.append((passed, scores))
        used.update(dependencies(scores.scores))
        capabilities.update(capabilities_of(model, passed, loaded.head))
        return passed.outputs

    trace(inspect, input_specs(model, shape))
    passed, scores = passes[-1]
    return passed, used, capabilities, scores


def _can_use(method: str, model: Any, traced: Forward, path: str, used: set[str]) -> bool:
    """Whether a method that takes a layer accepts this one, by the kind that its signature states."""
    kind = layer_kind(method)
    calls = traced.calls.get(path, ())
    if kind is None:
        return False
    if kind == "spatial":
        return any(
            tensor.op.name in used and find_layout(model, traced, tensor) is not None for tensor in calls
        )
    if kind == "attention":
        return any(
            name == path and tensor.op.name in used for name, tensor in attention_weights(model, traced)
        )
    return any(tensor.dtype.is_floating and (tensor.shape.rank or 0) >= 2 for tensor in calls)
