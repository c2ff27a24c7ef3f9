"""Layers that run several times in a forward pass, and which of their runs are interpreted.

A layer inside `TimeDistributed` runs once for each time step, an encoder once for each input that shares it,
a shared activation wherever it is called. By default, the runs that no later run depends on are interpreted:
all of several parallel runs, such as those of frames and inputs, and the last of runs in sequence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mlflow_interp.backend.forward import Forward
from mlflow_interp.backend.graph import dependencies
from mlflow_interp.backend.layer_tree import find_layer, walk
from mlflow_interp.core.runs import Run
from mlflow_interp.exceptions import OptionError

#: Runs as a user specifies them: None for those that no later run depends on, "all", positions, or text.
Runs = str | int | Sequence[int] | None

#: Parsed runs: None and "all" as above, or positions, negative ones from the end.
RunChoice = tuple[int, ...] | Literal["all"] | None


@dataclass(frozen=True, eq=False)
class LayerRun:
    """One run of a layer in a traced forward pass.

    Attributes:
        run: which run it is.
        tensor: the output of the layer.
        call: its position in `Forward.runs`.
        step: the time step of the run in `tensor`, an index of axis 1; None if the run is the whole tensor.
    """

    run: Run
    tensor: Any
    call: int
    step: int | None = None

    def values(self, tensor: Any) -> Any:
        """The values of this run in `tensor`, or in a gradient with respect to it."""
        return tensor if self.step is None else tensor[:, self.step]


def parse_runs(runs: Runs) -> RunChoice:
    """The user's choice of runs.

    Raises:
        OptionError: neither "all" nor integers.
    """
    if runs is None or runs == "all":
        return runs  # type: ignore[return-value]
    parts = runs.split(",") if isinstance(runs, str) else [runs] if isinstance(runs, int) else list(runs)
    try:
        numbers = tuple(int(part) for part in parts)
    except (TypeError, ValueError):
        numbers = ()
    if not numbers:
        raise OptionError(f"runs is {runs!r}; give all, or positions such as 0,1")
    return numbers


def layer_runs(model: Any, passed: Forward, path: str, *, by_frame: bool = True) -> list[LayerRun]:
    """The runs of a layer: first those of the first input, those of several inputs together last.

    Args:
        model: the Keras model.
        passed: a traced pass.
        path: the path of the layer.
        by_frame: whether each frame of a `TimeDistributed` layer counts as a separate run.
    """
    import keras

    has_frames = by_frame and isinstance(find_layer(model, path).layer, keras.layers.TimeDistributed)
    calls: list[tuple[int, Any, int | None, tuple[int, ...]]] = []
    for call, tensor in enumerate(passed.runs.get(path, ())):
        # A tensor without height and width is a sequence; its steps are its positions.
        steps = tensor.shape[1] if has_frames and (tensor.shape.rank or 0) > 4 else None
        inputs = _inputs_of(passed, tensor)
        calls += [(call, tensor, step, inputs) for step in ([None] if steps is None else range(steps))]
    # The order in which Keras runs the branches of a graph is meaningless.
    calls.sort(key=lambda each: (len(each[3]), each[3]))
    frames = _frames(model, passed, path, [inputs for *_, inputs in calls])
    return [
        LayerRun(Run(number, inputs, frame), tensor, call, step)
        for number, ((call, tensor, step, inputs), frame) in enumerate(zip(calls, frames, strict=True))
    ]


def choose_runs(
    path: str,
    runs: Sequence[LayerRun],
    choice: RunChoice,
    *,
    refusal: Callable[[LayerRun], str | None] = lambda run: None,
) -> list[LayerRun]:
    """The runs of a layer that are interpreted; at least one.

    Args:
        path: the path of the layer, for messages.
        runs: all runs of the layer.
        choice: the user's choice.
        refusal: why a run can't be interpreted, None if it can.

    Raises:
        OptionError: a run that does not exist, or that can't be interpreted.
    """
    if isinstance(choice, tuple):
        chosen = [_at(path, runs, number) for number in dict.fromkeys(choice)]
        for each in chosen:
            reason = refusal(each)
            if reason is not None:
                raise OptionError(f"run {each.run.number} of layer {path!r} {reason}")
        return chosen
    reasons = [refusal(run) for run in runs]
    usable = [run for run, reason in zip(runs, reasons, strict=True) if reason is None]
    if not usable:
        last = reasons[-1] if reasons else "is never run"
        raise OptionError(f"layer {path!r} {last}")
    return usable if choice == "all" else _without_later_runs(usable)


def _at(path: str, runs: Sequence[LayerRun], number: int) -> LayerRun:
    if not -len(runs) <= number < len(runs):
        accepted = "only run 0" if len(runs) == 1 else f"runs 0 to {len(runs) - 1}"
        raise OptionError(f"runs={number} is out of range: layer {path!r} has {accepted}; give one of these")
    return runs[number]


def _without_later_runs(runs: Sequence[LayerRun]) -> list[LayerRun]:
    """The runs that no later run depends on."""
    tensors = {run.tensor.op.name: run.tensor for run in runs}
    inner = {
        ancestor
        for name, tensor in tensors.items()
        for ancestor in dependencies(tensor) & tensors.keys()
        if ancestor != name
    }
    return [run for run in runs if run.tensor.op.name not in inner]


def _inputs_of(passed: Forward, tensor: Any) -> tuple[int, ...]:
    """The positions of the inputs that a tensor is computed from."""
    import tensorflow as tf

    # Depending on the shape of an input alone does not count.
    ancestors = dependencies(tensor, but=("Shape",))
    inputs = tf.nest.flatten(passed.inputs)
    return tuple(position for position, each in enumerate(inputs) if each.op.name in ancestors)


def _frames(model: Any, passed: Forward, path: str, sources: Sequence[tuple[int, ...]]) -> list[int | None]:
    """The time step of each run of a layer that is applied to each step of one input; else None."""
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
