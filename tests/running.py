"""Methods as functions of a model and a batch that return a result, as run by the engine."""

from __future__ import annotations

from functools import partial

from mlflow_interp.engine.explain import limit
from mlflow_interp.engine.requirements import needs_training, requirements_of
from mlflow_interp.engine.run import run
from mlflow_interp.method_registry import find_method, method_names
from mlflow_interp.options import route


def run_method(method, model, batch, *, max_explained=None, **options):
    """The result of one method."""
    called = find_method(method)(model, batch, **route(method, options)["method"])
    if max_explained is not None:
        called = limit(called, max_explained=max_explained)
    found = run(model, batch, {method: called})
    for error in found.errors.values():
        raise error
    return found.parts[method].result()


def methods_of_trained_models():
    """The names of all methods but those that can be used only during training."""
    return [name for name in method_names() if not needs_training(name)]


def methods_for_convolutions():
    """The methods that apply to a trained convolutional network."""
    return [name for name in methods_of_trained_models() if "attention" not in requirements_of(name)]


def __getattr__(name):
    if name in method_names():
        return partial(run_method, name)
    raise AttributeError(name)
