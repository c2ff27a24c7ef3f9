"""Storing and restoring feature visualisations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlflow_interp.kinds.feature_visualization.result import ARRAYS, FeatureVisualizationResult
from mlflow_interp.kinds.stored import Stored, example_facts

_FACTS = ("layer", "curve_every", "kind", "position", "chosen", "title")


def facts(result: FeatureVisualizationResult) -> dict[str, Any]:
    """The facts that are not in the arrays."""
    own = {name: getattr(result, name) for name in _FACTS}
    # `names` are those of the inputs.
    return (
        example_facts(result.examples)
        | own
        | {"feature_names": list(result.names), "given": dict(result.given)}
    )


def restored(
    arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], pictures: np.ndarray | None
) -> FeatureVisualizationResult:
    """The result."""
    stored = Stored(arrays, facts, pictures)
    own: dict[str, Any] = {name: facts[name] for name in _FACTS} | {name: arrays[name] for name in ARRAYS}
    return FeatureVisualizationResult(
        examples=stored.examples(),
        names=tuple(map(str, facts["feature_names"])),
        pictures=arrays.get("pictures"),
        directions=arrays.get("directions"),
        given=dict(facts["given"]),
        **own,
    )
