"""Comparisons in MLflow: the run, its inputs and tags, and runs that are compared."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest

import mlflow_interp
from mlflow_interp.exceptions import InputsError

CLIENT = mlflow.MlflowClient


@pytest.fixture(scope="module")
def pirates(store: str, versions: dict[str, Any]) -> str:
    """models:/pirates with version 1 (champion), and version 2 that has lost a class."""
    mlflow.set_experiment("pirates")
    for name in ("old", "lost"):
        with mlflow.start_run():
            mlflow.keras.log_model(
                versions[name], name="model", registered_model_name="pirates", pip_requirements=["keras"]
            )
    CLIENT().set_registered_model_alias("pirates", "champion", "1")
    return "models:/pirates"


@pytest.fixture(scope="module")
def arrays(versions: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of inputs and labels."""
    path = tmp_path_factory.mktemp("inputs") / "digits.npz"
    np.savez(path, x=versions["inputs"], y=versions["labels"])
    return path


def test_the_run_has_both_models_and_the_verdict(pirates: str, arrays: Path) -> None:
    found = mlflow_interp.compare(f"{pirates}@champion", f"{pirates}/2", str(arrays), quiet=True)
    run = CLIENT().get_run(found.run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "compare pirates v1 → pirates v2"
    assert run.data.tags["mlflow_interp.gate"] == "failed"
    assert run.data.metrics["interpretations/comparison/churn"] == pytest.approx(found.metrics["churn"])
    ids = {each.model_id for each in run.inputs.model_inputs}
    assert len(ids) == 2
    tags = CLIENT().get_model_version("pirates", "2").tags
    assert tags["mlflow_interp.gate"] == "failed"
    assert tags["mlflow_interp.compare.against"].startswith("models:/pirates")
    assert tags["mlflow_interp.comparison.run_id"] == found.run_id
    assert "mlflow_interp.gate" not in CLIENT().get_model_version("pirates", "1").tags
    page = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/interpretations/index.html")
    assert "mlflow-interp compare" in page
    assert "class accuracy drop" in run.data.tags["mlflow.note.content"]


@pytest.mark.filterwarnings("ignore:.*heatmaps are empty")
def test_runs_are_compared_without_a_model(pirates: str, arrays: Path) -> None:
    runs = [
        mlflow_interp.visualize_gradcam(
            f"{pirates}/{version}", str(arrays), target="label", quiet=True
        ).run_id
        for version in (1, 2)
    ]
    found = mlflow_interp.compare_runs(*runs, quiet=True)
    direct = mlflow_interp.compare(f"{pirates}/1", f"{pirates}/2", str(arrays), quiet=True, log=False)
    for name in ("accuracy_drop", "churn", "correlation/gradcam", "negative_flips"):
        assert found.metrics[name] == pytest.approx(direct.metrics[name], abs=1e-4)
    assert {each["rule"] for each in found.report["rules"]} >= {"accuracy_drop", "class_accuracy_drop"}
    assert found.report["old"]["version"] == "1"
    assert len(found.result.pairs) == 1


@pytest.mark.filterwarnings("ignore:.*heatmaps are empty")
def test_runs_that_do_not_match(pirates: str, arrays: Path) -> None:
    gradcam = mlflow_interp.visualize_gradcam(f"{pirates}/1", str(arrays), max_inputs=30, quiet=True).run_id
    hirescam = mlflow_interp.visualize_hirescam(f"{pirates}/1", str(arrays), max_inputs=30, quiet=True).run_id
    with pytest.raises(
        InputsError, match="no heatmaps by the same method: the first has gradcam, the second"
    ):
        mlflow_interp.compare_runs(gradcam, hirescam, quiet=True, log=False)
    with pytest.raises(InputsError, match=f"run {hirescam} has no gradcam, but hirescam"):
        mlflow_interp.compare_runs(gradcam, hirescam, "gradcam", quiet=True, log=False)


def run_command(store: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-m", "mlflow_interp", "compare", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"MLFLOW_TRACKING_URI": store} | environment,
        check=False,
    )


@pytest.mark.slow
def test_the_command(store: str, pirates: str, arrays: Path, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    names = (f"{pirates}@champion", f"{pirates}/2", str(arrays))
    options = ("--no-log", "--save", str(tmp_path / "out"), "--json")
    done = run_command(store, *names, *options, GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 1, done.stderr
    assert "the gate failed: accuracy_drop, class_accuracy_drop" in done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["exit"]["code"] == 1
    assert outcome["interpretations"]["comparison"]["metrics"]["failed_rules"] == 2
    assert "| ✕ failed | class_accuracy_drop |" in summary.read_text(encoding="utf-8")
    assert (tmp_path / "out" / "comparison" / "junit.xml").is_file()
    same = run_command(store, f"{pirates}/1", f"{pirates}/1", str(arrays), "--no-log", "--json")
    assert same.returncode == 0, same.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("models:/nothing/1", "models:/pirates/2", "x.npz", "--no-log", "--json"),
            "'x.npz' can't be read",
        ),
        (("models:/pirates/1", "models:/pirates/2"), "INPUTS is missing"),
        (("models:/pirates/1", "models:/pirates/2", "a", "--runs"), "--runs takes two runs and no inputs"),
        (("a", "b", "--runs", "--target", "3"), "target has no meaning for runs"),
        (("a", "b", "--runs", "--reference", "c"), "--reference has no meaning with --runs"),
        (("a", "b", "c", "--gate", "none.yaml"), "gate 'none.yaml' can't be read"),
        (("a", "b", "c", "--undecided", "maybe"), "'maybe' is not one of 'pass', 'fail'"),
        (("a", "b", "c", "--methods", "gradcm"), "no method 'gradcm'"),
    ],
)
def test_the_command_refuses(store: str, pirates: str, arguments: tuple[str, ...], message: str) -> None:
    done = run_command(store, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
