"""What a model gave for a chunk of inputs, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class Passed:
    """What a model gave for a chunk of inputs: plain NumPy, wherever it was computed.

    Attributes:
        probabilities: (n, classes) float32; None where the model was not run.
        head: how scores were read from the output, see `Explained.head`; "" where the model was not run.
        arrays: what a method asked for, by name, with a row an input.
    """

    probabilities: np.ndarray | None = None
    head: str = ""
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def has_classes(self) -> bool:
        """Whether the model gave scores of classes, and not values, as a regression does."""
        return self.head != "values"

    def rows(self, index: np.ndarray) -> Passed:
        """The part of some inputs."""
        probabilities = None if self.probabilities is None else self.probabilities[index]
        return replace(
            self,
            probabilities=probabilities,
            arrays={name: array[index] for name, array in self.arrays.items()},
        )
