"""The MLproject file matches the signatures, and `mlflow run` works with it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
import yaml
from mlflow.projects._project_spec import EntryPoint

from mlflow_interp.cli import main
from mlflow_interp.method_registry import own_method_names
from mlflow_interp.options import options_of

PROJECT = Path(__file__).parent.parent


def entry_points():
    return yaml.safe_load((PROJECT / "MLproject").read_text(encoding="utf-8"))["entry_points"]


def test_there_is_an_entry_point_for_each_method():
    assert set(entry_points()) == {"main", "compare", *own_method_names()}


@pytest.mark.parametrize("method", ["main", *own_method_names()])
def test_every_declared_parameter_has_a_value(method):
    """MLflow logs declared parameters even if they are empty, and shows them on its cards."""
    parameters = entry_points()[method]["parameters"]
    assert {name for name, each in parameters.items() if "default" not in each} == {"model", "inputs"}
    assert all(each.get("default", "given") for each in parameters.values())
    assert len(parameters) <= 4


@pytest.mark.parametrize("method", own_method_names())
def test_entry_points_take_every_option_of_the_method(method):
    """In the form in which MLflow itself appends parameters that are not declared."""
    point = entry_points()[method]
    given = {name: "" for name in options_of(method) if name != "experiment"}
    given |= {"layers" if method in ("caricature", "umap") else "batch_size": "3"}
    given |= {name: "False" for name, each in options_of(method).items() if each.annotation is bool}
    entry = EntryPoint(method, point["parameters"], point["command"])
    line = shlex.split(entry.compute_command({"model": "a model", "inputs": "b", **given}, None))
    python, _, module, command, *args = line
    assert (python, module, command) == ("python", "mlflow_interp", method)
    args[args.index(next(each for each in args if each.startswith("--relative_to")))] = "--relative_to=."
    found = main.get_command(None, command).make_context(command, args).params
    assert (found["model"], found["inputs"]) == ("a model", "b")
    given_flags = {name for name, value in given.items() if value == "False"}
    assert all(found[name] is False for name in given_flags)
    empty = {name for name, value in given.items() if value == ""}
    assert all(found[name] is None for name in empty)
    assert given_flags
    assert empty


def test_conda_yaml_matches_setup():
    """Environments built by `mlflow run` contain what the package needs, in the oldest versions allowed."""
    setup = (PROJECT / "setup.py").read_text(encoding="utf-8")
    needed = setup.partition("install_requires=[")[2].partition("]")[0]
    floors = dict(line.strip().strip('",').split(">=") for line in needed.splitlines() if line.strip())
    pins = yaml.safe_load((PROJECT / "conda.yaml").read_text(encoding="utf-8"))["dependencies"][-1]["pip"]
    built = {name: floor.partition(",")[0] for name, floor in (pin.split(">=") for pin in pins)}
    # A new environment can have the Keras version with all security fixes; docs/security.md says so.
    assert built == floors | {"keras": "3.15.1"}


def mlflow_run(store, *args, folder):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"MLFLOW_TRACKING_URI": store, "PATH": path}
    command = [sys.executable, "-m", "mlflow", "run", str(PROJECT), "--env-manager", "local", *args]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("entry", [(), ("-e", "gradcam", "-P", "layer=conv", "-P", "target=bee")])
def test_mlflow_run_from_another_folder(store, registered, photos, entry):
    """Relative inputs refer to the folder from which `mlflow run` was called."""
    parameters = ["-P", f"model={registered}", "-P", f"inputs={photos.name}", "-P", "max_inputs=2"]
    if not entry:
        parameters += ["-P", "methods=gradcam"]
    done = mlflow_run(store, *entry, *parameters, folder=photos.parent)
    assert done.returncode == 0, done.stderr[-2000:]
    (run,) = mlflow.MlflowClient().search_runs(["0"], max_results=1)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "gradcam tiny v1"
    assert run.data.params["inputs"] == photos.name
    assert run.data.metrics["interpretations/gradcam/inputs"] == 2
    assert run.data.tags["mlflow_interp.model_version"] == "1"
    own = {name for name in run.data.params if not name.startswith("interpretations/")}
    declared = {"model", "inputs", "relative_to"} | (set() if entry else {"methods"})
    assert own == declared | {"max_inputs"} | ({"layer", "target"} if entry else set())
    assert all(run.data.params.values())


def test_mlflow_run_compares(store, registered, photos):
    parameters = {
        "old": registered,
        "new": registered,
        "inputs": photos.name,
        "min_inputs": "4",
        "anchors": "false",
    }
    given = [part for name, value in parameters.items() for part in ("-P", f"{name}={value}")]
    done = mlflow_run(store, "-e", "compare", *given, folder=photos.parent)
    assert done.returncode == 0, done.stderr[-2000:]
    (run,) = mlflow.MlflowClient().search_runs(["0"], max_results=1)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["interpretations/comparison/churn"] == 0


def test_mlflow_run_fails_if_a_gate_fails(store, registered, photos):
    parameters = ["-P", f"model={registered}", "-P", f"inputs={photos.name}", "-P", "fail_if=inputs < 5"]
    done = mlflow_run(store, "-e", "gradcam", *parameters, folder=photos.parent)
    assert done.returncode != 0
    assert "mlflow-interp: inputs is 4, which is < 5" in done.stderr
    (run,) = mlflow.MlflowClient().search_runs(["0"], max_results=1)
    assert run.data.tags["mlflow_interp.gate"] == "failed: inputs is 4, which is < 5"
    assert run.data.metrics["interpretations/gradcam/inputs"] == 4


def test_mlflow_run_accepts_paths_relative_to_the_caller(store, photos, tiny_cnn):
    """A model file, a glob and class names, all relative, with spaces and quotes in their names."""
    tiny_cnn.save(photos.parent / "a model.keras")
    (photos.parent / "it's names.txt").write_text("ant\nbee\ncat\n")
    parameters = [
        "-P",
        "model=a model.keras",
        "-P",
        "inputs=photos/*e*.png",
        "-P",
        "class_names=it's names.txt",
    ]
    parameters += ["-P", "target=bee", "--run-name", "glad-fish-a"]
    done = mlflow_run(store, "-e", "gradcam", *parameters, folder=photos.parent)
    assert done.returncode == 0, done.stderr[-2000:]
    (run,) = mlflow.MlflowClient().search_runs(["0"], max_results=1)
    assert run.data.metrics["interpretations/gradcam/inputs"] == 4
    assert run.info.run_name == "glad-fish-a"


def test_mlflow_run_fails_with_one_line_and_a_failed_run(store, registered, photos):
    done = mlflow_run(
        store,
        "-P",
        f"model={registered}",
        "-P",
        "inputs=photos",
        "-P",
        "max_inputs=few",
        folder=photos.parent,
    )
    assert done.returncode != 0
    assert "'few' is not a valid integer" in done.stderr
    (run,) = mlflow.MlflowClient().search_runs(["0"], max_results=1)
    assert run.info.status == "FAILED"
    assert "'few' is not a valid integer" in run.data.tags["mlflow_interp.error"]
