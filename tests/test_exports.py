"""The public names, and the cost of importing them."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import mlflow_interp
from mlflow_interp.method_registry import own_method_names
from mlflow_interp.options import options_of


def test_public_names():
    assert mlflow_interp.__all__ == [
        "Comparison",
        "Interpretation",
        "InterpretationCallback",
        "autolog",
        "compare",
        "compare_runs",
        "interpret",
        "load",
        "load_inputs",
        "load_model",
        "method_names",
        "resume",
        *(f"visualize_{name}" for name in own_method_names()),
    ]
    assert all(getattr(mlflow_interp, name) is not None for name in mlflow_interp.__all__)


def test_unknown_names_are_rejected():
    with pytest.raises(AttributeError, match="no attribute 'visualize_nothing'"):
        _ = mlflow_interp.visualize_nothing


@pytest.mark.parametrize("method", own_method_names())
def test_visualize_functions_have_signature_and_help(method):
    function = getattr(mlflow_interp, f"visualize_{method}")
    parameters = inspect.signature(function).parameters
    assert list(parameters) == ["model", "inputs", *options_of(method), "quiet"]
    for option in options_of(method).values():
        assert parameters[option.name].default == option.default
        assert option.help, option.name
        assert option.help in function.__doc__


HEAVY = "tensorflow", "keras", "mlflow", "matplotlib", "umap"


@pytest.mark.parametrize(
    "code",
    [
        "import mlflow_interp",
        "import mlflow_interp; dir(mlflow_interp); mlflow_interp.visualize_gradcam",
        "from mlflow_interp.cli import main; main(['--help'], standalone_mode=False)",
        "from mlflow_interp.cli import main; main(['gradcam', '--help'], standalone_mode=False)",
        "from mlflow_interp.cli import main; main(['methods'], standalone_mode=False)",
    ],
)
def test_heavy_libraries_are_imported_only_when_used(code):
    check = f"{code}\nimport sys\nprint('loaded:', [name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded: []"
