"""Storing and restoring confusion matrices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mlflow_interp.kinds.confusion_matrix.input_predictions import restored_predictions
from mlflow_interp.kinds.confusion_matrix.result import ConfusionMatrixResult
from mlflow_interp.kinds.stored import Stored, example_facts, thumbnail_size


def facts(result: ConfusionMatrixResult) -> dict[str, Any]:
    """The facts that are not in the arrays."""
    return example_facts(result.examples) | {
        "inputs": result.inputs,
        "right": result.right,
        "unlabelled": result.unlabelled,
        "head": result.head,
        "top_k": result.top_k,
        "given": dict(result.given),
        "thumbnail_size": thumbnail_size(result.thumbnails),
        "title": result.title,
        "unit": result.unit,
        "positions": result.positions,
        "left_out": dict(result.left_out),
        "input_names": None if result.by_input is None else list(result.by_input.names),
    }


def earlier_facts(manifest: Mapping[str, Any], _series: Mapping[str, Any]) -> dict[str, Any]:
    """The facts in a manifest of schema version 1, which mentions unlabelled inputs only in its warnings."""
    parameters = manifest["parameters"]
    others = [name for name in manifest["resolved"] if name not in ("head", "classes")]
    return {
        "inputs": manifest["metrics"]["inputs"],
        "accuracy": manifest["metrics"]["accuracy"],
        "unlabelled": 0,
        "head": parameters["head"],
        "top_k": parameters["top_k"],
        "given": {name: parameters[name] for name in others},
    }


def restored(
    arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], pictures: np.ndarray | None
) -> ConfusionMatrixResult:
    """The result; with thumbnails only if every selected error has a stored image."""
    # An error's label is the row of its cell.
    stored = Stored(dict(arrays) | {"labels": arrays["cells"][:, 0]}, facts, pictures)
    weighted = arrays.get("weighted")
    matrix = arrays["counts"] if weighted is None else weighted
    of_inputs = matrix[0].sum() if matrix.ndim == 3 else matrix.sum()
    right = stored.facts.get("right")
    return ConfusionMatrixResult(
        counts=arrays["counts"],
        weighted=weighted,
        examples=replace(stored.examples(), images=None),
        cells=arrays["cells"],
        thumbnails=stored.thumbnails(),
        inputs=int(stored.facts["inputs"]),
        right=float(stored.facts["accuracy"] * np.float64(of_inputs) if right is None else right),
        unlabelled=int(stored.facts["unlabelled"]),
        head=str(stored.facts["head"]),
        top_k=int(stored.facts["top_k"]),
        given=dict(stored.facts["given"]),
        title=str(stored.facts.get("title", ConfusionMatrixResult.title)),
        unit=str(stored.facts.get("unit", ConfusionMatrixResult.unit)),
        positions=int(stored.facts.get("positions", 0)),
        left_out=dict(stored.facts.get("left_out", {})),
        shares=arrays.get("shares"),
        by_input=restored_predictions(arrays, stored.facts.get("input_names")),
    )
