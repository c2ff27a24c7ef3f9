"""Methods that need only predictions, updated batch by batch from Keras' own validation pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mlflow_interp.backend.validation_tap import ValidationBatch
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import Chunk, map_arrays, position_names
from mlflow_interp.core.inputs_record import InputsRecord
from mlflow_interp.core.passed import Passed
from mlflow_interp.data.prepare import load_inputs
from mlflow_interp.engine.method import Predicting
from mlflow_interp.engine.parts import Part
from mlflow_interp.exceptions import InputsError
from mlflow_interp.method_registry import find_method
from mlflow_interp.models.origin import LoadedModel
from mlflow_interp.report.provenance import Provenance

GiveUp = Callable[[Iterable[str], Exception], None]


class ValidationPass:
    """Accumulates one validation pass after another.

    Args:
        methods: the options of each method, by name.
        class_names: the class names, as users give them.
        loaded: returns the model in training.
        give_up: called with the names of methods that failed, and the error.
        in_order: whether every pass has all inputs in the same order, so values can be matched to inputs.
        log_images: see `TrainingOptions`.
    """

    def __init__(
        self,
        methods: Mapping[str, Mapping[str, Any]],
        class_names: Any,
        loaded: Callable[[], LoadedModel],
        give_up: GiveUp,
        *,
        in_order: bool,
        log_images: bool = True,
    ) -> None:
        self.methods = methods
        self._class_names = class_names
        self._loaded = loaded
        self._give_up = give_up
        self._in_order = in_order
        self._log_images = log_images
        self.begin()

    def begin(self) -> None:
        """Prepare for a pass."""
        self._started: dict[str, Predicting[Any]] = {}
        self._parts: dict[str, Part] = {}
        self._failed: set[str] = set()
        self._inputs = InputsRecord()

    def add(self, captured: ValidationBatch, head: str) -> None:
        """Add a batch of the pass."""
        batch = self._batch(captured)
        chunk = next(batch.read())
        weights = None if captured.weights is None else np.array(captured.weights)
        indices = chunk.indices + self._inputs.count
        chunk = replace(chunk, weights=weights, indices=indices, names=position_names(indices))
        # Copies: TensorFlow reuses the memory for the next batch.
        positions = {name: np.array(array) for name, array in captured.positions.items()}
        passed = Passed(np.array(captured.probabilities), head, positions)
        self._inputs.update(chunk)
        for name, options in self.methods.items():
            if name not in self._failed:
                try:
                    self._update(name, options, batch, chunk, passed)
                except Exception as error:
                    self._failed.add(name)
                    self._parts.pop(name, None)
                    self._give_up([name], error)

    def parts(self, model: LoadedModel) -> tuple[dict[str, Part], Provenance] | None:
        """What the last pass accumulated, returned once; None for an epoch without a validation pass."""
        parts = self._parts
        if not self._inputs.count:
            return None
        inputs = {"source": "validation data of fit"} | self._inputs.as_dict()
        self.begin()
        return parts, Provenance(model.origin.as_dict(), inputs, {"log_images": self._log_images}, ())

    def _batch(self, captured: ValidationBatch) -> Batch:
        # Copies: TensorFlow reuses the memory for the next batch.
        return load_inputs(
            map_arrays(np.array, captured.inputs),
            self._loaded(),
            labels=None if captured.labels is None else np.array(captured.labels),
            class_names=self._class_names,
            preprocess="none",
            batch_size=len(captured.probabilities),
            log_images=self._log_images,
        )

    def _update(
        self, name: str, options: Mapping[str, Any], batch: Batch, chunk: Chunk, passed: Passed
    ) -> None:
        if name not in self._started:
            self._started[name] = find_method(name)(self._loaded().keras, batch, **options)
            self._parts[name] = Part(self._started[name].accumulator())
        method = self._started[name]
        if method.columns:
            chunk = replace(chunk, columns=self._columns(method, chunk))
        self._parts[name].accumulator.update(batch.storable(chunk), passed)

    def _columns(self, method: Predicting[Any], chunk: Chunk) -> dict[str, np.ndarray]:
        """The rows of values that were given for each input, in the order of the pass."""
        columns = {}
        for name, values in method.columns.items():
            if not self._in_order:
                raise InputsError(
                    f"{name} are given for each input, but the order of a validation dataset is not known; "
                    "give sample weights as the third element of validation_data"
                )
            if chunk.indices.max() >= len(values):
                raise InputsError(
                    f"there are {len(values)} {name} for {chunk.indices.max() + 1} or more inputs of the "
                    "validation data; give one for each input"
                )
            columns[name] = np.asarray(values)[chunk.indices]
        return columns
