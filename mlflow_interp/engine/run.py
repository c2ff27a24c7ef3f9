"""The main loop: reads the inputs once, runs the model once, and gives every method its outputs.

It has two stages. Streaming methods share one compiled pass over all inputs. Explaining methods, which need
many passes per input, then explain a selection of the inputs; one that is called alone explains all.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mlflow_interp.core.batch import Batch
from mlflow_interp.core.examples import MOST_IMAGES
from mlflow_interp.core.selection import Selection
from mlflow_interp.engine.explain import explain
from mlflow_interp.engine.method import Explaining, Method, Streaming
from mlflow_interp.engine.parts import Parts
from mlflow_interp.engine.stream import Stream
from mlflow_interp.exceptions import InterpretationError

MOST_EXPLAINED = MOST_IMAGES  # inputs that an explaining method explains if other methods run too


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
    explaining = {name: each for name, each in methods.items() if isinstance(each, Explaining)}
    for each in explaining.values():
        each.while_training = while_training
    streaming = {name: each for name, each in methods.items() if isinstance(each, Streaming)}
    selections: dict[str, Selection] = {}
    parts = Parts()
    if (
        while_training
        or comparable
        or len(methods) > 1
        or any(each.max_explained or each.most_explained for each in explaining.values())
    ):
        selections = {
            name: Selection(
                each.max_explained or each.most_explained or MOST_EXPLAINED,
                with_inputs=True,
                by_predictions=not (while_training or comparable),
            )
            for name, each in explaining.items()
        }
    if selections or streaming:
        stream = Stream(model, batch, streaming, selections.values(), by_predictions=not while_training)
        started = time.perf_counter()
        parts = stream.run()
        seconds = time.perf_counter() - started
        parts.parts = {name: replace(part, seconds=seconds) for name, part in parts.parts.items()}
    for name, method in explaining.items():
        started = time.perf_counter()
        try:
            part = explain(model, method, batch, selections.get(name))
            parts.parts[name] = replace(part, seconds=time.perf_counter() - started)
        except InterpretationError as error:
            parts.errors[name] = error
    if parts.parts:
        parts.inputs = batch.record()
    return parts
