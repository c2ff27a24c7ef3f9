"""Run one method on a model and a batch, as the engine does, without drawing and logging."""

from __future__ import annotations

from typing import Any

from mlflow_interp.core.batch import Batch
from mlflow_interp.engine.run import run
from mlflow_interp.method_registry import find_method


def result_of(method: str, model: Any, batch: Batch, **options: Any) -> Any:
    """The result of a method; raises its first error."""
    found = run(model, batch, {method: find_method(method)(model, batch, **options)})
    for error in found.errors.values():
        raise error
    return found.parts[method].result()
