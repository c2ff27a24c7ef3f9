"""A forward pass in which every layer is tapped while the model is traced.

A tap replaces `layer.call`, or `quantized_call` of a quantized layer, while tracing and then restores it.
Functional, Sequential, nested, shared and subclassed models all call their layers this way, so all can be
tapped; rebuilding a model as `Model(inputs, layer.output)` can't reach into nested or subclassed models.
TensorFlow prunes every tap whose tensor is not used, so tapping all layers costs nothing at run time.
"""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mlflow_interp.backend.layer_tree import Located, find_layer, is_attention, walk
from mlflow_interp.core.chunk import Arrays
from mlflow_interp.core.outputs import choose, outputs_of_structure
from mlflow_interp.exceptions import InterpretationError, ModelError, reason_of

# Two threads that tap the same model at once would restore each other's `call`.
_tracing = threading.RLock()

_MISSING = object()


@dataclass(frozen=True)
class Forward:
    """A traced forward pass: the output of the model and of each layer.

    Attributes:
        inputs: the model's inputs.
        outputs: the model's output tensor.
        completed: the path and the output tensor of each call of each layer, in order of completion. A layer
            is called several times where it is shared, or applied to each time step.
        members: the path and each output tensor of layers that return several.
        attention: the path of each call of Keras' attention layers, and its weights (batch, heads, queries,
            keys); empty unless they were requested.
    """

    inputs: Arrays
    outputs: Any
    completed: Sequence[tuple[str, Any]] = field(default_factory=list)
    members: Sequence[tuple[str, Any]] = field(default_factory=list)
    attention: Sequence[tuple[str, Any]] = field(default_factory=list)

    @cached_property
    def calls(self) -> dict[str, list[Any]]:
        """By path, the output tensor of each call of a layer."""
        calls: dict[str, list[Any]] = {}
        for path, tensor in self.completed:
            calls.setdefault(path, []).append(tensor)
        return calls

    @cached_property
    def tapped(self) -> dict[str, Any]:
        """By path in order of completion, the output tensor of the last call of each layer."""
        tapped: dict[str, Any] = {}
        for path, tensor in self.completed:
            tapped.pop(path, None)
            tapped[path] = tensor
        return tapped


def forward(
    model: Any, inputs: Arrays, *, overrides: Mapping[str, Any] | None = None, attention: bool = False
) -> Forward:
    """Run the model in inference mode with every layer tapped. For use inside a `tf.function`.

    Args:
        model: the Keras model.
        inputs: the model's inputs.
        overrides: by path, tensors that replace the outputs of layers.
        attention: whether Keras' attention layers compute their weights as a tensor of the graph; see
            `attention_tap`.

    Raises:
        ModelError: the model can't take the inputs, or has several outputs.
    """
    import tensorflow as tf

    completed, members, weights = list[tuple[str, Any]](), list[tuple[str, Any]](), list[tuple[str, Any]]()
    graph = tf.compat.v1.get_default_graph()

    def is_here(tensor: Any) -> bool:
        # The output of a loop body inside a layer belongs to another graph and can't be used in this one.
        return tf.is_tensor(tensor) and getattr(tensor, "graph", None) is graph

    def record(path: str, output: Any) -> Any:
        output = tf.cast(overrides[path], output.dtype) if overrides and path in overrides else output
        if is_here(output):
            completed.append((path, output))
        elif isinstance(output, (tuple, list, dict)):
            members.extend((path, each) for each in tf.nest.flatten(output) if is_here(each))
        return output

    def record_weights(path: str, tensor: Any) -> None:
        if is_here(tensor):
            weights.append((path, tensor))

    with _tracing, contextlib.ExitStack() as stack:
        for located in walk(model):
            stack.enter_context(_tap(located, record))
            if attention and is_attention(located.layer):
                stack.enter_context(attention_tap(located, record_weights))
        outputs = _call(model, inputs)
    known = outputs_of_structure(outputs, getattr(model, "output_names", ()))
    return Forward(inputs, choose(known, None, model.name).of(outputs), completed, members, weights)


def forward_to(model: Any, inputs: Arrays, path: str, calls: Sequence[int]) -> list[Any]:
    """The outputs of some calls of one layer; nothing after them is run. For use inside a `tf.function`.

    A functional model's own check of its input size is skipped, so that images of other sizes can be used as
    far as the layers themselves accept them.

    Args:
        model: the Keras model.
        inputs: the model's inputs.
        path: the layer's path.
        calls: their positions in `Forward.calls`.

    Raises:
        ModelError: the model can't take the inputs, or never calls the layer.
    """
    outputs: list[Any] = []

    def record(_: str, output: Any) -> Any:
        outputs.append(output)
        if len(outputs) > max(calls):
            raise _LayerReached
        return output

    with _tracing, contextlib.ExitStack() as stack:
        for located in walk(model):
            stack.enter_context(_without_size_check(located.layer))
        stack.enter_context(_without_size_check(model))
        stack.enter_context(_tap(find_layer(model, path), record))
        try:
            _call(model, inputs)
        except _LayerReached:
            return [outputs[call] for call in calls]
    raise ModelError(f"model {model.name!r} called layer {path!r} {len(outputs)} times, not {max(calls) + 1}")


class _LayerReached(BaseException):
    """Ends a forward pass. Not an Exception, as Keras catches those to extend their message."""


def _without_size_check(layer: Any) -> contextlib.AbstractContextManager[None]:
    import keras

    check = "_assert_input_compatibility"
    if not isinstance(layer, keras.Model) or not hasattr(layer, check):
        return contextlib.nullcontext()
    return replaced(layer, check, lambda *_: None)


def _call(model: Any, inputs: Arrays) -> Any:
    import tensorflow as tf

    try:
        return model(inputs, training=False)
    except InterpretationError:
        raise
    except (ValueError, TypeError, tf.errors.InvalidArgumentError) as error:
        shapes = [tuple(array.shape) for array in tf.nest.flatten(inputs)]
        raise ModelError(
            f"model {model.name!r} can't take inputs of shape {shapes}: {reason_of(error)}"
        ) from error


@contextlib.contextmanager
def replaced(layer: Any, name: str, value: Any) -> Iterator[None]:
    """Replace a method or another attribute of a layer for as long as the block lasts."""
    original = layer.__dict__.get(name, _MISSING)
    # Keras' own __setattr__ would track a function as state of the layer.
    object.__setattr__(layer, name, value)
    try:
        yield
    finally:
        if original is _MISSING:
            object.__delattr__(layer, name)
        else:
            object.__setattr__(layer, name, original)


def _tap(located: Located, record: Callable[[str, Any], Any]) -> contextlib.AbstractContextManager[None]:
    # Keras runs a quantized layer by another method.
    is_quantized = getattr(located.layer, "quantization_mode", None) is not None
    name = "quantized_call" if is_quantized else "call"
    call = getattr(located.layer, name)

    def tapping(*args: Any, **kwargs: Any) -> Any:
        return record(located.path, call(*args, **kwargs))

    return replaced(located.layer, name, tapping)


def attention_tap(
    located: Located, record: Callable[[str, Any], None]
) -> contextlib.AbstractContextManager[None]:
    """Make an attention layer compute its weights as a tensor, and record them in each call.

    Without dropout, Keras' layers use a fused operation unless their caller asks for the weights. Here, their
    `_compute_attention` is asked for them; what the layer returns stays as it is.
    """
    layer = located.layer
    compute = layer._compute_attention
    takes_flag = "return_attention_scores" in inspect.signature(compute).parameters

    def recording(*args: Any, **kwargs: Any) -> Any:
        with contextlib.ExitStack() as stack:
            # These would refuse to compute weights, or, in grouped attention, is the flag itself.
            for name, value in (("_flash_attention", False), ("_return_attention_scores", True)):
                if hasattr(layer, name):
                    stack.enter_context(replaced(layer, name, value))
            if takes_flag:
                bound = inspect.signature(compute).bind(*args, **kwargs)
                bound.arguments["return_attention_scores"] = True
                args, kwargs = bound.args, bound.kwargs
            found = compute(*args, **kwargs)
        if isinstance(found, tuple) and len(found) > 1:
            record(located.path, found[1])
        return found

    return replaced(layer, "_compute_attention", recording)
