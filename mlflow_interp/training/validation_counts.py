"""The confusion matrix of fit's own validation pass, counted batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mlflow_interp.backend.validation_tap import ValidationBatch
from mlflow_interp.core.chunk import map_arrays
from mlflow_interp.core.digests import InputsDigest
from mlflow_interp.data.prepare import load_inputs
from mlflow_interp.kinds.confusion_matrix.accumulator import Accumulator
from mlflow_interp.kinds.confusion_matrix.predictions import decide
from mlflow_interp.kinds.confusion_matrix.result import ConfusionMatrixResult, result_of
from mlflow_interp.models.origin import LoadedModel
from mlflow_interp.report.provenance import Provenance


class ValidationCounts:
    """Counts the captured batches.

    Args:
        options: of the method.
        class_names: of the classes, as users give them.
        loaded: returns the model in training.
    """

    def __init__(
        self, options: Mapping[str, Any], class_names: Any, loaded: Callable[[], LoadedModel]
    ) -> None:
        self._options = options
        self._class_names = class_names
        self._loaded = loaded
        self._accumulator: Accumulator | None = None
        self._digest = InputsDigest()
        self._head = ""

    def begin_pass(self) -> None:
        """Prepare for a validation pass."""
        self._accumulator = None
        self._digest = InputsDigest()

    def add(self, captured: ValidationBatch, head: str) -> None:
        """Count a batch of the validation pass.

        Raises:
            InputsError: labels that are not classes.
        """
        # Copies: TensorFlow reuses the memory for the next batch.
        batch = load_inputs(
            map_arrays(np.array, captured.inputs),
            self._loaded(),
            labels=np.array(captured.labels),
            class_names=self._class_names,
            preprocess="none",
            batch_size=len(captured.labels),
        )
        chunk = next(batch.read())
        chunk = replace(chunk, weights=None if captured.weights is None else np.array(captured.weights))
        self._digest.add(chunk.inputs)
        is_multi_label = head == "sigmoid" and chunk.label_rows is not None
        self._head = "multi-label" if is_multi_label else head
        if self._accumulator is None:
            classes = captured.probabilities.shape[1]
            self._accumulator = Accumulator(
                classes, multi_label=is_multi_label, class_names=batch.class_names
            )
        threshold = float(self._options.get("threshold", 0.5))
        self._accumulator.add(chunk, decide(np.array(captured.probabilities), self._head, threshold))

    def result(self, model: LoadedModel) -> tuple[ConfusionMatrixResult, Provenance] | None:
        """The counts of the last pass, returned once: an epoch without a validation pass has no result."""
        accumulator = self._accumulator
        self._accumulator = None
        if accumulator is None:
            return None
        result = result_of(accumulator, head=self._head, top_k=int(self._options.get("top_k", 5)))
        inputs = {
            "source": "validation data of fit",
            "sha256": self._digest.hexdigest(),
            "count": accumulator.inputs,
            "skipped": dict[str, str](),
        }
        return result, Provenance(model.origin.as_dict(), inputs, {}, ())
