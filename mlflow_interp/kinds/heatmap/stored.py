"""What is stored of heatmaps, and heatmaps from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlflow_interp.kinds.heatmap.result import HeatmapResult
from mlflow_interp.kinds.stored import Stored, example_facts


def facts(result: HeatmapResult) -> dict[str, Any]:
    """What the arrays don't hold."""
    return example_facts(result.examples) | {
        "layer": result.layer,
        "title": result.title,
        "relu": result.relu,
        "head": result.explained.head,
    }


def earlier_facts(manifest: Mapping[str, Any], _series: Mapping[str, Any]) -> dict[str, Any]:
    """The facts in a manifest of schema version 1."""
    parameters = manifest["parameters"]
    return {"layer": parameters["layer"], "title": "Grad-CAM", "relu": True, "head": parameters["head"]}


def restored(
    arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], pictures: np.ndarray | None
) -> HeatmapResult:
    """The result."""
    stored = Stored(arrays, facts, pictures)
    return HeatmapResult(
        explained=stored.explained(),
        heatmaps=stored.arrays["heatmaps"],
        layer=str(stored.facts["layer"]),
        title=str(stored.facts["title"]),
        relu=bool(stored.facts["relu"]),
    )
