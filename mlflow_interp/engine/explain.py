"""The second stage: a method that needs many passes explains inputs, a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Annotated, Any

import numpy as np

from mlflow_interp.core.accepted import Range
from mlflow_interp.core.batch import Batch, closed_at_end
from mlflow_interp.core.chunk import Chunk, split
from mlflow_interp.core.examples import MOST_IMAGES, ExampleAccumulator
from mlflow_interp.core.selection import Selection
from mlflow_interp.engine.localized import localized
from mlflow_interp.engine.method import Accumulator, Explaining
from mlflow_interp.engine.model_pass import ModelPass
from mlflow_interp.engine.parts import Part
from mlflow_interp.exceptions import OptionError
from mlflow_interp.progress import track

MOST_BYTES = 4 * 2**30  # of the arrays that a method computes for all inputs


def limit(
    method: Explaining[Any], *, max_explained: Annotated[int | None, Range(least=1)] = None
) -> Explaining[Any]:
    """Limit the number of inputs that a method explains.

    Args:
        method: The method.
        max_explained: Maximum number of inputs to explain, selected from all: errors, uncertain and confident
            predictions, and random others. By default, 64 if several methods run; if the method runs
            alone, all inputs (for quality, 64).
    """
    method.max_explained = max_explained
    return method


def explain(model: Any, method: Explaining[Any], batch: Batch, selection: Selection | None = None) -> Part:
    """Explain inputs, a few at a time.

    Args:
        model: the Keras model.
        method: the method.
        batch: the inputs.
        selection: the inputs to explain; None for all.

    Raises:
        OptionError: the arrays of all inputs would not fit into memory.
    """
    selected = None if selection is None else selection.chunk()
    read: Callable[[], Iterator[Chunk]] = batch.chunks
    total = batch.total
    is_selection = False
    by_predictions = selection is None or selection.by_predictions
    if selected is not None:
        read = partial(iter, [selected])
        total = len(selected)
        is_selection = by_predictions and total < batch.count
    examples = ExampleAccumulator(
        batch.class_names,
        Selection(MOST_IMAGES, by_predictions=by_predictions),
        is_selection=is_selection,
        log_images=batch.log_images,
    )
    accumulators: list[Accumulator[Any]] = []

    def work(model_pass: ModelPass, chunks: Iterable[Chunk]) -> Iterator[int]:
        for chunk in chunks:
            for part in split(chunk, method.rows):
                passed = model_pass(part)[1][""]
                arrays = yield from method.explain(part, passed)
                if not accumulators:
                    _check_memory(arrays, len(part), total)
                    accumulators.append(method.accumulator())
                passed = localized(method, part, replace(passed, arrays={**passed.arrays, **arrays}))
                storable = batch.storable(part)
                accumulators[0].update(storable, passed)
                examples.update(storable, passed)

    with closed_at_end(read()) as chunks:
        # The amount of work may depend on the shape of the inputs.
        first = next(chunks)
        model_pass = ModelPass(model, batch, {"": method}, next(split(first, method.rows)))
        if model_pass.errors:
            raise model_pass.errors[""]
        method.use_pass(lambda chunk, classes: model_pass(chunk, classes)[1][""].arrays)
        amount = None if total is None else method.work(total)
        done = work(model_pass, chain([first], chunks))
        for _ in track(done, total=amount, label=method.title, unit=method.unit):
            pass
    return Part(accumulators[0], examples, _notes(method, selection, total, batch))


def _notes(
    method: Explaining[Any], selection: Selection | None, total: int | None, batch: Batch
) -> tuple[str, ...]:
    """A note if not all inputs are explained although the user did not limit their number."""
    if selection is None or method.max_explained is not None or total is None or total >= batch.count:
        return ()
    chosen = (
        "errors, uncertain and confident predictions, and random others"
        if selection.by_predictions
        else "the same at each epoch, chosen at random"
    )
    return (
        f"{total} of {batch.count} inputs are explained: {chosen}; set max_explained= to change the number",
    )


def _check_memory(arrays: Mapping[str, np.ndarray], rows: int, total: int | None) -> None:
    needed = sum(array.nbytes for array in arrays.values()) * (total or 0) / rows
    if needed > MOST_BYTES:
        raise OptionError(
            f"the results of {total} inputs need {needed / 2**30:.1f} GiB; use a smaller max_explained"
        )
