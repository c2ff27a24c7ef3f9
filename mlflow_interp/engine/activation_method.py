"""What methods that need the activations of layers have in common: tracing, and a cache of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.output_positions import POSITION_WEIGHTS
from mlflow_interp.core.passed import Passed
from mlflow_interp.core.result import Result
from mlflow_interp.engine.activation_cache import ActivationCache
from mlflow_interp.engine.activations import ActivationOptions, TracedActivations, trace_activations
from mlflow_interp.engine.method import Streaming
from mlflow_interp.engine.trace import Trace
from mlflow_interp.exceptions import OptionError
from mlflow_interp.progress import say

R = TypeVar("R", bound=Result)


class ActivationMethod(Streaming[R]):
    """A streaming method that needs the activations of layers.

    Args:
        model: the Keras model.
        activations: which activations to compute.
        folder: the folder of a cache of them; None for none.
        head: what the model's output is.

    Attributes:
        paths: the paths of the layers; empty before `trace` or `recall`.
        traced: what was traced.
    """

    def __init__(
        self, model: Any, activations: ActivationOptions, folder: Path | None = None, *, head: str = "auto"
    ) -> None:
        self._model = model
        self._activations = activations
        self._folder = folder
        self._head = head
        self._cache: ActivationCache | None = None
        self.paths: Sequence[str] = ()
        self.traced = TracedActivations()

    def trace(self, trace: Trace) -> Mapping[str, Any]:
        """The activations of each layer."""
        self.traced = trace_activations(trace, self._activations)
        self.paths = list(self.traced.tensors)
        return self.traced.tensors

    def recall(self, chunk: Chunk) -> Passed | None:
        """Predictions and activations from the cache."""
        if self._folder is None:
            return None
        if POSITION_WEIGHTS in chunk.columns:
            raise OptionError("a cache holds the predictions of all positions; omit cache or positions")
        if self._cache is None:
            self._cache = ActivationCache(
                self._folder, self._model, self._activations, chunk, head=self._head
            )
            self.paths = self._cache.paths
            self.traced = self._cache.traced
        return self._cache.recall(chunk)

    def remember(self, chunk: Chunk, passed: Passed) -> None:
        """Note what to add to the cache."""
        if self._cache is not None:
            self._cache.remember(passed)

    def finish(self) -> None:
        """Add new activations to the cache."""
        if self._cache is not None and self._cache.is_complete:
            say(f"activations read from {self._folder}")
        elif self._cache is not None:
            self._cache.store()
