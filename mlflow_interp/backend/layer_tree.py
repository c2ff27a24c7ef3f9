"""Layers of any Keras model: list them, find one by name, index or path."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from mlflow_interp.exceptions import OptionError, nearest

# A method's signature says which kind of layer it takes; `mlflow-interp layers` reads it there.
SpatialLayer = Annotated[str | int | None, "spatial"]
Layers = str | int | Sequence[str | int] | None
SpatialLayers = Annotated[Layers, "spatial"]
GradientLayers = Annotated[Layers, "gradient"]
GradientLayer = Annotated[str | int | None, "gradient"]
VectorLayers = Annotated[Layers, "vector"]
VectorLayer = Annotated[str | int | None, "vector"]
AttentionLayers = Annotated[Layers, "attention"]


@dataclass(frozen=True)
class Located:
    """A layer and its position in the model: `path` by names, `index` by indices, parts joined by "/"."""

    path: str
    index: str
    layer: Any


def walk(model: Any) -> list[Located]:
    """Every layer of `model`, nested ones after the layer that holds them, shared ones once."""
    by_id: dict[int, Located] = {}
    for located in _walk(model, (), ()):
        by_id.setdefault(id(located.layer), located)
    return list(by_id.values())


def _walk(parent: Any, path: tuple[str, ...], index: tuple[str, ...]) -> Iterator[Located]:
    for position, layer in enumerate(_sublayers(parent)):
        names = (*path, layer.name)
        positions = (*index, str(position))
        yield Located("/".join(names), "/".join(positions), layer)
        yield from _walk(layer, names, positions)


def _sublayers(layer: Any) -> Sequence[Any]:
    import keras

    if isinstance(layer, keras.Model):
        return list(layer.layers)
    return list(layer._flatten_layers(include_self=False, recursive=False))


def leaf_paths(model: Any) -> set[str]:
    """The paths of the layers that hold no others, without input layers.

    Attention and recurrence count as one layer each: the axes of their inner layers mean something else.
    """
    import keras

    kinds = keras.layers

    def is_opaque(layer: Any) -> bool:
        return is_attention(layer) or isinstance(layer, (kinds.RNN, kinds.Bidirectional))

    inner_prefixes = tuple(f"{located.path}/" for located in walk(model) if is_opaque(located.layer))
    return {
        located.path
        for located in walk(model)
        if not isinstance(located.layer, kinds.InputLayer)
        and (is_opaque(located.layer) or not _sublayers(located.layer))
        and not located.path.startswith(inner_prefixes)
    }


def is_attention(layer: Any) -> bool:
    """Whether a layer is one of Keras' attention layers with heads, or of a subclass."""
    import keras

    return isinstance(layer, (keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention))


def has_attention(model: Any) -> bool:
    """Whether a model has such a layer, at any depth."""
    return any(is_attention(located.layer) for located in walk(model))


def find_layer(model: Any, layer: str | int) -> Located:
    """The layer with an index in `model.layers` (negative from the end), a name, or a path.

    A path leads into nested models, each part a name or an index: "mobilenetv2/out_relu", "1/-1".
    A name alone is searched at every depth.

    Raises:
        OptionError: no such layer, or several share the name.
    """
    all_layers = walk(model)
    by_path = [located for located in all_layers if located.path == str(layer)]
    named = [located for located in all_layers if located.layer.name == str(layer)]
    for matches in (by_path, _descend(model, all_layers, str(layer)), named):
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise OptionError(
                f"layer {layer!r} is ambiguous: {len(matches)} layers have this name; "
                f"use an index: {', '.join(match.index for match in matches[:5])}"
            )
    raise OptionError(
        f"no layer {layer!r} in model {model.name!r}"
        f"{nearest(layer, [located.path for located in all_layers])}; `mlflow-interp layers` lists all"
    )


def split_layers(layers: str | int | Sequence[str | int]) -> list[str | int]:
    """The names and indices of a list, or of a text with commas."""
    parts = layers.split(",") if isinstance(layers, str) else [layers] if isinstance(layers, int) else layers
    names = [name.strip() if isinstance(name, str) else name for name in parts]
    return [name for name in names if name != ""]


def find_layers(model: Any, layers: str | int | Sequence[str | int]) -> list[Located]:
    """The layers of a list, or of a text with commas; each as `find_layer` finds it.

    Raises:
        OptionError: no such layer, a layer named twice, or no layer named.
    """
    located = [find_layer(model, name) for name in split_layers(layers)]
    check_named_once(layers, [each.path for each in located])
    return located


def check_named_once(layers: str | int | Sequence[str | int], paths: Sequence[str]) -> None:
    """Raise an OptionError if `layers`, found at `paths`, names no layer, or one of them twice."""
    if not paths or len(set(paths)) < len(paths):
        raise OptionError(f"layers {layers!r} names {'a layer twice' if paths else 'none'}; name each once")


def _descend(model: Any, all_layers: list[Located], path: str) -> list[Located]:
    """Follow a path whose parts may be indices, counted from the end where negative."""
    parent = model
    for part in path.split("/"):
        children = _sublayers(parent)
        match = [child for child in children if child.name == part]
        if not match and re.fullmatch(r"-?[0-9]{1,6}", part) and -len(children) <= int(part) < len(children):
            match = [children[int(part)]]
        if len(match) != 1:
            return []
        parent = match[0]
    return [located for located in all_layers if located.layer is parent]


def is_channels_first(model: Any) -> bool:
    """Whether the model's layers have channels before space: (batch, channels, height, width)."""
    formats = {getattr(located.layer, "data_format", None) for located in walk(model)}
    return "channels_first" in formats and "channels_last" not in formats


def output_shape(model: Any) -> tuple[int | None, ...] | None:
    """The shape of the model's only output with its batch axis; None for several outputs or if not known."""
    try:
        shape = model.output_shape
    except (AttributeError, ValueError, RuntimeError, TypeError, KeyError):
        return None
    return shape if isinstance(shape, tuple) and all(not isinstance(size, tuple) for size in shape) else None
