"""The main loop: reads the inputs once, runs the model once, and gives every method its outputs.

Several models run side by side on the same inputs.

It has two stages. Streaming methods share one compiled pass over all inputs. Optimising methods then go on
with what they accumulated. Explaining methods, which need many passes per input, explain a selection of the
inputs; one that is called alone explains all.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from mlflow_interp.core.batch import Batch
from mlflow_interp.core.examples import MOST_IMAGES
from mlflow_interp.core.selection import Selection
from mlflow_interp.engine.explain import explain
from mlflow_interp.engine.method import Explaining, Method, Optimizing, Streaming
from mlflow_interp.engine.output_positions import at_positions
from mlflow_interp.engine.parts import Parts
from mlflow_interp.engine.stream import Stream, stream_all
from mlflow_interp.exceptions import InterpretationError
from mlflow_interp.progress import track

M = TypeVar("M", bound=Method[Any])

MOST_EXPLAINED = MOST_IMAGES  # inputs that an explaining method explains if other methods run too


@dataclass(frozen=True)
class ModelRun:
    """Methods to run on a model.

    Attributes:
        model: the Keras model.
        batch: the inputs.
        methods: by name, with their options.
    """

    model: Any
    batch: Batch
    methods: Mapping[str, Method[Any]]


def run(
    model: Any,
    batch: Batch,
    methods: Mapping[str, Method[Any]],
    *,
    while_training: bool = False,
    comparable: bool = False,
) -> Parts:
    """Run methods on a model and inputs, which are read once.

    Args:
        model: the Keras model.
        batch: the inputs.
        methods: by name, with their options.
        while_training: whether the model changes between calls. If so, the inputs to show and explain are
            selected regardless of predictions, so that they stay the same, and explaining methods never
            explain all inputs.
        comparable: whether the inputs to explain are selected regardless of predictions, so that they are
            those that are explained for another model too.

    Raises:
        InterpretationError: an error of the inputs or the model, which affects all methods.
    """
    runs = [ModelRun(model, batch, methods)]
    return run_all(runs, while_training=while_training, comparable=comparable)[0]


def run_all(
    runs: Sequence[ModelRun], *, while_training: bool = False, comparable: bool = False
) -> list[Parts]:
    """Run methods on several models, side by side: each chunk goes through all of them, in their order.

    Inputs that are shared (see `data.prepare.load_inputs_for`) are thus read once, and what a method found
    for a chunk with one model is known when the next model gets the chunk.

    Args:
        runs: the models with their inputs and methods.
        while_training: see `run`.
        comparable: see `run`.

    Raises:
        InterpretationError: an error of the inputs or a model, which affects all methods.
    """
    runs = [replace(each, batch=at_positions(each.model, each.batch)) for each in runs]
    for each in runs:
        _check_regions(each)
    selections = [_selections(each, while_training, comparable) for each in runs]
    streams = {
        at: Stream(each.model, each.batch, streaming, selected.values(), by_predictions=not while_training)
        for at, (each, selected) in enumerate(zip(runs, selections, strict=True))
        if (streaming := _of_type(each.methods, Streaming)) or selected
    }
    started = time.perf_counter()
    streamed = dict(zip(streams, stream_all(list(streams.values())), strict=True))
    seconds = time.perf_counter() - started
    found = []
    for at, (each, selected) in enumerate(zip(runs, selections, strict=True)):
        parts = streamed.get(at, Parts())
        parts.parts = {name: replace(part, seconds=seconds) for name, part in parts.parts.items()}
        _optimize(each, parts)
        _explain(each, selected, parts)
        found.append(parts)
    return found


def _check_regions(run: ModelRun) -> None:
    """Warn if regions are given, but no method makes heatmaps to compare with them."""
    makes_maps = any(
        type(each).maps_of is not Method.maps_of or type(each).measured_maps is not Method.measured_maps
        for each in run.methods.values()
    )
    if run.batch.regions and not makes_maps:
        warning = (
            f"{run.batch.regions} is not used, as no method of this call makes heatmaps to compare with it; "
            "add one, such as gradcam, or omit it"
        )
        if warning not in run.batch.warnings:
            run.batch.warnings.append(warning)


def _selections(run: ModelRun, while_training: bool, comparable: bool) -> dict[str, Selection]:
    """The inputs to explain by each explaining method; none if a method that is alone explains all."""
    explaining = _of_type(run.methods, Explaining)
    for each in explaining.values():
        each.while_training = while_training
    is_limited = any(each.max_explained or each.most_explained for each in explaining.values())
    if not (while_training or comparable or len(run.methods) > 1 or is_limited):
        return {}
    return {
        name: Selection(
            each.max_explained or each.most_explained or MOST_EXPLAINED,
            with_inputs=True,
            by_predictions=not (while_training or comparable),
        )
        for name, each in explaining.items()
    }


def _optimize(run: ModelRun, parts: Parts) -> None:
    """Let the optimising methods add to what they accumulated."""
    for name, method in _of_type(run.methods, Optimizing).items():
        if name not in parts.parts:
            continue
        part = parts.parts[name]
        started = time.perf_counter()
        try:
            work = method.optimize(part.accumulator)
            total = method.work(part.accumulator)
            for _ in track(work, total=total, label=method.title, unit=method.unit):
                pass
            seconds = part.seconds + time.perf_counter() - started
            parts.parts[name] = replace(part, seconds=seconds)
        except InterpretationError as error:
            parts.errors[name] = error
            del parts.parts[name]


def _explain(run: ModelRun, selections: Mapping[str, Selection], parts: Parts) -> None:
    """Add what the explaining methods found."""
    for name, method in _of_type(run.methods, Explaining).items():
        started = time.perf_counter()
        try:
            part = explain(run.model, method, run.batch, selections.get(name))
            parts.parts[name] = replace(part, seconds=time.perf_counter() - started)
        except InterpretationError as error:
            parts.errors[name] = error
    if parts.parts:
        parts.inputs = run.batch.record()


def _of_type(methods: Mapping[str, Method[Any]], kind: type[M]) -> dict[str, M]:
    return {name: each for name, each in methods.items() if isinstance(each, kind)}
