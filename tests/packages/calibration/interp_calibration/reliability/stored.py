"""Store and restore a reliability diagram."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlflow_interp.kinds.stored import Stored, example_facts

from .result import ReliabilityResult


def facts(result: ReliabilityResult) -> dict[str, Any]:
    """The data that the arrays do not contain."""
    return example_facts(result.examples)


def restored(
    arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], pictures: np.ndarray | None
) -> ReliabilityResult:
    """The result."""
    stored = Stored(arrays, facts, pictures)
    return ReliabilityResult(stored.examples(), arrays["counts"], arrays["right"], arrays["sums"])
