"""Storing and restoring saliency maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlflow_interp.kinds.saliency.result import SaliencyResult
from mlflow_interp.kinds.stored import Stored, explained_facts


def facts(result: SaliencyResult) -> dict[str, Any]:
    """The facts that are not in the arrays."""
    return explained_facts(result.explained) | {
        "noise_samples": result.noise_samples,
        "entry": result.entry,
        "title": result.title,
    }


def earlier_facts(manifest: Mapping[str, Any], _series: Mapping[str, Any]) -> dict[str, Any]:
    """The facts in a manifest of schema version 1."""
    parameters = manifest["parameters"]
    return {
        "noise_samples": parameters["samples"],
        "entry": parameters.get("embedding", ""),
        "title": "Saliency",
        "head": parameters["head"],
    }


def restored(
    arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], pictures: np.ndarray | None
) -> SaliencyResult:
    """The result; the image of an input gets the size of its maps."""
    gradients = arrays["gradients"]
    if facts.get("image_size") is None and gradients.ndim == 4:
        facts = dict(facts) | {"image_size": _size(gradients)}
    stored = Stored(arrays, facts, pictures)
    return SaliencyResult(
        explained=stored.explained(),
        gradients=gradients,
        smooth_gradients=stored.arrays["smooth_gradients"],
        integrated_gradients=stored.arrays["integrated_gradients"],
        completeness_gaps=stored.arrays["completeness_gaps"],
        noise_samples=int(stored.facts["noise_samples"]),
        entry=str(stored.facts["entry"]),
        title=str(stored.facts["title"]),
        gradients_times_inputs=stored.arrays.get("gradients_times_inputs"),
        path_points=stored.arrays.get("path_points"),
    )


def _size(maps: np.ndarray) -> list[int]:
    """The height and width of image maps, with channels on the last or the first axis."""
    return list(maps.shape[1:3] if maps.shape[-1] in (1, 3, 4) else maps.shape[2:4])
