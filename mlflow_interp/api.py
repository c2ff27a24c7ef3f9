"""`visualize_<method>` for every method, with its real signature and docstring."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

from mlflow_interp.loading.inputs import load_inputs
from mlflow_interp.loading.models import load_model
from mlflow_interp.options import argument_help, options_of, summary
from mlflow_interp.pipeline import Interpretation, visualize
from mlflow_interp.registry import find_method, method_names

_HEADINGS = {
    "method": "Options of the method",
    "model": "Options of loading the model",
    "inputs": "Options of loading the inputs",
    "figure": "Options of drawing",
    "run": "Options of logging",
}


@cache
def visualizer(method: str) -> Any:
    """The function `visualize_<method>(model, inputs, *, …) -> Interpretation`; None for no method."""
    if method not in method_names():
        return None

    def visualize_method(model: Any, inputs: Any, **options: Any) -> Interpretation:
        return visualize(method, model, inputs, **options)

    visualize_method.__name__ = visualize_method.__qualname__ = f"visualize_{method}"
    visualize_method.__signature__ = _signature(method)  # type: ignore[attr-defined]
    visualize_method.__doc__ = _docstring(method)
    return visualize_method


def _signature(method: str) -> inspect.Signature:
    positional = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("model", "inputs")
    ]
    keywords = [
        inspect.Parameter(
            option.name, inspect.Parameter.KEYWORD_ONLY, default=option.default, annotation=option.annotation
        )
        for option in options_of(method).values()
    ]
    quiet = inspect.Parameter("quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=bool)
    return inspect.Signature([*positional, *keywords, quiet], return_annotation=Interpretation)


def _docstring(method: str) -> str:
    lines = [f"{summary(find_method(method)).rstrip('.')}, drawn and logged to MLflow.", "", "Args:"]
    lines.append(f"    model: {argument_help(load_model)['model']}")
    lines.append(f"    inputs: {argument_help(load_inputs)['inputs']}")
    for room, heading in _HEADINGS.items():
        own = [option for option in options_of(method).values() if option.room == room]
        lines += ["", f"{heading}:", *(f"    {option.name}: {option.help}" for option in own)] if own else []
    lines += ["    quiet: Show neither progress nor where results went.", "", "Returns:"]
    lines.append("    What was found: arrays, figure, manifest, and the run that holds them.")
    return "\n".join(lines)
