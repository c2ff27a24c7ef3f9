"""The confusion matrix of fit's own validation pass, counted as it goes by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mlflow_interp.confusion.predictions import decide
from mlflow_interp.confusion.result import ConfusionMatrixResult, result_of
from mlflow_interp.confusion.tally import Tally
from mlflow_interp.core import InputsDigest, map_arrays
from mlflow_interp.loading.inputs import load_inputs
from mlflow_interp.loading.models import LoadedModel
from mlflow_interp.report import Facts
from mlflow_interp.training.observing import Seen


class Counted:
    """Counts what is heard.

    Args:
        options: of the method.
        class_names: of the classes, as users give them.
        loaded: gives the model in training.
    """

    def __init__(
        self, options: Mapping[str, Any], class_names: Any, loaded: Callable[[], LoadedModel]
    ) -> None:
        self._options, self._class_names, self._loaded = options, class_names, loaded
        self._tally: Tally | None = None
        self._digest, self._head = InputsDigest(), ""

    def begin_pass(self) -> None:
        """A validation pass begins."""
        self._tally, self._digest = None, InputsDigest()

    def hear(self, seen: Seen, head: str) -> None:
        """A batch of the validation pass.

        Raises:
            InputsError: labels that are no classes.
        """
        # Copies: TensorFlow's memory is used again for the next batch.
        batch = load_inputs(
            map_arrays(np.array, seen.inputs),
            self._loaded(),
            labels=np.array(seen.labels),
            class_names=self._class_names,
            preprocess="none",
            batch_size=len(seen.labels),
        )
        chunk = next(batch.read())
        chunk = replace(chunk, weights=None if seen.weights is None else np.array(seen.weights))
        self._digest.add(chunk.inputs)
        several = head == "sigmoid" and chunk.label_rows is not None
        self._head = "multi-label" if several else head
        if self._tally is None:
            classes = seen.probabilities.shape[1]
            self._tally = Tally(classes, multi_label=several, class_names=batch.class_names)
        threshold = float(self._options.get("threshold", 0.5))
        self._tally.add(chunk, decide(np.array(seen.probabilities), self._head, threshold))

    def take(self, model: LoadedModel) -> tuple[ConfusionMatrixResult, Facts] | None:
        """What the last pass of a model has counted, once: an epoch without one has nothing to show."""
        tally, self._tally = self._tally, None
        if tally is None:
            return None
        result = result_of(tally, head=self._head, top_k=int(self._options.get("top_k", 5)))
        inputs = {
            "source": "validation data of fit",
            "sha256": self._digest.hexdigest(),
            "count": tally.inputs,
            "skipped": dict[str, str](),
        }
        return result, Facts(model.origin.as_dict(), inputs, {}, ())
