"""Storing and restoring quality."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlflow_interp.kinds.quality.result import Agreement, QualityResult
from mlflow_interp.kinds.stored import Stored, example_facts


def facts(result: QualityResult) -> dict[str, Any]:
    """The facts that are not in the arrays."""
    return example_facts(result.examples) | {
        "head": result.explained.head,
        "titles": dict(result.titles),
        "measures": list(result.measures),
        "seconds": list(result.seconds),
        "chosen": dict(result.chosen),
        "agreements": [[each.first, each.second] for each in result.agreements],
    }


def restored(
    arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], pictures: np.ndarray | None
) -> QualityResult:
    """The result."""
    stored = Stored(arrays, facts, pictures)
    names = list(stored.facts["measures"])
    undefined = np.asarray(stored.arrays["undefined"])
    pairs = [(str(first), str(second)) for first, second in stored.facts["agreements"]]
    agreements = {pair: stored.arrays[f"agreement/{pair[0]} and {pair[1]}"] for pair in pairs}
    return QualityResult(
        explained=stored.explained(),
        titles=dict(stored.facts["titles"]),
        curves=stored.arrays["curves"],
        null_curves=stored.arrays["null_curves"],
        measures={
            name: np.where(undefined[..., at], np.nan, stored.arrays[name]) for at, name in enumerate(names)
        },
        agreements=tuple(
            Agreement(first, second, both[:, 0], both[:, 1]) for (first, second), both in agreements.items()
        ),
        seconds=tuple(float(each) for each in stored.facts["seconds"]),
        chosen=dict(stored.facts["chosen"]),
    )
