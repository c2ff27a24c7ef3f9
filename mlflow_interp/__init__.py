"""Interpretation as part of an MLflow run: what a Keras model looks at, as versioned artifacts.

    import mlflow_interp
    mlflow_interp.visualize_gradcam("models:/pirates/3", "./photos")

`visualize_<method>` runs one method, `interpret` several. Names are imported when first used, so that
`import mlflow_interp` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlflow_interp.api import interpret
    from mlflow_interp.autologging import autolog
    from mlflow_interp.data.prepare import load_inputs
    from mlflow_interp.method_registry import method_names
    from mlflow_interp.models.load import load_model
    from mlflow_interp.report.interpretation import Interpretation
    from mlflow_interp.report.load import load
    from mlflow_interp.tracking.resume import resume
    from mlflow_interp.training.callback import InterpretationCallback

    visualize_caricature: Callable[..., Interpretation]
    visualize_confusion_matrix: Callable[..., Interpretation]
    visualize_gradcam: Callable[..., Interpretation]
    visualize_hirescam: Callable[..., Interpretation]
    visualize_layercam: Callable[..., Interpretation]
    visualize_saliency: Callable[..., Interpretation]
    visualize_umap: Callable[..., Interpretation]

__version__ = "0.1.0"
__all__ = [
    "Interpretation",
    "InterpretationCallback",
    "autolog",
    "interpret",
    "load",
    "load_inputs",
    "load_model",
    "method_names",
    "resume",
    "visualize_caricature",
    "visualize_confusion_matrix",
    "visualize_gradcam",
    "visualize_hirescam",
    "visualize_layercam",
    "visualize_saliency",
    "visualize_umap",
]

_MODULES = {
    "Interpretation": "mlflow_interp.report.interpretation",
    "InterpretationCallback": "mlflow_interp.training.callback",
    "autolog": "mlflow_interp.autologging",
    "interpret": "mlflow_interp.api",
    "load": "mlflow_interp.report.load",
    "load_inputs": "mlflow_interp.data.prepare",
    "load_model": "mlflow_interp.models.load",
    "method_names": "mlflow_interp.method_registry",
    "resume": "mlflow_interp.tracking.resume",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    if name.startswith("visualize_"):
        from mlflow_interp.api import visualizer

        function = visualizer(name.removeprefix("visualize_"))
        if function is not None:
            return function
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
