"""Methods registered by other packages, on every surface, and broken packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings

import keras
import mlflow
import numpy as np
import pytest
from click.testing import CliRunner

import mlflow_interp
from mlflow_interp.cli import main
from mlflow_interp.exceptions import InterpretationWarning, OptionError
from mlflow_interp.method_registry import (
    find_method,
    method_names,
    own_method_names,
    registered_names,
    registration_of,
)
from mlflow_interp.options import listed_methods
from mlflow_interp.training.worker_client import _idle, _idle_or_new
from tests.other_packages import CALIBRATION, install, on_path, register


@pytest.fixture(scope="module")
def calibration(tmp_path_factory):
    """An installed package with a method `calibration`, available in this process."""
    folder = install(CALIBRATION, tmp_path_factory.mktemp("calibration"))
    with on_path(folder):
        yield folder


@pytest.fixture(scope="module")
def confident_model():
    """A model that returns 0.75 and 0.25 for any input."""
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")],
        name="sure",
    )
    model.set_weights([np.zeros((64, 2)), np.log([0.75, 0.25])])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


INPUTS = np.linspace(0, 1, 8 * 64, dtype=np.float32).reshape(8, 8, 8, 1)
LABELS = np.array([0, 0, 0, 1, 0, 0, 0, 0])  # 7 of 8 correct, where 6 of 8 are expected


def test_method_is_listed_but_not_among_the_built_in_ones(calibration):
    assert method_names() == [*own_method_names(), "calibration"]
    assert "visualize_calibration" in dir(mlflow_interp)
    assert "visualize_calibration" not in mlflow_interp.__all__
    assert str(registration_of("calibration")) == "interp-calibration 1.2.0"
    listed = CliRunner().invoke(main, ["methods"])
    assert "Whether a model is right as often as its probabilities state" in listed.output
    assert "calibration" in CliRunner().invoke(main, ["--help"]).output
    assert "--bins" in CliRunner().invoke(main, ["calibration", "--help"]).output


@pytest.fixture(scope="module")
def interpreted(calibration, confident_model, store):
    """A call of two methods, one of them from another package."""
    mlflow.set_tracking_uri(store)
    with mlflow.start_run(experiment_id=mlflow.get_experiment_by_name("models").experiment_id):
        return mlflow_interp.interpret(
            confident_model, INPUTS, ["confusion_matrix", "calibration"], labels=LABELS, bins=4, quiet=True
        )


def test_python_api(interpreted):
    """7/8 correct at a probability of 3/4."""
    found = interpreted["calibration"]
    assert found.metrics == pytest.approx({"inputs": 8, "calibration_error": 0.125}, abs=1e-6)
    np.testing.assert_array_equal(found.counts, [0, 0, 0, 8])
    np.testing.assert_array_equal(found.right, [0, 0, 0, 7])


def test_manifest_records_the_package_and_its_version(interpreted):
    assert interpreted["calibration"].manifest["package"] == {
        "name": "interp-calibration",
        "version": "1.2.0",
    }
    ours = {"name": "mlflow-interp", "version": mlflow_interp.__version__}
    assert interpreted["confusion_matrix"].manifest["package"] == ours


def test_page_figure_and_panel_of_the_package(interpreted):
    found = interpreted["calibration"]
    assert found.figure.get_suptitle() == "Calibration"
    folder = mlflow.artifacts.download_artifacts(f"runs:/{found.run_id}/interpretations")
    with open(f"{folder}/calibration/figure.html", encoding="utf-8") as file:
        assert "Expected calibration error" in file.read()
    with open(f"{folder}/index.html", encoding="utf-8") as file:
        page = file.read()
    assert 'registerPanel("interp_calibration.reliability"' in page
    assert "method of interp-calibration 1.2.0" in page
    assert "-P methods=calibration" in page  # MLproject has no entry point for it


def test_load_result_of_the_package(interpreted):
    found = interpreted["calibration"]
    loaded = mlflow_interp.load(f"runs:/{found.run_id}/{found.artifact_path}")
    np.testing.assert_array_equal(loaded.right, found.right)
    assert loaded.metrics == found.metrics


def test_command_line_has_the_method(calibration, confident_model, tmp_path):
    confident_model.save(tmp_path / "sure.keras")
    np.savez(tmp_path / "inputs.npz", x=INPUTS, y=LABELS)
    arguments = [str(tmp_path / "sure.keras"), str(tmp_path / "inputs.npz")]
    done = CliRunner().invoke(
        main, ["calibration", *arguments, "--bins", "4", "--no-log", "--save", str(tmp_path)]
    )
    assert done.exit_code == 0, done.output
    manifest = json.loads((tmp_path / "calibration" / "manifest.json").read_text())
    assert manifest["parameters"]["bins"] == 4
    assert manifest["metrics"]["calibration_error"] == pytest.approx(0.125, abs=1e-6)


def test_autolog_has_the_method(calibration, confident_model, store, tmp_path):
    """Also if the worker process of an earlier training was started before the package was installed."""
    before = [each for each in sys.path if each != str(calibration)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", before)
        worker = _idle_or_new()
        _idle.append(worker)
    mlflow.set_tracking_uri(store)
    mlflow.create_experiment("calibrated", artifact_location=(tmp_path / "artifacts").as_uri())
    experiment = mlflow.get_experiment_by_name("calibrated").experiment_id
    mlflow_interp.autolog(methods={"calibration": {"bins": 4}}, wait=300)
    try:
        with mlflow.start_run(experiment_id=experiment) as run:
            confident_model.fit(INPUTS, LABELS, validation_data=(INPUTS, LABELS), epochs=1, verbose=0)
    finally:
        mlflow_interp.autolog(disable=True)
    metrics = mlflow.get_run(run.info.run_id).data.metrics
    assert metrics["interpretations/calibration/inputs"] == 8
    assert worker.ended.wait(30)


# Broken packages.


@pytest.fixture
def broken(tmp_path):
    """Packages that can't be imported, whose names are in use or reserved, or that are not methods."""
    register(tmp_path, "gone", {"gone": "no_such_module:gone"})
    register(tmp_path, "takes-ours", {"gradcam": "json:loads"})
    register(tmp_path, "reserved", {"all": "json:loads", "Not-A-Name": "json:loads"})
    register(tmp_path, "first", {"twice": "json:loads"})
    register(tmp_path, "second", {"twice": "json:dumps"})
    register(tmp_path, "takes-option", {"relabelled": "relabelled:relabelled"})
    (tmp_path / "relabelled.py").write_text(
        "from mlflow_interp.engine.method import Streaming\n"
        "from mlflow_interp.kinds.heatmap.result import HeatmapResult\n"
        "def relabelled(model, batch, *, labels: int = 0) -> Streaming[HeatmapResult]:\n"
        '    """Nothing."""\n'
    )
    return tmp_path


def test_broken_package_gives_one_warning_and_affects_its_method_only(calibration, broken):
    usable = [*own_method_names(), "calibration"]
    with on_path(broken):
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            assert listed_methods() == usable
            assert listed_methods() == usable
            assert mlflow_interp.visualize_gradcam.__name__ == "visualize_gradcam"
        messages = sorted(str(each.message) for each in warned)
        with pytest.raises(OptionError, match=r"'gone' of gone 1\.0 can't be used: no_such_module:gone"):
            find_method("gone")
        with pytest.raises(AttributeError, match=r"'gone' of gone 1\.0 can't be used"):
            _ = mlflow_interp.visualize_gone
        assert registered_names() == [*usable, "gone", "relabelled", "twice"]
    assert [message.partition(":")[0] for message in messages] == [
        "method 'gone' of gone 1.0 can't be used",
        "method 'relabelled' can't be used",
        "method 'twice' of first 1.0 can't be used",
        "reserved 1.0 registers a method 'Not-A-Name', which is left out",
        "reserved 1.0 registers a method 'all', which is left out",
        "second 1.0 registers a method 'twice', which is left out",
        "takes-ours 1.0 registers a method 'gradcam', which is left out",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "lines"),
    [
        (["--help"], 0, ["warning: method 'gone' of gone 1.0 can't be used: no_such_module:gone: "]),
        (["gradcam", "--help"], 0, []),
        (["gone", "m.keras", "x.npy"], 2, ["mlflow-interp: method 'gone' of gone 1.0 can't be used: "]),
    ],
)
def test_command_line_works_with_a_broken_package(tmp_path, arguments, code, lines):
    register(tmp_path, "gone", {"gone": "no_such_module:gone"})
    done = subprocess.run(
        [sys.executable, "-m", "mlflow_interp", *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.getcwd()])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    errors = done.stderr.splitlines()
    assert len(errors) == len(lines)
    assert all(error.startswith(line) for error, line in zip(errors, lines, strict=True))


def test_training_works_with_a_broken_package(broken, confident_model, store, tmp_path):
    mlflow.set_tracking_uri(store)
    mlflow.create_experiment("beside", artifact_location=(tmp_path / "artifacts").as_uri())
    experiment = mlflow.get_experiment_by_name("beside").experiment_id
    with on_path(broken), warnings.catch_warnings():
        warnings.simplefilter("ignore", InterpretationWarning)
        mlflow_interp.autolog(methods="confusion_matrix", wait=300)
        try:
            with mlflow.start_run(experiment_id=experiment) as run:
                confident_model.fit(INPUTS, LABELS, validation_data=(INPUTS, LABELS), epochs=1, verbose=0)
        finally:
            mlflow_interp.autolog(disable=True)
    metrics = mlflow.get_run(run.info.run_id).data.metrics
    assert metrics["interpretations/confusion_matrix/inputs"] == 8
