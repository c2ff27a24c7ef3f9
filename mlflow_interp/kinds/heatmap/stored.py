"""Storing and restoring heatmaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlflow_interp.core.calls import Call
from mlflow_interp.kinds.heatmap.result import HeatmapResult, OtherClasses
from mlflow_interp.kinds.stored import Stored, explained_facts


def facts(result: HeatmapResult) -> dict[str, Any]:
    """The facts that are not in the arrays."""
    return explained_facts(result.explained) | {
        "layer": result.layer,
        "title": result.title,
        "relu": result.relu,
        "full_size": list(result.full_size),
        "chosen": dict(result.chosen),
        "is_table": result.is_table,
        "meaning": result.meaning,
        "why_empty": result.why_empty,
        "calls": [[call.number, list(call.inputs), call.frame] for call in result.calls],
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
        calls=_calls(stored.facts.get("calls")),
        others=_others(stored.arrays),
        full_size=tuple(map(int, stored.facts.get("full_size", ()))),
        standard_errors=stored.arrays.get("standard_errors"),
        chosen=dict(stored.facts.get("chosen", {})),
        is_table=bool(stored.facts.get("is_table", False)),
        meaning=str(stored.facts.get("meaning", "")),
        why_empty=str(stored.facts.get("why_empty", "")),
    )


def _others(arrays: Mapping[str, np.ndarray]) -> OtherClasses | None:
    """None in files of earlier versions."""
    if "other_heatmaps" not in arrays:
        return None
    return OtherClasses(arrays["other_targets"], arrays["other_heatmaps"])


def _calls(rows: Sequence[tuple[int, Sequence[int], int | None]] | None) -> tuple[Call, ...]:
    return (
        (Call(),)
        if rows is None
        else tuple(Call(number, tuple(inputs), frame) for number, inputs, frame in rows)
    )
