"""The confusion matrix of fit's own validation pass, counted as it goes by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mlflow_interp.confusion.predictions import decide
from mlflow_interp.confusion.result import ConfusionMatrixResult, result_of
from mlflow_interp.confusion.tally import Tally
from mlflow_interp.core import InputsDigest, map_arrays, weights_digest
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
        self._digest.add(chunk.inputs)
        several = head == "sigmoid" and chunk.label_rows is not None
        self._head = "multi-label" if several else head
        if self._tally is None:
            classes = seen.probabilities.shape[1]
            self._tally = Tally(classes, multi_label=several, class_names=batch.class_names)
        threshold = float(self._options.get("threshold", 0.5))
        self._tally.add(chunk, decide(np.array(seen.probabilities), self._head, threshold))

    def result(self) -> ConfusionMatrixResult | None:
        """What was counted in the last pass; None where nothing could be heard."""
        if self._tally is None:
            return None
        top_k = int(self._options.get("top_k", 5))
        return result_of(self._tally, head=self._head, unlabelled=0, top_k=top_k)

    def facts(self) -> Facts:
        """Of the model as it is now, and of the inputs that went by."""
        loaded = self._loaded()
        inputs = {
            "source": "validation data of fit",
            "sha256": self._digest.hexdigest(),
            "count": self._tally.inputs if self._tally else 0,
            "skipped": dict[str, str](),
        }
        model = loaded.origin.as_dict() | {"weights_sha256": weights_digest(loaded.keras)}
        return Facts(model, inputs, {}, ())
