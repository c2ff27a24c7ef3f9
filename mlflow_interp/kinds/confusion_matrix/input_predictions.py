"""The prediction for each input, kept while there are few enough inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_interp.core.chunk import Chunk
from mlflow_interp.core.rows import Rows

MOST_INPUTS = 50_000  # of more inputs, no single predictions are kept: 2 MB of arrays, 3 MB of CSV
_PREFIX = "input_"  # of the names in arrays.npz


@dataclass(frozen=True, eq=False)
class InputPredictions:
    """The label and the prediction of each input that is counted, in the order of the inputs.

    Attributes:
        indices: (n,) int64, the positions of the inputs as given.
        names: n display names.
        labels: (n,) int64 true classes.
        predicted: (n,) int64 predicted classes.
        confidences: (n,) float32, the probability of the predicted class; None if not known.
    """

    indices: np.ndarray
    names: tuple[str, ...]
    labels: np.ndarray
    predicted: np.ndarray
    confidences: np.ndarray | None

    def arrays(self) -> dict[str, np.ndarray]:
        """All but the names, to be stored by name."""
        fields = {"indices": self.indices, "labels": self.labels, "predicted": self.predicted}
        fields |= {} if self.confidences is None else {"confidences": self.confidences}
        return {f"{_PREFIX}{name}": array for name, array in fields.items()}

    def table(self, class_names: Sequence[str]) -> dict[str, list[Any]]:
        """A row for each input, with the names of the classes."""
        columns = {
            "input": list(self.names),
            "label": [class_names[index] for index in self.labels.tolist()],
            "predicted": [class_names[index] for index in self.predicted.tolist()],
            "correct": (self.labels == self.predicted).tolist(),
        }
        if self.confidences is None:
            return columns
        return columns | {"probability": self.confidences.tolist()}


def restored_predictions(
    arrays: Mapping[str, np.ndarray], names: Sequence[str] | None
) -> InputPredictions | None:
    """The predictions with the stored arrays and names; None if none were stored."""
    if names is None or f"{_PREFIX}indices" not in arrays:
        return None
    indices, labels, predicted = (arrays[f"{_PREFIX}{name}"] for name in ("indices", "labels", "predicted"))
    return InputPredictions(indices, tuple(names), labels, predicted, arrays.get(f"{_PREFIX}confidences"))


class PredictionRows:
    """Accumulates predictions; forgets all of them once there are more than `MOST_INPUTS`."""

    def __init__(self) -> None:
        self._rows = Rows()
        self._too_many = False

    def add(self, chunk: Chunk, predicted: np.ndarray, probabilities: np.ndarray | None) -> None:
        """Add the predictions (n,) of a chunk of labelled inputs; probabilities are (n, classes)."""
        if self._too_many:
            return
        rows = np.arange(len(chunk))
        confidences = {}
        if probabilities is not None:
            confidences["confidences"] = probabilities[rows, predicted].astype(np.float32)
        names = np.array(chunk.names, dtype=object)
        self._rows.add(chunk.indices, names=names, labels=chunk.labels, predicted=predicted, **confidences)
        self._limit()

    def merge(self, other: PredictionRows) -> None:
        """Add the predictions of other inputs."""
        self._too_many |= other._too_many
        self._rows.merge(other._rows)
        self._limit()

    def _limit(self) -> None:
        self._too_many |= len(self._rows) > MOST_INPUTS
        if self._too_many:
            self._rows = Rows()

    def result(self) -> InputPredictions | None:
        """All predictions; None if there are too many, or none."""
        arrays = self._rows.arrays()
        if not arrays:
            return None
        return InputPredictions(
            indices=arrays["indices"],
            names=tuple(arrays["names"].tolist()),
            labels=arrays["labels"].astype(np.int64),
            predicted=arrays["predicted"].astype(np.int64),
            confidences=arrays.get("confidences"),
        )
