"""Layers of any Keras model: list them, find one, tap what it gives while the model is traced.

A tap replaces `layer.call` for the moment of tracing and puts it back. Functional, Sequential,
nested, shared and subclassed models all run their layers through `call`, so all can be tapped;
rebuilding a model as `Model(inputs, layer.output)` can't reach into nested or subclassed ones.
TensorFlow prunes every tap whose tensor is not used, so tapping all layers costs nothing at run time.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from mlflow_interp.core import Arrays
from mlflow_interp.exceptions import ModelError, OptionError, nearest

# What a method can do with a layer stands in its signature; `mlflow-interp layers` reads it there.
SpatialLayer = Annotated[str | int | None, "spatial"]
Layers = str | int | Sequence[str | int] | None
GradientLayers = Annotated[Layers, "gradient"]
VectorLayers = Annotated[Layers, "vector"]

# Two threads that tap one model at once would restore each other's `call`.
_tracing = threading.RLock()


@dataclass(frozen=True)
class Located:
    """A layer and the way to it: `path` by names, `index` by positions, parts joined by "/"."""

    path: str
    index: str
    layer: Any


def walk(model: Any) -> list[Located]:
    """Every layer below `model`, nested ones after the layer that holds them, shared ones once."""
    found: dict[int, Located] = {}
    for place in _walk(model, (), ()):
        found.setdefault(id(place.layer), place)
    return list(found.values())


def _walk(parent: Any, path: tuple[str, ...], index: tuple[str, ...]) -> Iterator[Located]:
    for position, layer in enumerate(_sublayers(parent)):
        names, positions = (*path, layer.name), (*index, str(position))
        yield Located("/".join(names), "/".join(positions), layer)
        yield from _walk(layer, names, positions)


def _sublayers(layer: Any) -> Sequence[Any]:
    import keras

    if isinstance(layer, keras.Model):
        return list(layer.layers)
    return list(layer._flatten_layers(include_self=False, recursive=False))


def leaf_paths(model: Any) -> set[str]:
    """The paths of the layers that hold no others, those that only name an input left out.

    Attention and recurrence count as one layer each: what goes on inside has axes of another meaning.
    """
    import keras

    kinds = keras.layers
    whole = (kinds.MultiHeadAttention, kinds.GroupQueryAttention, kinds.RNN, kinds.Bidirectional)
    inside = tuple(f"{place.path}/" for place in walk(model) if isinstance(place.layer, whole))
    return {
        place.path
        for place in walk(model)
        if not isinstance(place.layer, kinds.InputLayer)
        and (isinstance(place.layer, whole) or not _sublayers(place.layer))
        and not place.path.startswith(inside)
    }


def find_layer(model: Any, layer: str | int) -> Located:
    """The layer at an index of `model.layers` (negative from the end), a name, or a path.

    A path leads into nested models, each part a name or an index: "mobilenetv2/out_relu", "1/-1".
    A bare name is looked for at every depth.

    Raises:
        OptionError: no layer is there, or several share the name.
    """
    places = walk(model)
    by_path = [place for place in places if place.path == str(layer)]
    named = [place for place in places if place.layer.name == str(layer)]
    for matches in (by_path, _descend(model, places, str(layer)), named):
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise OptionError(
                f"layer {layer!r} is ambiguous: {len(matches)} layers have this name; "
                f"use an index: {', '.join(match.index for match in matches[:5])}"
            )
    raise OptionError(
        f"no layer {layer!r} in model {model.name!r}"
        f"{nearest(layer, [place.path for place in places])}; `mlflow-interp layers` lists all"
    )


def split_layers(layers: str | int | Sequence[str | int]) -> list[str | int]:
    """The names and indices of a list, or of a text with commas."""
    given = layers.split(",") if isinstance(layers, str) else [layers] if isinstance(layers, int) else layers
    names = [name.strip() if isinstance(name, str) else name for name in given]
    return [name for name in names if name != ""]


def find_layers(model: Any, layers: str | int | Sequence[str | int]) -> list[Located]:
    """The layers of a list, or of a text with commas; each as `find_layer` finds it.

    Raises:
        OptionError: a layer is not there, is there twice, or none is named.
    """
    found = [find_layer(model, name) for name in split_layers(layers)]
    if not found or len({place.path for place in found}) < len(found):
        raise OptionError(f"layers {layers!r} names {'a layer twice' if found else 'none'}; name each once")
    return found


def _descend(model: Any, places: list[Located], path: str) -> list[Located]:
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
    return [place for place in places if place.layer is parent]


@dataclass(frozen=True)
class Forward:
    """A traced forward pass: what the model gives, and what each layer gave on the way.

    Attributes:
        inputs: what it is fed.
        outputs: the model's output tensor.
        tapped: by path in order of completion, the last output tensor of each layer.
        uses: by path, how often the layer was run: more than once where it is shared.
    """

    inputs: Arrays
    outputs: Any
    tapped: dict[str, Any] = field(default_factory=dict)
    uses: dict[str, int] = field(default_factory=dict)


def forward(model: Any, inputs: Arrays, *, given: Mapping[str, Any] | None = None) -> Forward:
    """Run the model in inference mode with every layer tapped. For use inside a `tf.function`.

    Args:
        model: the Keras model.
        inputs: what it is fed.
        given: by path, what layers are to give instead of what they would.

    Raises:
        ModelError: the model can't take the inputs, or has several outputs.
    """
    import tensorflow as tf

    tapped, uses = dict[str, Any](), dict[str, int]()
    graph = tf.compat.v1.get_default_graph()

    def note(path: str, output: Any) -> Any:
        output = tf.cast(given[path], output.dtype) if given and path in given else output
        # What a loop body inside a layer gives lives in another graph and can't be used in this one.
        if tf.is_tensor(output) and getattr(output, "graph", None) is graph:
            tapped.pop(path, None)
            tapped[path] = output
            uses[path] = uses.get(path, 0) + 1
        return output

    with _tracing, contextlib.ExitStack() as stack:
        for place in walk(model):
            stack.enter_context(_tap(place, note))
        outputs = _call(model, inputs)
    leaves = tf.nest.flatten(outputs)
    if len(leaves) != 1:
        raise ModelError(
            f"model {model.name!r} has {len(leaves)} outputs, and only models with one can be "
            f"explained; choose one with output={_outputs(model)}"
        )
    return Forward(inputs, leaves[0], tapped, uses)


def _outputs(model: Any) -> str:
    names = list(getattr(model, "output_names", ()))
    return f", one of {', '.join(names)}" if names else ""


def forward_to(model: Any, inputs: Arrays, path: str, uses: int) -> Any:
    """What one layer gives, and nothing after it is run. For use inside a `tf.function`.

    A functional model's own check of its input's size is left out, so that pictures of other sizes can
    be run as far as the layers themselves take them.

    Args:
        model: the Keras model.
        inputs: what it is fed.
        path: the layer's path.
        uses: how often the layer is run in a whole forward pass, as `Forward.uses` has it.

    Raises:
        ModelError: the model can't take the inputs, or never runs the layer.
    """
    seen: list[Any] = []

    def note(_: str, output: Any) -> Any:
        seen.append(output)
        if len(seen) == uses:
            raise _Reached
        return output

    with _tracing, contextlib.ExitStack() as stack:
        for place in walk(model):
            stack.enter_context(_any_size(place.layer))
        stack.enter_context(_any_size(model))
        stack.enter_context(_tap(find_layer(model, path), note))
        try:
            _call(model, inputs)
        except _Reached:
            return seen[-1]
    raise ModelError(f"model {model.name!r} ran layer {path!r} only {len(seen)} times of {uses}")


class _Reached(BaseException):
    """Ends a forward pass; no Exception, as Keras catches those to add to their message."""


def _any_size(layer: Any) -> contextlib.AbstractContextManager[None]:
    import keras

    check = "_assert_input_compatibility"
    if not isinstance(layer, keras.Model) or not hasattr(layer, check):
        return contextlib.nullcontext()
    return replaced(layer, check, lambda *_: None)


def _call(model: Any, inputs: Arrays) -> Any:
    import tensorflow as tf

    try:
        return model(inputs, training=False)
    except (ValueError, TypeError, tf.errors.InvalidArgumentError) as error:
        shapes = [tuple(array.shape) for array in tf.nest.flatten(inputs)]
        raise ModelError(
            f"model {model.name!r} can't take inputs of shape {shapes}: {_reason(error)}"
        ) from error


def _reason(error: Exception) -> str:
    """The line of Keras' message that says what is wrong, without colours."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith("Exception encountered when calling")]
    return told[0] if told else type(error).__name__


@contextlib.contextmanager
def replaced(layer: Any, name: str, function: Callable[..., Any]) -> Iterator[None]:
    """Give a layer a method of ours for a while."""
    own = layer.__dict__.get(name)
    # Keras' own __setattr__ would track the function as state of the layer.
    object.__setattr__(layer, name, function)
    try:
        yield
    finally:
        if own is None:
            object.__delattr__(layer, name)
        else:
            object.__setattr__(layer, name, own)


def _tap(place: Located, note: Callable[[str, Any], Any]) -> contextlib.AbstractContextManager[None]:
    call = place.layer.call

    def tapping(*args: Any, **kwargs: Any) -> Any:
        return note(place.path, call(*args, **kwargs))

    return replaced(place.layer, "call", tapping)


def is_channels_first(model: Any) -> bool:
    """Whether the model's layers keep channels before space: (batch, channels, height, width)."""
    formats = {getattr(place.layer, "data_format", None) for place in walk(model)}
    return "channels_first" in formats and "channels_last" not in formats
