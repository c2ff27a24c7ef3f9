"""Storing and restoring training dynamics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlflow_interp.kinds.stored import Stored, example_facts
from mlflow_interp.kinds.training_dynamics.history import History
from mlflow_interp.kinds.training_dynamics.result import TrainingDynamicsResult


def facts(result: TrainingDynamicsResult) -> dict[str, Any]:
    """The facts that are not in the arrays."""
    return example_facts(result.examples) | {
        "earlier": list(result.earlier),
        "kept": result.kept.tolist(),
        "inputs": result.inputs,
        "unlabelled": result.unlabelled,
        "is_sample": result.is_sample,
        "not_seen_before": result.not_seen_before,
        "head": result.head,
        "title": result.title,
    }


def restored(
    arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], pictures: np.ndarray | None
) -> TrainingDynamicsResult:
    """The result, with thumbnails of the inputs that are shown."""
    stored = Stored(arrays, facts, pictures)
    examples = stored.examples()
    return TrainingDynamicsResult(
        examples=examples,
        history=History(
            seen=arrays["epochs_seen"],
            sums=arrays["sums"],
            forgotten=arrays["forgotten"],
            right=arrays["epochs_right"],
            learnt=arrays["learnt"],
            trajectories=arrays["trajectories"],
            predicted=arrays["predicted"],
        ),
        times=arrays["times"],
        earlier=tuple(int(each) for each in stored.facts["earlier"]),
        kept=np.array(stored.facts["kept"], np.int64),
        class_right=arrays["class_right"],
        class_totals=arrays["class_totals"],
        inputs=int(stored.facts["inputs"]),
        unlabelled=int(stored.facts["unlabelled"]),
        is_sample=bool(stored.facts["is_sample"]),
        not_seen_before=int(stored.facts["not_seen_before"]),
        head=str(stored.facts["head"]),
        pictured=None if examples.images is None else examples.shown_rows,
        pictures=examples.images,
        title=str(stored.facts["title"]),
    )
