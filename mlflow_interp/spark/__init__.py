"""Tables of any size on Spark: `interpret` and `compare` for one run, `interpret_udf` for a lazy column.

It needs pyspark, which `pip install 'mlflow-interp[spark]'` adds and Databricks has.
"""

from __future__ import annotations

import importlib
from typing import Any

_MODULES = {
    "TableComparison": "mlflow_interp.spark.comparing.compare",
    "TableInterpretation": "mlflow_interp.spark.interpreting",
    "compare": "mlflow_interp.spark.comparing.compare",
    "heatmaps": "mlflow_interp.spark.reading",
    "interpret": "mlflow_interp.spark.interpreting",
    "interpret_folder": "mlflow_interp.spark.folder",
    "interpret_udf": "mlflow_interp.spark.udf",
}

__all__ = [*_MODULES]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
