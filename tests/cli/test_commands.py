"""The command line: the same results as Python; errors are one line with exit code 2."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

from mlflow_interp.cli import main
from mlflow_interp.method_registry import method_names
from mlflow_interp.options import options_of

pytestmark = pytest.mark.usefixtures("store")


def call(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def client(store):
    return MlflowClient()


def newest(client):
    (run,) = client.search_runs([e.experiment_id for e in client.search_experiments()], max_results=1)
    return run


def test_gradcam_logs_and_saves(client, registered, photos, tmp_path):
    done = call(
        "gradcam", registered, photos, "--target", "cat", "--max-inputs", 2, "--save", tmp_path / "out"
    )
    assert done.exit_code == 0, done.output
    run = newest(client)
    assert f"run: {run.info.run_id}" in done.output
    assert run.data.params["interpretations/gradcam/target"] == "cat"
    manifest = json.loads((tmp_path / "out" / "gradcam" / "manifest.json").read_text())
    assert manifest["inputs"]["count"] == 2
    assert manifest["given"]["max_inputs"] == 2


def test_parameters_as_mlflow_run_passes_them(client, registered, photos):
    """How `mlflow run` passes parameters: underscores kept, empty if not given, flags with a value."""
    done = call(
        "gradcam", "--layer=", "--target=", "--max_inputs=3", "--trust_model_code=false", "--opacity=",
        "--resize=pad", "--quiet=true", registered, photos,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert done.output == ""
    params = newest(client).data.params
    assert params["interpretations/gradcam/max_inputs"] == "3"
    assert params["interpretations/gradcam/resize"] == "pad"
    assert "interpretations/gradcam/opacity" not in params  # a default, which is in the manifest


def test_interpret_accepts_the_options_of_every_method(registered, photos, tmp_path):
    done = call(
        "interpret", registered, photos, "--methods", "gradcam", "--layer", "conv", "--no-log", "--quiet",
        "--save", tmp_path,
    )  # fmt: skip
    assert done.exit_code == 0, done.output


def test_run_id_logs_to_the_existing_run(client, registered, photos):
    run = client.create_run("0")
    assert call("gradcam", registered, photos, "--run-id", run.info.run_id, "--quiet").exit_code == 0
    assert "interpretations/gradcam/inputs" in client.get_run(run.info.run_id).data.metrics


def test_layers_lists_what_each_method_can_use(registered):
    done = call("layers", registered)
    assert done.exit_code == 0, done.output
    assert done.stderr.splitlines() == ["Loading TensorFlow…", f"Loading {registered}…"]
    output, *lines = done.stdout.splitlines()
    assert output == "output: probabilities of 3 classes (from its last operations)"
    rows = [line.split() for line in lines]
    assert rows[0][:3] == ["index", "layer", "type"]
    assert rows[2][:3] == ["1", "conv", "Conv2D"]
    assert "gradcam" in lines[2]
    assert "(None, 6, 6, 4)" in lines[2]
    assert "gradcam" not in "".join(lines[3:])


def test_layers_accepts_head(registered):
    done = call("layers", registered, "--head", "values")
    assert done.stdout.splitlines()[0] == "output: 3 values (stated by head=)"
    assert "confusion_matrix" not in done.stdout
    assert "confusion_matrix" in call("layers", registered).stdout
    assert call("layers", registered, "--head", "soft").exit_code == 2


def test_layers_with_json(registered):
    layers = json.loads(call("layers", registered, "--json").stdout)
    assert [each["layer"] for each in layers] == ["rescale", "conv", "pool", "head", "tiny"]
    assert (layers[1]["index"], layers[1]["type"]) == ("1", "Conv2D")
    assert layers[1]["output_shape"] == [None, 6, 6, 4]
    assert "gradcam" in layers[1]["methods"]
    assert "gradcam" not in layers[2]["methods"]
    assert layers[-1]["output"] == "probabilities of 3 classes (from its last operations)"


def test_methods_lists_all_methods():
    lines = call("methods").output.splitlines()
    assert [line.split()[0] for line in lines] == method_names()
    assert all(len(line.split()) > 3 for line in lines)


def test_methods_with_json():
    methods = json.loads(call("methods", "--json").stdout)
    assert [each["name"] for each in methods] == method_names()
    assert all(each["summary"] for each in methods)


@pytest.mark.parametrize("method", method_names())
def test_help_lists_every_option_with_its_default(method):
    text = " ".join(call(method, "--help").output.split())
    for option in options_of(method).values():
        assert f"--{option.name.replace('_', '-')} " in text
        if isinstance(option.default, (str, float)):
            assert str(option.default) in text


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["gradcam", "models:/tiny/99", "PHOTOS"], "models:/tiny/99"),
        (["gradcam", "models:/nobody@champion", "PHOTOS"], "nobody"),
        (["gradcam", "/no/such/model.keras", "PHOTOS"], "no model at '/no/such/model.keras'"),
        (["gradcam", "MODEL", "/no/such/folder"], "nothing found at '/no/such/folder'"),
        (["gradcam", "MODEL", "PHOTOS", "--layer", "cnov"], "no layer 'cnov' in model 'tiny'; nearest: conv"),
        (["gradcam", "MODEL", "PHOTOS", "--layer", "head"], "needs a spatial feature map"),
        (["gradcam", "MODEL", "PHOTOS", "--target", "17"], "target 17 is out of range"),
        (["gradcam", "MODEL", "PHOTOS", "--preprocess", "nothing"], "no preprocess 'nothing'"),
        (["gradcam", "MODEL", "PHOTOS", "--preprocess", "os:nothing"], "'os:nothing' can't be imported"),
        (["gradcam", "MODEL", "PHOTOS", "--batch-size", "0"], "batch_size is 0"),
        (["gradcam", "MODEL", "PHOTOS", "--batch-size", "many"], "'many' is not a valid integer"),
        (["gradcam", "MODEL", "PHOTOS", "--opacity", "nan"], "opacity is nan"),
        (["gradcam", "MODEL", "PHOTOS", "--colormap", "rainbows"], "no colormap 'rainbows'; nearest:"),
        (["gradcam", "MODEL", "PHOTOS", "--class-names", "/no/names.json"], "class names can't be read"),
        (["gradcam", "MODEL", "PHOTOS", "--labels", "/no/labels.txt"], "labels can't be read"),
        (["gradcam", "MODEL", "PHOTOS", "--run-id", "nothing"], "run nothing"),
        (["gradcam", "MODEL", "PHOTOS", "--trust-model-code=maybe"], "give true or false"),
        (["gradcam", "MODEL", "PHOTOS", "--tracking-uri", "http://127.0.0.1:9"], "does not answer"),
        (["gradcam", "MODEL", "PHOTOS", "--colour", "red"], "No such option"),
        (["gradcma", "MODEL", "PHOTOS"], "no command 'gradcma'; nearest: gradcam"),
        (["interpret", "MODEL", "PHOTOS", "--methods", "gradcma"], "no method 'gradcma'; nearest: gradcam"),
        (["layers", "nowhere"], "no model at 'nowhere'"),
    ],
)  # fmt: skip
def test_invalid_input_is_reported_in_one_line_with_exit_code_2(store, registered, photos, args, message):
    import mlflow

    args = [{"MODEL": registered, "PHOTOS": str(photos)}.get(arg, arg) for arg in args]
    done = call(*args)
    mlflow.set_tracking_uri(store)
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.output
    assert message in done.output
    ours = [line for line in done.output.splitlines() if line.startswith("mlflow-interp: ")]
    assert len(ours) == 1 or "Error: " in done.output


@pytest.mark.parametrize(
    ("number", "code", "text"), [(signal.SIGTERM, 143, ""), (signal.SIGINT, 130, "interrupted")]
)
def test_signal_ends_the_run_as_killed(store, client, registered, photos, tmp_path, number, code, text):
    """A real process that gets a signal in the middle of its work leaves its run KILLED."""
    (tmp_path / "slow.py").write_text(
        "import pathlib, time\n"
        "def prepare(pixels):\n"
        f"    pathlib.Path({str(tmp_path / 'started')!r}).touch()\n"
        "    time.sleep(120)\n"
    )
    run = client.create_run("0")
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": store,
        "MLFLOW_RUN_ID": run.info.run_id,
        "PYTHONPATH": str(tmp_path),
    }
    command = [sys.executable, "-m", "mlflow_interp", "gradcam", registered, str(photos)]
    process = subprocess.Popen(
        [*command, "--preprocess", "slow:prepare"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        # A test suite in the background of a shell ignores Ctrl-C, and so would its child processes.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 90
    while not (tmp_path / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    assert text in errors
    assert client.get_run(run.info.run_id).info.status == "KILLED"
    assert not client.list_artifacts(run.info.run_id, "interpretations")
