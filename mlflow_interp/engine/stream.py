"""The first stage: one pass over all inputs, shared by all streaming methods, of one model or of several."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from mlflow_interp.core.batch import Batch, closed_at_end
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.examples import MOST_IMAGES, ExampleAccumulator
from mlflow_interp.core.image_arrays import most_side
from mlflow_interp.core.passed import Passed
from mlflow_interp.core.selection import Selection
from mlflow_interp.engine.localized import localized
from mlflow_interp.engine.method import Accumulator, Streaming
from mlflow_interp.engine.model_pass import ModelPass
from mlflow_interp.engine.parts import Part, Parts
from mlflow_interp.exceptions import InterpretationError
from mlflow_interp.progress import track

MOST_THUMBNAILS = 20_000  # of more inputs, only methods that need them keep thumbnails: they fill the memory


class Stream:
    """One pass over all inputs.

    Args:
        model: the Keras model.
        batch: the inputs.
        methods: the streaming methods, by name.
        selections: each selects inputs to explain afterwards.
        by_predictions: whether predictions affect which inputs are shown; see `Selection`.
    """

    def __init__(
        self,
        model: Any,
        batch: Batch,
        methods: Mapping[str, Streaming[Any]],
        selections: Collection[Selection] = (),
        *,
        by_predictions: bool = True,
    ) -> None:
        self.model = model
        self.batch = batch
        self.methods = dict(methods)
        self._all_methods = dict(methods)
        self._selections = selections
        self._by_predictions = by_predictions
        self._examples: ExampleAccumulator | None = None
        self._accumulators: dict[str, Accumulator[Any]] = {}
        self._errors: dict[str, InterpretationError] = {}
        self._pass: ModelPass | None = None
        self.restart()

    def restart(self) -> None:
        """Forget all inputs so far, for a pass over others; the compiled pass is kept."""
        self._errors = {} if self._pass is None else dict(self._pass.errors)
        self.methods = {name: each for name, each in self._all_methods.items() if name not in self._errors}
        self._accumulators = {}
        shown = Selection(MOST_IMAGES, by_predictions=self._by_predictions)
        self._examples = _examples(self.batch, self.methods, shown)

    @property
    def title(self) -> str:
        """What a progress report calls the pass."""
        titles = [method.title for method in self.methods.values()]
        return titles[0] if len(titles) == 1 else "Inputs"

    @property
    def is_needed(self) -> bool:
        """Whether anything still takes part; false once all methods have failed."""
        return bool(self.methods or self._selections)

    def chunks(self) -> Iterator[Chunk]:
        """The chunks of the inputs, with the columns of the methods; to be closed at the end.

        Raises:
            InterpretationError: an error of the inputs.
        """
        columns = {name: each for method in self.methods.values() for name, each in method.columns.items()}
        return (self.batch.with_columns(columns) if columns else self.batch).chunks()

    def finish(self) -> Parts:
        """What the methods accumulated; called after the last chunk."""
        for name, method in list(self.methods.items()):
            try:
                method.finish()
            except InterpretationError as error:
                self._fail(name, error)
        return Parts({name: self._part(name) for name in self._accumulators}, self._errors)

    def _part(self, name: str) -> Part:
        return Part(self._accumulators[name], self._examples if self.methods[name].needs_examples else None)

    def update(self, chunk: Chunk) -> tuple[Passed, dict[str, Passed]]:
        """Give every method its outputs for a chunk, and return them; see `outputs`."""
        passed, shares = self.outputs(chunk)
        self.accumulate(chunk, passed, shares)
        return passed, shares

    def accumulate(self, chunk: Chunk, passed: Passed, shares: Mapping[str, Passed]) -> None:
        """Give every method its outputs for a chunk, as `outputs` returned them."""
        storable = self.batch.storable(chunk)
        for name, method in list(self.methods.items()):
            try:
                if name not in self._accumulators:
                    self._accumulators[name] = method.accumulator()
                share = shares.get(name, passed)
                method.remember(chunk, share)
                share = localized(method, chunk, share)
                self._accumulators[name].update(storable, share)
            except InterpretationError as error:
                self._fail(name, error)
        if self._examples is not None:
            self._examples.update(storable, passed)
        for selection in self._selections:
            selection.update(chunk, passed)

    def outputs(self, chunk: Chunk) -> tuple[Passed, dict[str, Passed]]:
        """The outputs for a chunk: from the model, or stored by the methods.

        Returns:
            The predictions, and the outputs for each method that needs some.

        Raises:
            InterpretationError: an error of the inputs or the model.
        """
        shares = {name: self._recall(name, chunk) for name in list(self._needing())}
        needing = self._needing()
        recalled = {name: share for name, share in shares.items() if share is not None}
        if recalled and len(recalled) == len(needing):
            return next(iter(recalled.values())), recalled
        if not needing and not self._selections:
            return Passed(), {}
        if self._pass is None:
            self._pass = ModelPass(self.model, self.batch, needing, chunk)
            for name, error in self._pass.errors.items():
                self._fail(name, error)
        return self._pass(chunk)

    def _needing(self) -> dict[str, Streaming[Any]]:
        return {name: method for name, method in self.methods.items() if method.needs_model}

    def _recall(self, name: str, chunk: Chunk) -> Passed | None:
        try:
            return self.methods[name].recall(chunk)
        except InterpretationError as error:
            self._fail(name, error)
        return None

    def _fail(self, name: str, error: InterpretationError) -> None:
        """Continue without a method."""
        self._errors[name] = error
        del self.methods[name]
        self._accumulators.pop(name, None)


def stream_all(streams: Sequence[Stream]) -> list[Parts]:
    """Read the inputs chunk by chunk, and run each chunk through all streams, in their order.

    Raises:
        InterpretationError: an error of the inputs or of a model.
    """
    if not streams:
        return []
    for _ in track(_steps(streams), total=streams[0].batch.total, label=streams[0].title, unit="input"):
        pass
    return [stream.finish() for stream in streams]


def _steps(streams: Sequence[Stream]) -> Generator[Chunk, None, None]:
    """Yield each chunk of the first stream after all streams have had theirs."""
    with ExitStack() as stack:
        # Closed at once, so that no thread keeps waiting to read after all methods have failed.
        chunks = [stack.enter_context(closed_at_end(stream.chunks())) for stream in streams]
        while any(stream.is_needed for stream in streams):
            current = [next(each, None) for each in chunks]
            for stream, chunk in zip(streams, current, strict=True):
                if chunk is not None and stream.is_needed:
                    stream.update(chunk)
            read = next((each for each in current if each is not None), None)
            if read is None:
                return
            yield read


def _examples(
    batch: Batch, methods: Mapping[str, Streaming[Any]], shown: Selection
) -> ExampleAccumulator | None:
    if not any(method.needs_examples for method in methods.values()):
        return None
    needs_thumbnails = any(method.needs_thumbnails for method in methods.values())
    return ExampleAccumulator(
        batch.class_names,
        shown,
        thumbnail_side=most_side(batch.total),
        most_thumbnails=None if needs_thumbnails else MOST_THUMBNAILS,
        log_images=batch.log_images,
    )
