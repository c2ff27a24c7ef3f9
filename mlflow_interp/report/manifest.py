"""The manifest of an interpretation: how to reproduce it, and its metrics."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from mlflow_interp import __version__
from mlflow_interp.core.inputs_record import MOST_NAMES
from mlflow_interp.core.result import HasTables, Result
from mlflow_interp.exceptions import without_password
from mlflow_interp.method_registry import package_of
from mlflow_interp.report.provenance import Provenance

SCHEMA_VERSION = 2  # 2: heatmaps are signed, result.json, digests in arrays.npz
_PACKAGES = ("mlflow-interp", "tensorflow", "keras", "mlflow", "numpy")


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that made the result."""
    by_package = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            by_package[package.replace("-", "_")] = version(package)
        except PackageNotFoundError:
            # `mlflow run` in its own environment runs this package from its folder.
            by_package[package.replace("-", "_")] = "not installed"
    return by_package


def inputs_identity(manifest: Mapping[str, Any]) -> str:
    """A text that two manifests share if their inputs are the same, in the same order."""
    inputs = manifest["inputs"]
    return str(inputs.get("order") or inputs.get("digest") or inputs["sha256"])


def complete_manifest(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, Any]:
    """A manifest with the schema version, versions and the sha256 of each file."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    return {"schema_version": SCHEMA_VERSION} | dict(manifest) | {"versions": versions(), "files": digests}


def describe(
    method: str,
    result: Result,
    given: Mapping[str, Any],
    provenance: Provenance,
    *,
    parameters: Mapping[str, Any],
    seconds: float,
) -> dict[str, Any]:
    """Everything needed to reproduce a result, and its metrics.

    Args:
        method: the name of the method.
        result: its result.
        given: the options of the call.
        provenance: the provenance of the model and the inputs.
        parameters: the options with their defaults.
        seconds: the duration.
    """
    public = {name: _public(value) for name, value in parameters.items()}
    repeatable = {
        name: _public(value)
        for name, value in given.items()
        if _is_repeatable(value) and name not in ("save", "log", "run_id")
    }
    package, version = package_of(method)
    return {
        "method": method,
        "package": {
            "name": package,
            "version": version or __version__,
        },
        "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "seconds": round(seconds, 3),
        "parameters": public | dict(result.resolved) | dict(provenance.preparation),
        "given": repeatable,
        "at_hand": sorted(set(given) - set(repeatable) - {"save", "log", "run_id"}),
        "resolved": sorted(result.resolved),
        "seed": public.get("seed"),
        "model": dict(provenance.model),
        # The result may have examples of some inputs only; provenance made elsewhere may lack names.
        "inputs": {"names": list(result.examples.names[:MOST_NAMES])} | dict(provenance.inputs),
        "metrics": {name: float(value) for name, value in result.metrics().items() if np.isfinite(value)},
        "highlights": result.highlights() if isinstance(result, HasTables) else {},
        "warnings": [*provenance.warnings, *result.warnings()],
    }


def _public(value: Any) -> Any:
    """An option without passwords: `align` and `labels` may be URIs that contain one."""
    return without_password(str(value)) if isinstance(value, (str, Path)) else value


def _is_repeatable(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_repeatable(each) for key, each in value.items())
    return isinstance(value, (str, int, float, bool, Path)) or (
        isinstance(value, (list, tuple)) and all(isinstance(each, (str, int, float)) for each in value)
    )
