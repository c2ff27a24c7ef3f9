"""Attention of a traced forward pass: its layers in order, their weights, and the tokens of the input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from mlflow_interp.backend.forward import Forward
from mlflow_interp.backend.graph import dependencies
from mlflow_interp.backend.layer_tree import has_attention, leaf_paths, walk
from mlflow_interp.backend.layouts import SpatialLayout, token_layout
from mlflow_interp.exceptions import ArchitectureError, InapplicableError, OptionError

CAMS = "Grad-CAM and other CAMs can explain such a model"

_Layers = Sequence[tuple[str, Any]]


@dataclass(frozen=True, eq=False)
class Attention:
    """The attention that a class score depends on, one layer after the other.

    Attributes:
        layers: the path and the weights of each layer, (batch, heads, n, n): row i holds what token i attends
            to. For attention within windows, the first axis is longer.
        layout: the positions of the tokens on the input.
        left_out: the paths of attention layers whose queries are not the tokens, which are not part of it.
    """

    layers: _Layers
    layout: SpatialLayout
    left_out: tuple[str, ...] = ()

    @property
    def weights(self) -> list[Any]:
        """The weights of each layer."""
        return [tensor for _, tensor in self.layers]

    @property
    def paths(self) -> list[str]:
        """The path of each layer; one that is called several times once."""
        return list(dict.fromkeys(path for path, _ in self.layers))


def find_attention(model: Any, passed: Forward, score: Any, paths: Sequence[str] = ()) -> Attention:
    """The attention that a score depends on.

    Args:
        model: the Keras model.
        passed: a traced pass with the weights of attention layers.
        score: the score.
        paths: the layers to use; empty for all of Keras' attention layers.

    Raises:
        OptionError: a layer without attention weights.
        ArchitectureError: the model has no self-attention that the score depends on.
        InapplicableError: attention that can't be followed back from the score to the input.
    """
    used = dependencies(score)
    found = _named(passed, paths, used) if paths else _of_keras(model, passed, used)
    # In a chain, each depends on more operations than the one before, whatever the order of the calls.
    depths = {id(tensor): dependencies(tensor) for _, tensor in found}
    ordered = sorted(found, key=lambda each: len(depths[id(each[1])]))
    layers = [each for each in ordered if is_square(each[1])]
    others = [each for each in ordered if not is_square(each[1])]
    _check_followable(model, layers, others, depths)
    return Attention(
        layers, _layout(model, passed, layers[-1]), tuple(dict.fromkeys(path for path, _ in others))
    )


def attention_weights(model: Any, passed: Forward) -> list[tuple[str, Any]]:
    """The path and the weights of Keras' attention layers, and of each softmax written by hand."""
    import keras

    softmax = {
        located.path for located in walk(model) if isinstance(located.layer, keras.layers.Softmax)
    } & leaf_paths(model)
    by_hand = [(path, tensor) for path, tensor in passed.completed if path in softmax]
    return [(path, tensor) for path, tensor in [*passed.attention, *by_hand] if is_square(tensor)]


def is_square(tensor: Any) -> bool:
    """Whether a tensor can hold the weights of self-attention: (batch, heads, n, n)."""
    if tensor.shape.rank != 4 or not tensor.dtype.is_floating:
        return False
    queries, keys = tensor.shape[2:]
    return queries is None or keys is None or queries == keys


def _of_keras(model: Any, passed: Forward, used: set[str]) -> list[tuple[str, Any]]:
    found = [(path, tensor) for path, tensor in passed.attention if tensor.op.name in used]
    if not any(is_square(tensor) for _, tensor in found):
        raise ArchitectureError(no_attention(model))
    return found


def no_attention(model: Any) -> str:
    """The message for a model without attention that could be followed."""
    lack = (
        "no self-attention that the class score depends on"
        if has_attention(model)
        else "no MultiHeadAttention or GroupQueryAttention layer"
    )
    return (
        f"model {model.name!r} has {lack}, which the method needs; if its attention is written by hand, name "
        "the layers that return the weights, such as a Softmax, with attention_layers="
    )


def _named(passed: Forward, paths: Sequence[str], used: set[str]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for path in paths:
        known = [tensor for name, tensor in passed.attention if name == path]
        outputs = [*passed.calls.get(path, ()), *(each for name, each in passed.members if name == path)]
        weights = [tensor for tensor in known or outputs if is_square(tensor)]
        if not weights:
            shapes = ", ".join(str(tuple(each.shape)) for each in known or outputs) or "none"
            raise OptionError(
                f"layer {path!r} has no attention weights of shape (batch, heads, tokens, tokens); the shape "
                f"of its output is {shapes}; name other layers with attention_layers="
            )
        influential = [tensor for tensor in weights if tensor.op.name in used]
        if not influential:
            raise OptionError(
                f"layer {path!r} has no influence on the class score; name other layers with "
                "attention_layers="
            )
        found += [(path, tensor) for tensor in influential]
    return found


def _check_followable(model: Any, layers: _Layers, others: _Layers, depths: dict[int, set[str]]) -> None:
    """Raise an InapplicableError unless each layer attends to the tokens of the layer before."""
    for (path, tensor), (after, later) in pairwise(layers):
        if tensor.op.name not in depths[id(later)]:
            raise InapplicableError(
                f"attention layers {path!r} and {after!r} of model {model.name!r} are not one after the "
                "other; name those of one branch with attention_layers="
            )
        lengths = tensor.shape[-1], later.shape[-1]
        if None not in lengths and len(set(lengths)) > 1:
            raise InapplicableError(
                f"attention layers {path!r} and {after!r} of model {model.name!r} have {lengths[0]} and "
                f"{lengths[1]} tokens, so that attention can't be followed back; {CAMS}"
            )
    for path, tensor in others:
        if any(tensor.op.name in depths[id(later)] for _, later in layers):
            raise InapplicableError(
                f"attention layer {path!r} of model {model.name!r} has weights of shape "
                f"{tuple(tensor.shape)} and comes before self-attention, whose tokens then are not those of "
                f"the input; {CAMS}"
            )


def _layout(model: Any, passed: Forward, last: tuple[str, Any]) -> SpatialLayout:
    path, tensor = last
    layout = token_layout(model, passed, tensor.shape[-1])
    if layout is None:
        raise InapplicableError(
            f"attention layer {path!r} of model {model.name!r} has {tensor.shape[-1]} tokens, which fit no "
            f"grid of patches of the image; if it attends within windows, use CAMs: {CAMS}"
        )
    return layout
