"""What every method returns, and what some results offer in addition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from mlflow_interp.core.examples import Examples


class Result(Protocol):
    """What a method returns: frozen, plain NumPy, nothing of TensorFlow, MLflow or matplotlib."""

    @property
    def examples(self) -> Examples:
        """The inputs and what the model predicted for them."""

    @property
    def resolved(self) -> Mapping[str, Any]:
        """The values of options that were left to the method, such as the layer chosen for None."""

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
    """A result with more tables than the one with a row per input."""

    def tables(self) -> dict[str, dict[str, list[Any]]]:
        """Further tables by file name such as per_class.csv: columns of equal length."""

    def highlights(self) -> dict[str, Any]:
        """What the manifest holds beside the metrics: plain JSON values."""


@runtime_checkable
class HasDifference(Protocol):
    """A result that another of the same kind can be subtracted from."""

    def difference(self, other: Any) -> Result:
        """What differs from another result, of the inputs that both share."""


@runtime_checkable
class HasHistory(Protocol):
    """A result computed step by step, whose steps MLflow's UI can show."""

    def series(self) -> dict[str, list[tuple[int, float]]]:
        """By name, the steps and values of a metric during the computation."""

    def frames(self) -> list[tuple[int, np.ndarray]]:
        """Steps and the image at each, (height, width, 3) uint8."""
