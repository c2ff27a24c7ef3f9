"""Perturbation methods replace parts of an input by a baseline, and read how the class score changes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, Protocol

import numpy as np

from mlflow_interp.backend.heads import contrasted
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.explained import explained_classes
from mlflow_interp.core.passed import Passed
from mlflow_interp.engine.heatmap_accumulator import HeatmapAccumulator
from mlflow_interp.engine.method import Explaining
from mlflow_interp.engine.perturbed_scores import PerturbedScores, Replacement, Space, space_of
from mlflow_interp.engine.targets import kind_of_contrast
from mlflow_interp.engine.trace import Trace
from mlflow_interp.kinds.heatmap.result import HeatmapResult


class Masks(Protocol):
    """The masks of a method for one space.

    Attributes:
        count: the number of masks.
        chosen: values of options that were chosen for this space, by name.
    """

    @property
    def count(self) -> int:
        """The number of masks."""

    @property
    def chosen(self) -> Mapping[str, Any]:
        """Values of options that were chosen for this space, by name."""

    def take(self, numbers: range) -> np.ndarray:
        """Masks by number, (k, *sides) float32: 1 keeps a position, 0 replaces it by the baseline."""

    def maps(self, scores: np.ndarray, clean: np.ndarray) -> dict[str, np.ndarray]:
        """The arrays "maps" and optionally "standard_errors", (n, *sides) float32.

        Args:
            scores: (count, n), of the copies of n inputs.
            clean: (n,), of the inputs themselves.
        """


class PerturbationMethod(Explaining[HeatmapResult]):
    """A perturbation method with its options.

    Args:
        title: its display name.
        model: the Keras model.
        batch: the inputs.
        replacement: what replaces positions.
        make_masks: makes the masks for a space.
    """

    def __init__(
        self,
        title: str,
        model: Any,
        batch: Batch,
        replacement: Replacement,
        make_masks: Callable[[Space], Masks],
    ) -> None:
        self.title = title
        self.targets = (replacement.target,)
        self._model = model
        self._batch = batch
        self._replacement = replacement
        self._make_masks = make_masks
        self._masks: Masks | None = None
        self._scores: PerturbedScores | None = None

    def work(self, inputs: int) -> int:
        """The number of perturbed copies."""
        return inputs * self._planned()[0].count

    def trace(self, trace: Trace) -> Mapping[str, Any]:
        """The explained class of each input, with its scores."""
        space = space_of(trace, self.title)
        self._masks = self._make_masks(space)
        self._scores = PerturbedScores(self._model, self._batch, self._replacement, space)
        explained = trace.explained(self._replacement.target, self.contrast)
        scores = trace.scores
        values = scores.scores if self._replacement.score == "logit" else scores.probabilities
        return explained.tensors | {"clean": contrasted(values, explained.classes)}

    def explain(self, chunk: Chunk, passed: Passed) -> Generator[int, None, Mapping[str, np.ndarray]]:
        """Run the model on the copies, a batch at a time; yield the size of each batch."""
        masks, scores = self._planned()
        baselines = scores.baselines(chunk.inputs)
        classes = explained_classes(passed)
        found = yield from scores.of(chunk, baselines, classes, masks.count, masks.take)
        return masks.maps(found, passed.arrays["clean"])

    def maps_of(self, arrays: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The heatmap."""
        return {"": arrays["maps"]}

    def accumulator(self) -> HeatmapAccumulator:
        """Accumulates the maps."""
        masks, scores = self._planned()
        chosen = dict(masks.chosen)
        if self._replacement.baseline is None:
            chosen["baseline"] = self._replacement.baseline_for(scores.space)
        fields = {"relu": False, "chosen": chosen, "is_table": scores.space.is_table}
        contrast = kind_of_contrast(self.contrast)
        return HeatmapAccumulator(
            "", self.title, contrast=contrast, is_coarse=not self._batch.log_images, fields=fields
        )

    def _planned(self) -> tuple[Masks, PerturbedScores]:
        if self._masks is None or self._scores is None:
            raise RuntimeError("trace is called first")
        return self._masks, self._scores
