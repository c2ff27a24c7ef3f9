"""A result made ready to be written: its files, and what its manifest says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from mlflow_interp.core import Batch
from mlflow_interp.exceptions import ModelError, without_password
from mlflow_interp.figures import panels, style
from mlflow_interp.loading.models import LoadedModel
from mlflow_interp.manifest import PANELS, csv, npz, table_json
from mlflow_interp.options import effective, figure_module
from mlflow_interp.results import Detailed, Growing, Result

MOST_NAMES = 1000  # of inputs in a manifest, which every later call into the run reads
PAGE = "figure.html"


@dataclass(frozen=True)
class Facts:
    """What a manifest says of the model and the inputs.

    Attributes:
        model: where the model came from, and the digest of its weights.
        inputs: where the inputs came from, their digest, how many, which were skipped.
        preparation: how inputs became what the model is fed.
        warnings: about the inputs.
    """

    model: Mapping[str, Any]
    inputs: Mapping[str, Any]
    preparation: Mapping[str, Any]
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, loaded: LoadedModel, batch: Batch) -> Facts:
        """Those of a model whose weights were digested, and of a batch that was read."""
        inputs = {
            "source": batch.source,
            "sha256": batch.digest,
            "count": batch.count,
            "skipped": dict(batch.skipped),
        }
        skipped = [f"{name} was left out: {reason}" for name, reason in batch.skipped.items()]
        return cls(
            loaded.origin.as_dict(), inputs, dict(batch.preparation), (*batch.warnings, *_summed_up(skipped))
        )


def files(
    method: str, result: Result, options: Mapping[str, Any], *, with_page: bool = True
) -> tuple[Any, dict[str, bytes]]:
    """The matplotlib figure, and everything but the manifest by file name.

    Raises:
        ModelError: the result holds NaN or infinite values, which a picture would hide.
    """
    _check_finite(method, result.arrays())
    drawing = figure_module(method)
    figure = drawing.draw(result, **options)
    found = {"figure.png": style.png(figure)}
    if with_page:
        found[PAGE] = drawing.page(result, **options).encode()
    found |= {"predictions.json": table_json(result.table()), "arrays.npz": npz(result.arrays())}
    if isinstance(result, Detailed):
        found |= {name: csv(columns) for name, columns in result.tables().items()}
    if hasattr(drawing, "panels"):
        series = result.series() if isinstance(result, Growing) else None
        shown = found["figure.png"] if with_page else None  # of epochs only the last one's is shown
        found[PANELS] = panels.as_json(drawing.panels(result, **options), figure=shown, series=series)
    return figure, found


def _check_finite(method: str, arrays: Mapping[str, np.ndarray]) -> None:
    lost = [
        name for name, array in arrays.items() if array.dtype.kind == "f" and not np.isfinite(array).all()
    ]
    if lost:
        raise ModelError(
            f"{method} gives NaN or infinite {', '.join(lost)}: an option is far out of range, or a weight "
            "of the model is NaN; start from the options' defaults, and look at the weights"
        )


def manifest(
    method: str, result: Result, given: Mapping[str, Any], facts: Facts, *, seconds: float
) -> dict[str, Any]:
    """All that is needed to make the result again, and what came out in numbers."""
    effective_now = effective(method, given, ("method", "figure", "model"))
    parameters = {name: _public(value) for name, value in effective_now.items()}
    kept = {
        name: _public(value)
        for name, value in given.items()
        if _is_repeatable(value) and name not in ("save", "log", "run_id")
    }
    return {
        "method": method,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "parameters": parameters | dict(result.resolved) | dict(facts.preparation),
        "given": kept,
        "at_hand": sorted(set(given) - set(kept) - {"save", "log", "run_id"}),
        "resolved": sorted(result.resolved),
        "seed": parameters.get("seed"),
        "model": dict(facts.model),
        "inputs": dict(facts.inputs) | {"names": list(result.examples.names[:MOST_NAMES])},
        "metrics": {name: float(value) for name, value in result.metrics().items() if np.isfinite(value)},
        "highlights": result.highlights() if isinstance(result, Detailed) else {},
        "warnings": [*facts.warnings, *result.warnings()],
    }


def _public(value: Any) -> Any:
    """An option as all may read it: `align` and `labels` may be URIs, which may carry a password."""
    return without_password(str(value)) if isinstance(value, (str, Path)) else value


def _is_repeatable(value: Any) -> bool:
    return isinstance(value, (str, int, float, bool, Path)) or (
        isinstance(value, (list, tuple)) and all(isinstance(each, (str, int, float)) for each in value)
    )


def _summed_up(lines: list[str], most: int = 3) -> list[str]:
    rest = (
        [f"{len(lines) - most} more inputs were left out; the manifest names them"]
        if len(lines) > most
        else []
    )
    return lines[:most] + rest
