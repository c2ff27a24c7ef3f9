"""The interface of every method's result, and what some results offer in addition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from mlflow_interp.core.examples import Examples


class Result(Protocol):
    """The result of a method: frozen, plain NumPy, independent of TensorFlow, MLflow and matplotlib."""

    @property
    def examples(self) -> Examples:
        """The inputs and the model's predictions for them."""

    @property
    def resolved(self) -> Mapping[str, Any]:
        """The values of options that the method chose, such as the layer for None."""

    def arrays(self) -> dict[str, np.ndarray]:
        """The raw results by name, for arrays.npz."""

    def metrics(self) -> dict[str, float]:
        """Finite numbers to compare over epochs and versions."""

    def table(self) -> dict[str, list[Any]]:
        """Columns of equal length, one row per input, for predictions.json."""

    def warnings(self) -> list[str]:
        """What a user should know before trusting the figure."""


@runtime_checkable
class HasTables(Protocol):
    """A result with more tables than the one with one row per input."""

    def tables(self) -> dict[str, dict[str, list[Any]]]:
        """Further tables by file name such as per_class.csv: columns of equal length."""

    def highlights(self) -> dict[str, Any]:
        """Further facts for the manifest besides the metrics: plain JSON values."""


@runtime_checkable
class HasDifference(Protocol):
    """A result that another of the same kind can be subtracted from."""

    def difference(self, other: Any) -> Result:
        """The difference from another result, for the inputs that both share."""


@runtime_checkable
class HasHistory(Protocol):
    """A result that is computed step by step; MLflow's UI can show its steps."""

    def series(self) -> dict[str, list[tuple[int, float]]]:
        """By name, the steps and values of a metric during the computation."""

    def frames(self) -> list[tuple[int, np.ndarray]]:
        """Steps and the image at each, (height, width, 3) uint8."""


@runtime_checkable
class HasLaterWarnings(Protocol):
    """A result during training with warnings that its first epoch can't give."""

    def later_warnings(self) -> list[str]:
        """These warnings, also part of `warnings`; each is shown once."""
