"""Layers that are called several times in a forward pass, and which of their calls are interpreted.

A layer inside `TimeDistributed` is called once for each time step, an encoder once for each input that shares
it, a shared activation wherever it is used. By default, the calls that no later call depends on are
interpreted: all of several parallel calls, such as those of frames and inputs, and the last of a sequence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mlflow_interp.backend.forward import Forward
from mlflow_interp.backend.graph import dependencies
from mlflow_interp.backend.layer_tree import find_layer, walk
from mlflow_interp.core.calls import Call
from mlflow_interp.exceptions import OptionError

#: Calls as a user specifies them: None for those that no later call depends on, "all", positions, or text.
Calls = str | int | Sequence[int] | None

#: Parsed calls: None and "all" as above, or positions, negative ones from the end.
CallChoice = tuple[int, ...] | Literal["all"] | None


@dataclass(frozen=True, eq=False)
class LayerCall:
    """One call of a layer in a traced forward pass.

    Attributes:
        call: which call it is.
        tensor: the output of the layer.
        position: the position of its tensor in `Forward.calls`.
        step: the time step of the call in `tensor`, an index of axis 1; None if the call is the whole tensor.
    """

    call: Call
    tensor: Any
    position: int
    step: int | None = None

    def values(self, tensor: Any) -> Any:
        """The values of this call in `tensor`, or in a gradient with respect to it."""
        return tensor if self.step is None else tensor[:, self.step]


def parse_calls(calls: Calls) -> CallChoice:
    """The user's choice of calls.

    Raises:
        OptionError: neither "all" nor integers.
    """
    if calls is None or calls == "all":
        return calls  # type: ignore[return-value]
    parts = calls.split(",") if isinstance(calls, str) else [calls] if isinstance(calls, int) else list(calls)
    try:
        numbers = tuple(int(part) for part in parts)
    except (TypeError, ValueError):
        numbers = ()
    if not numbers:
        raise OptionError(f"calls is {calls!r}; give all, or positions such as 0,1")
    return numbers


def layer_calls(model: Any, passed: Forward, path: str, *, by_frame: bool = True) -> list[LayerCall]:
    """The calls of a layer: first those of the first input, those of several inputs together last.

    Args:
        model: the Keras model.
        passed: a traced pass.
        path: the path of the layer.
        by_frame: whether each frame of a `TimeDistributed` layer counts as a separate call.
    """
    import keras

    has_frames = by_frame and isinstance(find_layer(model, path).layer, keras.layers.TimeDistributed)
    found: list[tuple[int, Any, int | None, tuple[int, ...]]] = []
    for position, tensor in enumerate(passed.calls.get(path, ())):
        # A tensor without height and width is a sequence; its steps are its positions.
        steps = tensor.shape[1] if has_frames and (tensor.shape.rank or 0) > 4 else None
        inputs = _inputs_of(passed, tensor)
        found += [(position, tensor, step, inputs) for step in ([None] if steps is None else range(steps))]
    # The order in which Keras runs the branches of a graph is meaningless.
    found.sort(key=lambda each: (len(each[3]), each[3]))
    frames = _frames(model, passed, path, [inputs for *_, inputs in found])
    return [
        LayerCall(Call(number, inputs, frame), tensor, position, step)
        for number, ((position, tensor, step, inputs), frame) in enumerate(zip(found, frames, strict=True))
    ]


def choose_calls(
    path: str,
    calls: Sequence[LayerCall],
    choice: CallChoice,
    *,
    refusal: Callable[[LayerCall], str | None] = lambda call: None,
) -> list[LayerCall]:
    """The calls of a layer that are interpreted; at least one.

    Args:
        path: the path of the layer, for messages.
        calls: all calls of the layer.
        choice: the user's choice.
        refusal: why a call can't be interpreted, None if it can.

    Raises:
        OptionError: a call that does not exist, or that can't be interpreted.
    """
    if isinstance(choice, tuple):
        chosen = [_at(path, calls, number) for number in dict.fromkeys(choice)]
        for each in chosen:
            reason = refusal(each)
            if reason is not None:
                raise OptionError(f"call {each.call.number} of layer {path!r} {reason}")
        return chosen
    reasons = [refusal(call) for call in calls]
    usable = [call for call, reason in zip(calls, reasons, strict=True) if reason is None]
    if not usable:
        last = reasons[-1] if reasons else "is never called"
        raise OptionError(f"layer {path!r} {last}")
    return usable if choice == "all" else _without_later_calls(usable)


def _at(path: str, calls: Sequence[LayerCall], number: int) -> LayerCall:
    if not -len(calls) <= number < len(calls):
        accepted = "only call 0" if len(calls) == 1 else f"calls 0 to {len(calls) - 1}"
        raise OptionError(
            f"call {number} of layer {path!r} is out of range: it has {accepted}; give one of these with "
            "calls="
        )
    return calls[number]


def _without_later_calls(calls: Sequence[LayerCall]) -> list[LayerCall]:
    """The calls that no later call depends on."""
    tensors = {call.tensor.op.name: call.tensor for call in calls}
    inner = {
        ancestor
        for name, tensor in tensors.items()
        for ancestor in dependencies(tensor) & tensors.keys()
        if ancestor != name
    }
    return [call for call in calls if call.tensor.op.name not in inner]


def _inputs_of(passed: Forward, tensor: Any) -> tuple[int, ...]:
    """The positions of the inputs that a tensor is computed from."""
    import tensorflow as tf

    # Depending on the shape of an input alone does not count.
    ancestors = dependencies(tensor, but=("Shape",))
    inputs = tf.nest.flatten(passed.inputs)
    return tuple(position for position, each in enumerate(inputs) if each.op.name in ancestors)


def _frames(model: Any, passed: Forward, path: str, sources: Sequence[tuple[int, ...]]) -> list[int | None]:
    """The time step of each call of a layer that is applied to each step of one input; else None."""
    import keras
    import tensorflow as tf

    holders = {located.path: located.layer for located in walk(model)}
    parts = path.split("/")
    above = ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
    if not any(isinstance(holders.get(each), keras.layers.TimeDistributed) for each in above):
        return [None] * len(sources)
    inputs = tf.nest.flatten(passed.inputs)
    counts = Counter(sources)
    seen: Counter[tuple[int, ...]] = Counter()
    frames: list[int | None] = []
    for source in sources:
        is_each_step = len(source) == 1 and inputs[source[0]].shape[1:2] == [counts[source]]
        frames.append(seen[source] if is_each_step else None)
        seen[source] += 1
    return frames
