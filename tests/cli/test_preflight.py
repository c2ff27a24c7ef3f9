"""Wrong names are reported in one line with exit code 2, before anything heavy is imported."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

HEAVY = ("tensorflow", "keras")
#: Runs each command of a JSON list in one new interpreter, and prints after each what was imported.
SCRIPT = """
import json, sys
from click.testing import CliRunner
from mlflow_interp.cli import main
for args in json.loads(sys.stdin.read()):
    done = CliRunner().invoke(main, args)
    loaded = [name for name in ("tensorflow", "keras", "mlflow", "matplotlib") if name in sys.modules]
    print(json.dumps([done.exit_code, done.stdout, done.stderr, loaded]))
"""

LOCAL = [
    (["gradcam", "nope.keras", "./x"], "no model at 'nope.keras'"),
    (["gradcam", " ", "./x"], "is not a path"),
    (["gradcam", "empty.keras", "photos"], "is empty (0 bytes)"),
    (["gradcam", "model.onnx", "photos"], "is not a Keras file"),
    (["gradcam", "photos", "photos"], "is a folder without an MLmodel file"),
    (["gradcam", "sklearn", "photos"], "its flavors are sklearn"),
    (["gradcam", "some.keras", "nowhere"], "nothing found at 'nowhere'"),
    (["gradcam", "some.keras", "nowhere/*.png"], "nothing found at 'nowhere/*.png'"),
    (["gradcam", "some.keras", "notes.txt"], "'notes.txt' is neither an image nor a .npy or .npz file"),
    (["gradcam", "some.keras", "empty"], "no images in 'empty'"),
    (["gradcam", "some.keras", "keras:cifar11"], "no inputs 'keras:cifar11'"),
    (["interpret", "some.keras", "photos", "--methods", "gradcma"], "no method 'gradcma'; nearest: gradcam"),
    (["gradcma", "some.keras", "photos"], "no command 'gradcma'; nearest: gradcam"),
    (["gradcam", "some.keras", "photos", "--opactiy", "1"], "No such option"),
    (["gradcam", "some.keras", "photos", "--opacity", "nan"], "opacity is nan"),
    (["gradcam", "some.keras", "photos", "--opacity", "1.5"], "opacity is 1.5; give a number from 0 to 1"),
    (["gradcam", "some.keras", "photos", "--batch-size", "0"], "batch_size is 0"),
    (["gradcam", "some.keras", "photos", "--batch-size", "many"], "'many' is not a valid integer"),
    (["gradcam", "some.keras", "photos", "--resize", "zoom"], "'zoom' is not one of"),
    (["gradcam", "some.keras", "photos", "--class-names", "no.json"], "class names can't be read"),
    (["gradcam", "some.keras", "photos", "--class-names", "notes.json"], "is not valid JSON"),
    (["gradcam", "some.keras", "photos", "--labels", "no.csv"], "labels can't be read from 'no.csv'"),
    (["confusion_matrix", "some.keras", "photos", "--predictions", "no.csv"], "predictions can't be read"),
    (["confusion_matrix", "some.keras", "photos", "--sample-weight", "no"], "sample_weight can't be read"),
    (["gradcam", "some.keras", "photos", "--preprocess", "0..2"], "no preprocess '0..2'"),
    (["gradcam", "some.keras", "photos", "--preprocess", "ours:normalise"], "; nearest: normalize"),
    (["gradcam", "some.keras", "photos", "--preprocess", "nowhere:f"], "no module named 'nowhere'"),
    (["gradcam", "some.keras", "photos", "--imports", "ours,theirs"], "no module named 'theirs'"),
    (["layers", "some.keras", "--imports", "theirs"], "no module named 'theirs'"),
    (["layers", "nope.keras"], "no model at 'nope.keras'"),
    (["gradcam", "some.keras", "photos", "--save", "notes.txt"], "is a file; name a folder"),
    (["gradcam", "some.keras", "photos", "--no-log"], "--no-log without --save would discard the results"),
    (["gradcam", "some.keras", "photos", "--no-log", "--run-id", "1"], "--no-log and --run-id contradict"),
    (["gradcam", "some.keras", "photos", "--no-log", "--experiment", "e"], "contradict each other"),
    (["gradcam", "some.keras", "photos", "--fail-if", "accuracy = 1"], "fail_if is 'accuracy = 1'"),
    (["gradcam", "some.keras", "photos", "--fail-if", "umap/accuracy < 1"], "umap does not run; methods"),
    # A server is given, but the error can be found without it.
    (["gradcam", "nope.keras", "./x", "--tracking-uri", "http://127.0.0.1:9"], "no model at 'nope.keras'"),
    (["gradcam", "models:/tiny/1", "nowhere"], "nothing found at 'nowhere'"),
]  # fmt: skip
#: The only one that needs matplotlib.
COLOURS = (
    ["gradcam", "some.keras", "photos", "--colormap", "infernal"],
    "no colormap 'infernal'; nearest: inferno",
)
IN_MLFLOW = [
    (["gradcam", "models:/tiny/99", "photos"], "registered model 'tiny' has no version 99; available: 1"),
    (["gradcam", "models:/tiny@champoin", "photos"], "has no alias 'champoin'; nearest: champion"),
    (["gradcam", "models:/tinny/1", "photos"], "there is no registered model 'tinny'; nearest: tiny"),
    (["gradcam", "models:/tinny/latest", "photos"], "there is no registered model 'tinny'; nearest: tiny"),
    (["layers", "models:/tiny@champoin"], "has no alias 'champoin'; nearest: champion"),
    (["gradcam", "runs:/0123/model", "photos"], "nothing found at 'runs:/0123/model'"),
    (["gradcam", "models:/tiny/1", "runs:/0123/photos"], "nothing found at 'runs:/0123/photos'"),
    (["gradcam", "models:/tiny/1", "photos", "--run-id", "0123"], "nothing found at 'run 0123'"),
    (["gradcam", "models:/tiny/1", "photos", "--tracking-uri", "nothing://x"], "nothing://x can't be used: "),
    (["gradcam", "models:/tiny/1", "photos", "--tracking-uri", "http://127.0.0.1:9"], "does not answer"),
]  # fmt: skip


@pytest.fixture
def folder(photos, monkeypatch):
    """The working folder: photographs, files that exist, and a module that must not be imported."""
    here = photos.parent
    (here / "some.keras").write_bytes(b"never read")
    (here / "empty.keras").touch()
    (here / "model.onnx").write_bytes(b"content")
    (here / "notes.txt").write_text("notes\n")
    (here / "notes.json").write_text("notes")
    (here / "empty").mkdir()
    (here / "sklearn").mkdir()
    (here / "sklearn" / "MLmodel").write_text("flavors: {sklearn: {}}")
    (here / "ours.py").write_text("import tensorflow\ndef normalize(pixels): return pixels\n")
    monkeypatch.chdir(here)
    return here


def run(commands, store):
    """The exit code, standard output, standard error and imports after each command."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(commands),
        env=os.environ | {"MLFLOW_TRACKING_URI": store},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(cases, answers, allowed):
    for (args, message), (code, stdout, stderr, loaded) in zip(cases, answers, strict=True):
        assert code == 2, (args, stdout, stderr)
        assert stdout == "", args
        (line,) = stderr.splitlines()
        assert line.startswith("mlflow-interp: "), args
        assert message in line, args
        assert set(loaded) <= allowed, args


def test_local_errors_are_reported_without_importing_mlflow(folder):
    cases = [*LOCAL, COLOURS]
    answers = run([args for args, _ in cases], "http://127.0.0.1:9")
    check(cases[:-1], answers[:-1], set())
    check(cases[-1:], answers[-1:], {"matplotlib"})


def test_mlflow_errors_are_reported_without_importing_tensorflow(folder, store, registered):
    import mlflow

    run_id = mlflow.MlflowClient().create_run("0").info.run_id
    elsewhere = ["gradcam", "models:/tiny/1", "photos", "--run-id", run_id, "--experiment", "models"]
    # First, because the others use other servers.
    cases = [(elsewhere, "a run in experiment 'Default'; omit one of them"), *IN_MLFLOW]
    check(cases, run([args for args, _ in cases], store), {"mlflow", "matplotlib"})


def test_json_reports_the_error_as_an_object(folder, store):
    cases = [
        (args, message) for args, message in LOCAL if args[0] in ("gradcam", "interpret", "confusion_matrix")
    ]
    answers = run([[*args, "--json"] for args, _ in cases], store)
    for (args, message), (code, stdout, stderr, _) in zip(cases, answers, strict=True):
        if message.startswith("--no-log without"):  # not an error with --json
            continue
        outcome = json.loads(stdout)
        assert code == outcome["exit"]["code"] == 2, args
        assert stderr == f"mlflow-interp: {outcome['exit']['reason']}\n"
        assert message in outcome["exit"]["reason"]
        assert (outcome["run_id"], outcome["interpretations"], outcome["model"]) == (None, {}, None)


def test_run_created_by_mlflow_run_fails_with_the_reason(folder, store):
    import mlflow

    run_id = mlflow.MlflowClient().create_run("0").info.run_id
    done = subprocess.run(
        [sys.executable, "-m", "mlflow_interp", "gradcam", "nope.keras", "./x", "--json"],
        env=os.environ | {"MLFLOW_TRACKING_URI": store, "MLFLOW_RUN_ID": run_id},
        capture_output=True,
        text=True,
        check=False,
    )
    outcome = json.loads(done.stdout)
    assert (done.returncode, outcome["run_id"]) == (2, run_id)
    ended = mlflow.MlflowClient().get_run(run_id)
    assert ended.info.status == "FAILED"
    assert ended.data.tags["mlflow_interp.error"] == f"MissingModelError: {outcome['exit']['reason']}"


@pytest.mark.slow
def test_wrong_path_is_reported_within_twice_the_time_of_help(tmp_path):
    """Compares medians of whole processes, run in turn."""

    def seconds(*args):
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "mlflow_interp", *args], cwd=tmp_path, capture_output=True, check=False
        )
        return time.perf_counter() - started

    pairs = [(seconds("gradcam", "nope.keras", "./x"), seconds("--help")) for _ in range(8)][1:]
    wrong, help_ = (statistics.median(each) for each in zip(*pairs, strict=True))
    assert wrong <= 2 * help_


def test_console_script_finds_modules_in_the_working_folder(folder, store):
    """The folder of a user's module is on Python's path, but not on that of a console script."""
    script = Path(sys.executable).with_name("mlflow-interp")
    if not script.exists():
        pytest.skip("the package is not installed")
    for function, message in (("normalise", "nearest: normalize"), ("normalize", "damaged")):
        done = subprocess.run(
            [
                script,
                "gradcam",
                "some.keras",
                "photos",
                "--preprocess",
                f"ours:{function}",
                "--no-log",
                "--json",
            ],
            env=os.environ | {"MLFLOW_TRACKING_URI": store},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert message in done.stderr
