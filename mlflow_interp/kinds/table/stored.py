"""Storing and restoring the summary of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mlflow_interp.core.model_record import ModelRecord
from mlflow_interp.kinds.stored import example_facts
from mlflow_interp.kinds.table.counts import Cells, ProbabilityBins
from mlflow_interp.kinds.table.heatmaps import ClassHeatmaps
from mlflow_interp.kinds.table.location import Location
from mlflow_interp.kinds.table.result import TableResult, no_examples


def facts(result: TableResult) -> dict[str, Any]:
    """The facts that are not in the arrays."""
    described = example_facts(result.examples)
    return {name: described[name] for name in ("class_names", "model")} | {
        "rows": result.rows,
        "errors": result.errors,
        "reasons": [list(each) for each in result.reasons],
        "heatmaps": [[each.method, each.title, each.relu, each.has_target] for each in result.heatmaps],
        "location": result.location.as_dict(),
        "sample": result.sample,
    }


def restored(
    arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], _pictures: np.ndarray | None
) -> TableResult:
    """The result."""
    examples = no_examples(facts["class_names"])
    return TableResult(
        rows=int(facts["rows"]),
        errors=int(facts["errors"]),
        reasons=tuple((str(reason), int(count)) for reason, count in facts["reasons"]),
        cells=Cells(arrays["cells"], arrays["counts"], arrays["probabilities"]),
        bins=ProbabilityBins(arrays["bin_counts"], arrays["bin_sums"]),
        heatmaps=tuple(_heatmaps(arrays, *each) for each in facts["heatmaps"]),
        location=Location.restored(facts["location"]),
        sample=int(facts["sample"]),
        examples=replace(examples, model_record=ModelRecord.restored(facts["model"])),
    )


def _heatmaps(
    arrays: Mapping[str, np.ndarray], method: str, title: str, relu: bool, has_target: bool
) -> ClassHeatmaps:
    names = ("classes", "counts", "means", "deviations")
    classes, counts, means, deviations = (arrays[f"{method}/{name}"] for name in names)
    return ClassHeatmaps(
        str(method), str(title), bool(relu), classes, counts, means, deviations, has_target=bool(has_target)
    )
