"""The difference of two results of caricatures: how much closer one model's are to their inputs."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from mlflow_interp.core.examples import Examples
from mlflow_interp.exceptions import InputsError
from mlflow_interp.kinds.caricature.result import CaricatureResult
from mlflow_interp.kinds.difference import Difference, changes_by_layer
from mlflow_interp.kinds.matching import examples_at, match


@dataclass(frozen=True, eq=False)
class CaricatureDifference(Difference[CaricatureResult]):
    """Measures of caricatures minus those of another result, for the inputs that both share."""

    @property
    def examples(self) -> Examples:
        """The inputs, and the first model's predictions."""
        return self.minuend.examples

    @property
    def title(self) -> str:
        """The title of the figure."""
        return f"Difference of {' and '.join(dict.fromkeys((self.minuend.title, self.subtrahend.title)))}"

    @property
    def layers(self) -> tuple[str, ...]:
        """The paths of the layers."""
        return self.minuend.layers

    @property
    def cosines(self) -> np.ndarray:
        """(n, layers) float32, the differences of cosines."""
        return np.asarray(self.minuend.cosines - self.subtrahend.cosines)

    @property
    def resolved(self) -> dict[str, Any]:
        """The layers."""
        return self.minuend.resolved

    def arrays(self) -> dict[str, np.ndarray]:
        """The differences of cosines and of objectives, and predictions, by name."""
        objectives = self.minuend.objectives - self.subtrahend.objectives
        return {"cosines": self.cosines, "objectives": objectives} | self.examples.arrays()

    def table(self) -> dict[str, list[Any]]:
        """A row for each input: predictions of both, and the difference of cosines at each layer."""
        others = self.subtrahend.examples
        return changes_by_layer(self.examples, others, "cosine_change", self.layers, self.cosines)


def difference(minuend: CaricatureResult, subtrahend: CaricatureResult) -> CaricatureDifference:
    """Measures minus measures, input by input and layer by layer.

    Raises:
        InputsError: no input in common, or different layers.
    """
    if minuend.layers != subtrahend.layers:
        raise InputsError(
            f"caricatures at {', '.join(minuend.layers)} and at {', '.join(subtrahend.layers)} can't be "
            "subtracted; choose the same layers"
        )
    matching = match(minuend.examples, subtrahend.examples)
    return CaricatureDifference(
        minuend=_at(minuend, matching.rows),
        subtrahend=_at(subtrahend, matching.other_rows),
        matching=matching,
    )


def _at(result: CaricatureResult, rows: np.ndarray) -> CaricatureResult:
    arrays = {
        each.name: getattr(result, each.name)[rows]
        for each in fields(result)
        if isinstance(getattr(result, each.name), np.ndarray)
    }
    return replace(result, examples=examples_at(result.examples, rows), **arrays)
