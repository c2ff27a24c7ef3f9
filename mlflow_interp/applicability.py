"""Which methods can be used with a model and inputs: what each needs, against what there is.

A method says what it needs in `NEEDS`, beside its function; nothing said is nothing needed.
"""

from __future__ import annotations

import importlib
from typing import Any, Literal, get_args

import numpy as np

from mlflow_interp.compiling import compile_for
from mlflow_interp.core import Batch, Chunk
from mlflow_interp.exceptions import InapplicableError
from mlflow_interp.featuremaps import spatial_layers
from mlflow_interp.layers import Forward, forward, is_channels_first
from mlflow_interp.points import INPUT, find_entry
from mlflow_interp.registry import method_names
from mlflow_interp.scores import class_scores

#: A feature map; a class score that changes smoothly with the only input, or with an embedding of it; grey
#: or colour pictures for input, with a gradient; classes to tell apart; labels of the inputs; enough inputs
#: for a layout.
Trait = Literal["feature map", "gradient", "pictures", "classes", "labels", "five inputs"]
OF_INPUTS: set[Trait] = {"labels", "five inputs"}  # traits that hang on the inputs, not on the model
FEWEST = 5  # of inputs, for a layout in two dimensions


def usable_methods(model: Any, batch: Batch) -> list[str]:
    """The methods that can be used with a model and inputs, told from a trace on the first of them."""
    first = next(batch.chunks())
    found: set[Trait] = {"labels"} if batch.labelled else set()
    if batch.total is None or batch.total >= FEWEST:
        found.add("five inputs")

    def look(inputs: Any) -> Any:
        passed = forward(model, inputs)
        found.update(traits_of(model, passed))
        return passed.outputs

    compile_for(look, first.inputs)
    if not _are_pictures(model, first):
        found.discard("pictures")
    return methods_with(found)


def methods_with(traits: set[Trait]) -> list[str]:
    """The methods that need no more than this."""
    return [name for name in method_names() if needs(name) <= traits]


def needs(method: str) -> set[Trait]:
    """What a method needs."""
    module = importlib.import_module(f"mlflow_interp.methods.{method}")
    wanted: set[Trait] = set(getattr(module, "NEEDS", ()))
    unknown = wanted - set(get_args(Trait))
    if unknown:
        raise ValueError(f"{method} needs {unknown}, which is not known; there are: {get_args(Trait)}")
    return wanted


def traits_of(model: Any, passed: Forward) -> set[Trait]:
    """What a model offers, read off a traced forward pass; of its inputs only the shape is known."""
    import tensorflow as tf

    scores = class_scores(passed.outputs)
    found: set[Trait] = {"feature map"} if spatial_layers(model, passed, scores.scores) else set()
    if not (scores.head == "linear" and scores.scores.shape[-1] == 1):
        found.add("classes")
    if tf.is_tensor(passed.inputs):
        try:
            entry = find_entry(model, passed, scores.scores)
        except InapplicableError:
            return found
        found |= (
            {"gradient", "pictures"} if entry == INPUT and passed.inputs.shape.rank == 4 else {"gradient"}
        )
    return found


def _are_pictures(model: Any, chunk: Chunk) -> bool:
    """Whether inputs are grey or colour pictures."""
    if chunk.pictures is None or not isinstance(chunk.inputs, np.ndarray) or chunk.inputs.ndim != 4:
        return False
    return chunk.inputs.shape[1 if is_channels_first(model) else -1] in (1, 3)
