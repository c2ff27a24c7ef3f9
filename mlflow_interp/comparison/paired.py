"""What two versions give for the same inputs, and the numbers that follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mlflow_interp.comparison import statistics
from mlflow_interp.comparison.agreement import Agreement
from mlflow_interp.comparison.predictions import Predictions
from mlflow_interp.comparison.statistics import Interval


@dataclass(frozen=True, eq=False)
class Paired:
    """Everything that is compared.

    Attributes:
        predictions: of both versions.
        agreements: by heatmap, such as "gradcam" or "saliency/integrated_gradients".
        faithfulness: (n,) by heatmap, the change of each input's faithfulness, NaN where it is not measured.
        class_names: the name of each class that is a label.
        references: the old version compared with others that are known to be good.
    """

    predictions: Predictions
    agreements: Mapping[str, Agreement] = field(default_factory=dict)
    faithfulness: Mapping[str, np.ndarray] = field(default_factory=dict)
    class_names: Mapping[int, str] = field(default_factory=dict)
    references: tuple[Paired, ...] = ()

    def class_name(self, label: int) -> str:
        """The name of a class, or its number."""
        return self.class_names.get(label, str(label))

    @cached_property
    def numbers(self) -> dict[str, Interval]:
        """All numbers by name, such as "churn" or "correlation/gradcam"."""
        found = self.predictions.numbers()
        counted = self.predictions.both_right
        for name, agreement in self.agreements.items():
            numbers = agreement.numbers(counted)
            found |= {f"{key}/{name}": each for key, each in numbers.items()}
        for name, change in self.faithfulness.items():
            found[f"faithfulness_drop/{name}"] = statistics.median(-change, groups=self.predictions.groups)
        return found
