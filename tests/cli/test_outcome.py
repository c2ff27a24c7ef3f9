"""The outcome of a command: the object of --json, and the exit code of --fail-if."""

from __future__ import annotations

import json
import math

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

from mlflow_interp.cli import main
from mlflow_interp.kinds.heatmap.result import HeatmapResult

pytestmark = pytest.mark.usefixtures("store")


def call(*args):
    """The result of a command with --json, and its object, which must be all of standard output."""
    done = CliRunner().invoke(main, [*map(str, args), "--json"])
    return done, json.loads(done.stdout)


def tags(run_id):
    return MlflowClient().get_run(run_id).data.tags


def test_results_are_one_json_object(registered, photos, tmp_path):
    done, outcome = call("gradcam", registered, photos, "--save", tmp_path / "out", "--max-inputs", 3)
    assert done.exit_code == 0, done.stderr
    run = MlflowClient().get_run(outcome["run_id"])
    assert run.info.status == "FINISHED"
    assert outcome["exit"] == {"code": 0, "reason": None}
    assert set(outcome["interpretations"]) == {"gradcam"}
    found = outcome["interpretations"]["gradcam"]
    assert found["artifact_path"] == "interpretations/gradcam"
    assert found["folder"] == str(tmp_path / "out" / "gradcam")
    manifest = json.loads((tmp_path / "out" / "gradcam" / "manifest.json").read_text())
    assert found["metrics"] == manifest["metrics"]
    assert found["metrics"]["inputs"] == run.data.metrics["interpretations/gradcam/inputs"] == 3
    assert found["warnings"] == manifest["warnings"]
    assert outcome["inputs"] == {"source": str(photos), "count": 3, "digest": manifest["inputs"]["digest"]}
    assert outcome["model"] == {
        "uri": registered,
        "name": "tiny",
        "version": "1",
        "aliases": ["champion"],
        **{
            name: manifest["model"][name]
            for name in ("model_id", "run_id", "experiment_id", "weights_sha256")
        },
    }
    assert set(outcome) == {"run_id", "exit", "interpretations", "warnings", "inputs", "model"}
    # Messages for people are on the other stream, in this order.
    lines = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
    assert lines[:2] == ["Loading TensorFlow…", f"Loading {registered}…"]
    assert lines[-2:] == [
        f"files: {tmp_path / 'out'}",
        f"run: {outcome['run_id']}, artifacts: interpretations/",
    ]


def test_second_call_has_separate_folders(registered, photos, tmp_path):
    _, first = call("gradcam", registered, photos, "--save", tmp_path, "--quiet")
    _, second = call(
        "gradcam", registered, photos, "--save", tmp_path, "--run-id", first["run_id"], "--quiet"
    )
    assert second["interpretations"]["gradcam"]["artifact_path"] == "interpretations/gradcam-2"
    assert second["interpretations"]["gradcam"]["folder"] == str(tmp_path / "gradcam-2")


def test_quiet_prints_nothing(registered, photos):
    done, outcome = call("gradcam", registered, photos, "--quiet", "--no-log")
    assert done.stderr == ""
    assert outcome["run_id"] is None
    assert outcome["interpretations"]["gradcam"]["artifact_path"] is None
    assert outcome["interpretations"]["gradcam"]["folder"] is None


def test_output_of_user_code_is_not_in_the_object(registered, photos, monkeypatch):
    (photos.parent / "chatty.py").write_text(
        "def prepare(pixels):\n    print('prepared')\n    return pixels\n"
    )
    monkeypatch.syspath_prepend(photos.parent)
    done, outcome = call("gradcam", registered, photos, "--preprocess", "chatty:prepare", "--quiet")
    assert outcome["exit"]["code"] == 0
    assert "prepared" in done.stderr


def test_warnings_are_in_the_object(registered, photos):
    (photos / "broken.png").write_bytes(b"no picture")
    done, outcome = call("gradcam", registered, photos, "--quiet")
    (warning,) = [text for text in outcome["warnings"] if "broken.png" in text]
    assert warning in outcome["interpretations"]["gradcam"]["warnings"]
    assert f"warning: {warning}" in done.stderr


def test_object_has_the_methods_that_did_not_fail(registered, photos):
    done, outcome = call("interpret", registered, photos, "--methods", "gradcam,confusion_matrix", "--quiet")
    assert done.exit_code == outcome["exit"]["code"] == 2
    assert "no input has a label" in outcome["exit"]["reason"]
    assert done.stderr.splitlines()[-1] == f"mlflow-interp: {outcome['exit']['reason']}"
    assert set(outcome["interpretations"]) == {"gradcam"}
    assert outcome["inputs"]["count"] == 4
    assert tags(outcome["run_id"])["mlflow_interp.error"].endswith(outcome["exit"]["reason"])


def test_failed_call_names_its_run(registered, photos):
    _, outcome = call("gradcam", registered, photos, "--layer", "cnov", "--quiet")
    assert "no layer 'cnov'" in outcome["exit"]["reason"]
    assert MlflowClient().get_run(outcome["run_id"]).info.status == "FAILED"
    assert (outcome["interpretations"], outcome["inputs"], outcome["model"]) == ({}, None, None)


@pytest.mark.parametrize("args", [["--json", "--layer"], ["--json=true", "--colour=red"]])
def test_invalid_arguments_are_reported_in_the_object(registered, photos, args):
    done = CliRunner().invoke(main, ["gradcam", registered, str(photos), *args])
    outcome = json.loads(done.stdout)
    assert done.exit_code == outcome["exit"]["code"] == 2
    assert done.stderr == f"mlflow-interp: {outcome['exit']['reason']}\n"


def test_interrupted_call_is_reported_in_the_object(registered, photos, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("mlflow_interp.api.load_inputs", interrupt)
    done, outcome = call("gradcam", registered, photos, "--quiet")
    assert done.exit_code == 130
    assert outcome["exit"] == {"code": 130, "reason": "interrupted"}


def test_metric_that_is_not_a_number_is_null(registered, photos, monkeypatch):
    monkeypatch.setattr(HeatmapResult, "metrics", lambda self: {"focus": math.nan, "inputs": 4.0})
    done, outcome = call("gradcam", registered, photos, "--quiet", "--fail-if", "focus > 2")
    assert outcome["interpretations"]["gradcam"]["metrics"] == {"focus": None, "inputs": 4.0}
    assert done.exit_code == 1
    assert "focus is NaN" in outcome["exit"]["reason"]


def test_failed_gate(registered, photos):
    done, outcome = call(
        "gradcam", registered, photos, "--quiet", "--fail-if", "inputs < 5", "--fail-if", "inputs > 5",
        "--fail-if", "gradcam/inputs != 3",
    )  # fmt: skip
    lines = ["inputs is 4, which is < 5", "gradcam/inputs is 4, which is != 3"]
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-2:] == [f"mlflow-interp: {line}" for line in lines]
    assert outcome["exit"] == {"code": 1, "reason": "; ".join(lines)}
    assert outcome["interpretations"]["gradcam"]["metrics"]["inputs"] == 4
    run = MlflowClient().get_run(outcome["run_id"])
    assert run.info.status == "FINISHED"  # the command ran, and everything is logged
    assert run.data.tags["mlflow_interp.gate"] == f"failed: {'; '.join(lines)}"
    assert "mlflow_interp.error" not in run.data.tags
    assert "interpretations/gradcam/focus" in run.data.metrics


def test_passed_gate(registered, photos):
    done, outcome = call("gradcam", registered, photos, "--quiet", "--fail-if", "inputs < 4")
    assert (done.exit_code, outcome["exit"]["reason"]) == (0, None)
    assert tags(outcome["run_id"])["mlflow_interp.gate"] == "passed"


def test_without_conditions_there_is_no_gate_tag(registered, photos):
    _, outcome = call("gradcam", registered, photos, "--quiet")
    assert "mlflow_interp.gate" not in tags(outcome["run_id"])


def test_gate_on_an_unknown_metric(registered, photos):
    done, outcome = call("gradcam", registered, photos, "--quiet", "--fail-if", "focsu < 1")
    assert done.exit_code == 2
    assert outcome["exit"]["reason"] == "no metric 'focsu'; nearest: focus"
    assert set(outcome["interpretations"]) == {"gradcam"}
    assert tags(outcome["run_id"])["mlflow_interp.gate"] == "failed: no metric 'focsu'; nearest: focus"


def test_gate_works_without_logging(registered, photos):
    args = ["gradcam", registered, str(photos), "--quiet", "--no-log", "--fail-if", "inputs < 5"]
    done = CliRunner().invoke(main, args)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == "mlflow-interp: inputs is 4, which is < 5"


def test_gate_applies_if_its_outcome_cannot_be_logged(registered, photos, monkeypatch):
    def refuse(*_, **__):
        raise ConnectionError("gone")

    monkeypatch.setattr("mlflow_interp.tracking.tags.mlflow_client", refuse)
    done, outcome = call("gradcam", registered, photos, "--quiet", "--fail-if", "inputs < 5")
    assert done.exit_code == 1
    assert any("could not be tagged with the verdict" in text for text in outcome["warnings"])
