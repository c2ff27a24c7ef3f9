"""Interpretation as part of an MLflow run: what a Keras model looks at, as versioned artifacts.

    import mlflow_interp
    mlflow_interp.visualize_gradcam("models:/pirates/3", "./photos")

`visualize_<method>` runs one method, `interpret` several. Names are imported when first used, so that
`import mlflow_interp` costs nothing.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

#: The modules of the public names, which are imported when a name is first used. Their types are in
#: `__init__.pyi`.
_MODULES = {
    "Comparison": "mlflow_interp.comparing.conclude",
    "Interpretation": "mlflow_interp.report.interpretation",
    "InterpretationCallback": "mlflow_interp.training.callback",
    "autolog": "mlflow_interp.autologging",
    "compare": "mlflow_interp.comparing.models",
    "compare_runs": "mlflow_interp.comparing.runs",
    "interpret": "mlflow_interp.api",
    "load": "mlflow_interp.report.load",
    "load_inputs": "mlflow_interp.data.prepare",
    "load_model": "mlflow_interp.models.load",
    "method_names": "mlflow_interp.method_registry",
    "resume": "mlflow_interp.tracking.resume",
}

_METHODS = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).with_name("methods"))]))

__all__ = [*_MODULES, *(f"visualize_{method}" for method in _METHODS)]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    if name.startswith("visualize_"):
        from mlflow_interp.api import visualizer
        from mlflow_interp.exceptions import OptionError

        try:
            return visualizer(name.removeprefix("visualize_"))
        except OptionError as error:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}: {error}") from error
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    from mlflow_interp.method_registry import registered_names

    return sorted({*__all__, "__version__", *(f"visualize_{method}" for method in registered_names())})
