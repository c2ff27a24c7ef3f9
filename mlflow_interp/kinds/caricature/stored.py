"""Storing and restoring caricatures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlflow_interp.kinds.caricature.result import CaricatureResult
from mlflow_interp.kinds.stored import Stored, example_facts

_MEASURES = ("objectives", "cosines", "dots", "baseline_cosines", "curves", "steps_taken", "converged")


def facts(result: CaricatureResult) -> dict[str, Any]:
    """The facts that are not in the arrays."""
    return example_facts(result.examples) | {
        "layers": list(result.layers),
        "snapshot_every": result.snapshot_every,
        "curve_every": result.curve_every,
        "title": result.title,
        "calls": result.calls,
    }


def earlier_facts(manifest: Mapping[str, Any], series: Mapping[str, Any]) -> dict[str, Any]:
    """The facts in a manifest of schema version 1; the first step of a curve is also their distance."""
    parameters = manifest["parameters"]
    first_steps = [int(points[0][0]) for points in series.values() if points]
    return {
        "layers": str(parameters["layers"]).split(","),
        "snapshot_every": parameters["snapshot_every"],
        "curve_every": first_steps[0] if first_steps else 1,
    }


def restored(
    arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], pictures: np.ndarray | None
) -> CaricatureResult:
    """The result."""
    stored = Stored(arrays, facts, pictures)
    images = stored.arrays["images"]
    no_snapshots = np.zeros((*images.shape[:2], 0, *images.shape[2:]), np.uint8)
    return CaricatureResult(
        examples=stored.examples(),
        images=images,
        layers=tuple(stored.facts["layers"]),
        snapshots=stored.arrays.get("snapshots", no_snapshots),
        snapshot_every=int(stored.facts["snapshot_every"]),
        curve_every=int(stored.facts["curve_every"]),
        title=str(stored.facts.get("title", CaricatureResult.title)),
        calls=str(stored.facts.get("calls", "")),
        **{name: stored.arrays[name] for name in _MEASURES},
    )
