"""Warnings point to the caller's line; messages suggest similar names."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mlflow_interp
from mlflow_interp.exceptions import InterpretationWarning, ModelError, nearest, reason_of, warn

PACKAGE = Path(mlflow_interp.__file__).parent
DEEP = """
from mlflow_interp.exceptions import warn

def deep(depth):
    return deep(depth - 1) if depth else warn("look out")
"""


@pytest.fixture
def deep():
    """A function of the package that warns after calling itself a given number of times."""
    names = {}
    exec(compile(DEEP, PACKAGE / "engine" / "made_up.py", "exec"), names)
    return names["deep"]


@pytest.mark.parametrize("depth", [0, 1, 5])
def test_warning_points_to_the_line_that_called_the_package(deep, tmp_path, depth):
    script = tmp_path / "script.py"
    script.write_text("def call(function, depth):\n    # a comment\n    function(depth)\n")
    spec = importlib.util.spec_from_file_location("script", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.warns(InterpretationWarning, match="look out") as caught:
        module.call(deep, depth)
    assert [(each.filename, each.lineno) for each in caught] == [(str(script), 3)]


def test_package_with_a_similar_name_is_a_caller(tmp_path):
    names = {}
    neighbour = PACKAGE.with_name(f"{PACKAGE.name}_more") / "module.py"
    exec(compile("def call(function):\n    function('look out')\n", neighbour, "exec"), names)
    with pytest.warns(InterpretationWarning) as caught:
        names["call"](warn)
    assert [(each.filename, each.lineno) for each in caught] == [(str(neighbour), 2)]


def test_warning_without_a_caller_is_issued(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", "from mlflow_interp.exceptions import warn\nwarn('look out')"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
    )
    assert run.stderr.startswith("<string>:2: InterpretationWarning: look out")


@pytest.mark.parametrize(
    ("name", "known", "tail"),
    [
        ("gradcma", ["umap", "gradcam"], "; nearest: gradcam"),
        ("zebra", ["umap", "gradcam"], "; available: umap, gradcam"),
        ("zebra", [f"class {index}" for index in range(1000)], "; give one of 1000 names, such as class 0"),
        ("zebra", [], ""),
    ],
)
def test_only_similar_names_are_suggested(name, known, tail):
    assert nearest(name, known) == tail


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("no such file", "no such file"),
        ("", "ValueError"),
        (
            "<class 'keras.Sequential'> could not be deserialized properly. Please ensure…\n\n"
            "config={'module': 'keras'}.\n\nException encountered: Error when deserializing class "
            "'Dense' using config={'units': 3}.\n\nException encountered: unknown argument 'colour'",
            "unknown argument 'colour'",
        ),
        (
            "Exception encountered when calling Conv2D.call().\n\n\x1b[1mNegative dimension size\x1b[0m\n\n"
            "Arguments received by Conv2D.call():\n  • inputs=…",
            "Negative dimension size",
        ),
    ],
)
def test_reason_of_an_error_is_extracted(message, reason):
    assert reason_of(ValueError(message)) == reason


def test_unknown_setting_in_a_keras_file_is_named(tmp_path):
    """The reason is in the last line of Keras' message."""
    import json
    import zipfile

    import keras

    from mlflow_interp.models.load import load_model

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.save(tmp_path / "good.keras")
    with zipfile.ZipFile(tmp_path / "good.keras") as good, zipfile.ZipFile(tmp_path / "m.keras", "w") as bad:
        for name in good.namelist():
            content = good.read(name)
            if name == "config.json":
                config = json.loads(content)
                config["config"]["layers"][1]["config"]["colour"] = "red"
                content = json.dumps(config).encode()
            bad.writestr(name, content)
    with pytest.raises(ModelError, match="colour") as error:
        load_model(tmp_path / "m.keras")
    assert "Please ensure" not in str(error.value)
