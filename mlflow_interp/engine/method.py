"""The engine's interface to methods: the tensors they need from a pass, and their accumulators.

A method is a function of (model, batch) and options that returns an instance of a class here. Importing a
method imports neither TensorFlow nor Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np

from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.passed import Passed
from mlflow_interp.core.result import Result
from mlflow_interp.engine.targets import Contrast, Target

if TYPE_CHECKING:
    from mlflow_interp.engine.trace import Trace

R = TypeVar("R", bound=Result)


#: Runs a pass on inputs for classes (n,) int64: the tensors of `trace` as arrays.
RunPass = Callable[[Chunk, np.ndarray], Mapping[str, np.ndarray]]


class Accumulator(Protocol[R]):
    """Accumulates the data that a method needs from all inputs, chunk by chunk, in plain NumPy.

    It can be pickled without files, and parts of the inputs can be accumulated separately and merged: counts
    are then exactly those of the whole, sums are equal up to rounding.
    """

    def update(self, chunk: Chunk, passed: Passed) -> None:
        """Add a chunk of inputs and the model's outputs for them."""

    def merge(self, other: Any) -> None:
        """Merge another accumulator of the same method, of other inputs."""

    def result(self, examples: Any, previous: R | None = None) -> R:
        """The result of all inputs so far.

        Args:
            examples: `Examples`, the inputs and their predictions; None if the method needs none.
            previous: the result of an earlier training step, which the new one should be comparable to.
        """


@runtime_checkable
class ShowsImages(Protocol):
    """An accumulator whose result shows images of a few inputs, which can be added after all were read.

    Where inputs are read in many processes, none of them knows which will be shown, so they keep no images.

    Attributes:
        image_side: the longer side of these images in pixels.
    """

    image_side: int

    def without_image(self) -> Mapping[bytes, str]:
        """The digest and the name of each input that the result shows without its image."""

    def add_images(self, images: Mapping[bytes, np.ndarray]) -> None:
        """Add images (height, width, 3) uint8, by the digest of their input."""


class Method(Generic[R]):
    """A method with its options, in one call.

    Attributes:
        title: its display name.
        targets: the classes to explain that its tensors depend on.
        contrast: the classes that each of them is contrasted with.
        map_titles: the display name of each heatmap of an input, by name; empty for a method with a single
            one. See `maps_of`.
        of_other_classes: whether its result should have heatmaps of further classes too, where they cost
            little.
    """

    title: str = ""
    targets: tuple[Target, ...] = ()
    contrast: Contrast = None
    map_titles: ClassVar[Mapping[str, str]] = {}
    of_other_classes: bool = True

    def trace(self, trace: Trace) -> Mapping[str, Any]:
        """The tensors that it needs from a forward pass, by name, with one row per input. Called once."""
        return {}

    def maps_of(self, arrays: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """Its heatmaps among the arrays of inputs, signed, (n, *grid), by name; empty for other methods.

        A method with a single heatmap names it "".
        """
        return {}

    def measured_maps(self, arrays: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The heatmaps that are compared with the regions of inputs, by name: its own, see `maps_of`."""
        return self.maps_of(arrays)

    def accumulator(self) -> Accumulator[R]:
        """A new accumulator. Called after `trace` or `recall`."""
        raise NotImplementedError


class Streaming(Method[R]):
    """A method that takes part in the one pass over all inputs.

    Attributes:
        needs_model: whether it needs the model's predictions or tensors.
        needs_examples: whether its result has one row per input.
        needs_thumbnails: whether it shows a thumbnail of every input, however many.
        columns: its own values for each input, by name.
    """

    needs_model: bool = True
    needs_examples: ClassVar[bool] = True
    needs_thumbnails: ClassVar[bool] = False
    columns: Mapping[str, Any] = {}

    def vectors_of(self, arrays: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The vectors among the arrays of inputs, (n, features), by layer; empty for a method without any."""
        return {}

    def recall(self, chunk: Chunk) -> Passed | None:
        """The outputs stored from an earlier pass over the same inputs; None if anything is missing."""
        return None

    def remember(self, chunk: Chunk, passed: Passed) -> None:
        """Called with every chunk and the outputs for it, to store them for a later `recall`."""

    def finish(self) -> None:
        """Called after the last chunk."""


class Predicting(Streaming[R]):
    """A streaming method that needs only predictions from a model, so that any pass can provide them."""

    needs_examples = False


class Optimizing(Streaming[R]):
    """A streaming method that then optimises something for many steps, whatever the number of inputs.

    Attributes:
        unit: the unit of the work that `optimize` reports.
    """

    unit: ClassVar[str] = "step"

    def optimize(self, accumulator: Any) -> Generator[int, None, None]:
        """Add what it optimises to its accumulator; yields the work done since the last yield.

        Called after the pass over all inputs, where the model is: an accumulator has none.
        """
        raise NotImplementedError

    def work(self, accumulator: Any) -> int:
        """The maximum total of what `optimize` yields."""
        raise NotImplementedError


class Explaining(Method[R]):
    """A method that needs many passes per input, so that it explains only a selection of many inputs.

    Attributes:
        unit: the unit of the work that `explain` reports.
        max_explained: the maximum number of inputs to explain; None for `most_explained`.
        while_training: whether the model changes between calls, so that a call should cost little.
        most_explained: that number if it is called alone and the user states none; None for all.
        rows: the number of inputs that it explains at a time, regardless of the batch size.
    """

    unit: ClassVar[str] = "pass"
    max_explained: int | None = None
    while_training: bool = False
    most_explained: ClassVar[int | None] = None
    rows: ClassVar[int] = 8

    def use_pass(self, run_pass: RunPass) -> None:
        """Called before `explain` with a function that runs the pass of `trace` again, on other inputs."""

    def explain(self, chunk: Chunk, passed: Passed) -> Generator[int, None, Mapping[str, np.ndarray]]:
        """Explain at most `rows` inputs.

        Args:
            chunk: the inputs.
            passed: their predictions, and the tensors of `trace` as arrays.

        Returns:
            Further arrays by name, with one row per input; yields the work done since the last yield.
        """
        raise NotImplementedError

    def work(self, inputs: int) -> int:
        """The maximum total of what `explain` yields for a number of inputs. Called after `trace`."""
        raise NotImplementedError
