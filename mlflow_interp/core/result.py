"""What every method returns, and what results can do beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from mlflow_interp.core.examples import Examples


class Result(Protocol):
    """What a method returns: frozen, plain NumPy, nothing of TensorFlow, MLflow or matplotlib."""

    @property
    def examples(self) -> Examples:
        """The inputs and what the model said about them."""

    @property
    def resolved(self) -> Mapping[str, Any]:
        """What options left to the method became, such as the layer that None chose."""

    def arrays(self) -> dict[str, np.ndarray]:
        """The raw results by name, for arrays.npz."""

    def metrics(self) -> dict[str, float]:
        """Finite numbers worth following over epochs and versions."""

    def table(self) -> dict[str, list[Any]]:
        """Columns of equal length, a row an input, for predictions.json."""

    def warnings(self) -> list[str]:
        """What a user should know before trusting the picture."""


@runtime_checkable
class HasTables(Protocol):
    """A result with more to say than one row an input."""

    def tables(self) -> dict[str, dict[str, list[Any]]]:
        """Further tables by file name such as per_class.csv: columns of equal length."""

    def highlights(self) -> dict[str, Any]:
        """What the manifest should say beside the metrics: plain JSON values."""


@runtime_checkable
class HasHistory(Protocol):
    """A result that came about step by step, which can be followed in MLflow's UI."""

    def series(self) -> dict[str, list[tuple[int, float]]]:
        """By name, the steps and values of a metric on the way."""

    def frames(self) -> list[tuple[int, np.ndarray]]:
        """Steps and what was to be seen then, (height, width, 3) uint8."""
