"""What a method is to the engine: its share of the pass over the inputs, and what accumulates it.

A method is a function of (model, batch) and options that returns one of the two classes here. Importing one
imports neither TensorFlow nor Keras.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np

from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.passed import Passed
from mlflow_interp.core.result import Result
from mlflow_interp.engine.targets import Target

if TYPE_CHECKING:
    from mlflow_interp.engine.trace import Trace

R = TypeVar("R", bound=Result)


class Accumulator(Protocol[R]):
    """Accumulates what a method needs of all inputs, chunk by chunk, in plain NumPy.

    It can be pickled without files, and parts of the inputs can be accumulated apart and merged: counts are
    then exactly those of the whole, sums equal up to rounding.
    """

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Take in a chunk of inputs and what the model gave for them."""

    def merge(self, other: Any) -> None:
        """Take in what another accumulator of the same method has accumulated of other inputs."""

    def result(self, examples: Any, previous: R | None = None) -> R:
        """The result of all inputs so far.

        Args:
            examples: `Examples`, the inputs and their predictions; None where the method needs none.
            previous: the result of an earlier step of a training, to be comparable to.
        """


class Method(Generic[R]):
    """A method with its options, in one call.

    Attributes:
        title: its name for people.
        targets: the classes to explain that its tensors depend on.
    """

    title: str = ""
    targets: tuple[Target, ...] = ()

    def trace(self, trace: Trace) -> Mapping[str, Any]:
        """The tensors that it needs of a forward pass, by name, with a row an input. Called once."""
        return {}

    def accumulator(self) -> Accumulator[R]:
        """A new accumulator. Called after `trace` or `recall`."""
        raise NotImplementedError


class Streaming(Method[R]):
    """A method that takes part in the one pass over all inputs.

    Attributes:
        needs_model: whether it needs the model's predictions or tensors.
        needs_examples: whether its result has a row an input.
        needs_thumbnails: whether it shows a thumbnail of every input.
        columns: values of its own, one for each input, by name.
    """

    needs_model: bool = True
    needs_examples: ClassVar[bool] = True
    needs_thumbnails: ClassVar[bool] = False
    columns: Mapping[str, Any] = {}

    def recall(self, chunk: Chunk) -> Passed | None:
        """What it has stored of an earlier pass over these very inputs; None where anything is missing."""
        return None

    def remember(self, chunk: Chunk, passed: Passed) -> None:
        """Called with every chunk and what the accumulator got for it, to be recalled by a later call."""

    def finish(self) -> None:
        """Called after the last chunk."""


class Predicting(Streaming[R]):
    """A streaming method that needs no more of a model than predictions, so that any pass can feed it."""

    needs_examples = False


class Explaining(Method[R]):
    """A method that takes many passes an input, so that of many inputs it explains a selection.

    Attributes:
        unit: what `explain` reports.
        max_explained: the number of inputs to explain at most; None for all where it is called alone.
        rows: the number of inputs that it explains at a time, whatever the batch size.
    """

    unit: ClassVar[str] = "pass"
    max_explained: int | None = None
    rows: ClassVar[int] = 8

    def explain(self, chunk: Chunk, passed: Passed) -> Generator[int, None, Mapping[str, np.ndarray]]:
        """Explain at most `rows` inputs.

        Args:
            chunk: the inputs.
            passed: their predictions, and the tensors of `trace` as arrays.

        Returns:
            Further arrays by name, with a row an input; yields the work done since the last yield.
        """
        raise NotImplementedError

    def work(self, inputs: int) -> int:
        """The most that `explain` yields for a number of inputs, in sum."""
        raise NotImplementedError
