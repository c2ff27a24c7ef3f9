"""Storing and restoring nearest examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlflow_interp.kinds.nearest_examples.result import NearestExamplesResult
from mlflow_interp.kinds.stored import Stored, example_facts


def facts(result: NearestExamplesResult) -> dict[str, Any]:
    """The facts that are not in the arrays."""
    return example_facts(result.examples) | {
        "layer": result.layer,
        "neighbour_names": _names(result),
        "reference": result.reference,
        "reference_count": result.reference_count,
        "equal": result.equal,
        "zeros": result.zeros,
        "given": dict(result.given),
        "title": result.title,
    }


def restored(
    arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], pictures: np.ndarray | None
) -> NearestExamplesResult:
    """The result."""
    stored = Stored(arrays, facts, pictures)
    names = {position: str(name) for position, name in stored.facts["neighbour_names"].items()}
    return NearestExamplesResult(
        examples=stored.examples(),
        layer=str(stored.facts["layer"]),
        neighbours=arrays["neighbours"],
        similarities=arrays["similarities"],
        neighbour_labels=arrays["neighbour_labels"],
        neighbour_predicted=arrays["neighbour_predicted"],
        neighbour_names=tuple(
            tuple(names[str(each)] for each in row) for row in arrays["neighbours"].tolist()
        ),
        pictures=arrays.get("pictures"),
        reference=str(stored.facts["reference"]),
        reference_count=int(stored.facts["reference_count"]),
        equal=int(stored.facts["equal"]),
        zeros=int(stored.facts["zeros"]),
        given=dict(stored.facts["given"]),
        title=str(stored.facts["title"]),
    )


def _names(result: NearestExamplesResult) -> dict[str, str]:
    """The name of each neighbour, by its position in the reference."""
    pairs = zip(result.neighbours.tolist(), result.neighbour_names, strict=True)
    return {str(each): name for row, names in pairs for each, name in zip(row, names, strict=True)}
